"""Published figures against measured ones of the same systems: difference, budget, and a verdict on each."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from karyobench.reporting import published, ranks
from karyobench.reporting.runs import Board, Run

COLUMNS = [
    *("system", "key", "metric", "stratum", "published", "source", "split"),
    *("experiment", "n_seeds", "measured", "measured_low", "measured_high", "difference"),
    *("steps", "device", "published_steps", "verdict", "flag", "note"),
]
TOLERANCES = (0.01, 0.02, 0.05)
NOT_RUN, BELOW_BUDGET, NOT_REPRODUCED = "not run", "below budget", "not reproduced"
RULE = (
    "reproduced within x: comparable, and the mean over seeds is off by no more than x, the smallest of "
    f"{', '.join(map(str, TOLERANCES))} that holds it; below budget: off by more, after fewer steps than the paper's; "
    "not reproduced: off by more, with no fewer steps or where the paper's are not known; not comparable because: what "
    "the facts say, or that images or scores differ; not run: no experiment of that system here"
)

# Figures have at most four: 0.70 is off from 0.69 by 0.01, whatever their difference in floating point.
_DECIMALS = 6
_NOT_MEASURED = "the score is not measured here"


def table(board: Board) -> pd.DataFrame:
    """One row per published figure and experiment of its system, columns COLUMNS; none where no facts are named.

    A fact's `key` names an experiment of the configuration, or a system: then all its experiments stand for it that no
    other key names. A figure without any has one row, `not run`. Differences of two figures are left out.
    """
    key = board.config["published"]
    facts = [] if key is None else published.facts(key).to_dict("records")
    figures = [fact for fact in facts if "derived" not in fact["flag"].split()]
    stand = _experiments(board, {fact["key"] for fact in facts})
    rows = [row for fact in figures for row in _rows(board, fact, stand.get(fact["key"], {}))]
    return pd.DataFrame(rows, columns=COLUMNS)


def verdict(reason: str, difference: float, steps: int, published_steps: str) -> str:
    """Verdict on a figure that was measured, or could not be compared for `reason`; its words are those of RULE.

    difference: measured minus published, NaN where the score is not measured.
    """
    if reason or np.isnan(difference):
        return f"not comparable because {reason or _NOT_MEASURED}"
    for tolerance in TOLERANCES:
        if round(abs(difference), _DECIMALS) <= tolerance:
            return f"reproduced within {tolerance}"
    return BELOW_BUDGET if published_steps and steps < int(published_steps) else NOT_REPRODUCED


def _experiments(board: Board, keys: set[str]) -> dict[str, dict[str, list[Run]]]:
    """Runs of the experiments that stand for each key."""
    stand: dict[str, dict[str, list[Run]]] = {}
    for name, runs in board.experiments.items():
        stand.setdefault(name if name in keys else runs[0].system, {})[name] = runs
    return stand


def _rows(board: Board, fact: Mapping[str, str], experiments: Mapping[str, list[Run]]) -> Iterator[dict[str, Any]]:
    about = {name: fact[name] for name in ("system", "key", "metric", "stratum", "source", "split", "flag", "note")}
    about |= {"published": fact["value"], "published_steps": fact["steps"]}
    if not experiments:
        yield dict.fromkeys(COLUMNS, "") | about | {"verdict": NOT_RUN}
    for name, runs in experiments.items():
        value, low, high = _score(board, fact, runs)
        difference, reason = value - float(fact["value"]), published.unlike(fact, board.place)
        yield about | {
            **{"experiment": name, "n_seeds": len(runs), "steps": runs[0].steps, "device": runs[0].device},
            **{"measured": value, "measured_low": low, "measured_high": high, "difference": difference},
            "verdict": verdict(reason, difference, runs[0].steps, fact["steps"]),
        }


def _score(board: Board, fact: Mapping[str, str], runs: list[Run]) -> tuple[float, float, float]:
    """The figure's score with its interval, over the images of its stratum; NaN where it is not measured."""
    metrics = board.config["metrics"]
    names = {published.metric_name(score, metrics): score for score in board.kind.known(metrics)}
    inside = _images(board, fact["stratum"])
    if fact["metric"] not in names or not inside.any():
        return np.nan, np.nan, np.nan
    score = names[fact["metric"]]
    cells = ranks.comparison(board, inside, {"": runs}, [score]).cells("")
    return cells[score], cells[f"{score}_low"], cells[f"{score}_high"]


def _images(board: Board, stratum: str) -> np.ndarray:
    """Which images a stratum such as `organ=breast` has; all of them for none."""
    if not stratum:
        return np.ones(len(board.images), bool)
    by, name = stratum.split("=")
    return np.array([str(about.get(by)) == name for about in board.attributes])
