"""Published figures against measured ones of the same systems: difference, budget, and a verdict on each."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from karyobench.reporting import published, ranks, training_figures
from karyobench.reporting.published import Place
from karyobench.reporting.runs import Board, Run

COLUMNS = [
    *("system", "key", "metric", "stratum", "published", "source", "split"),
    *("experiment", "n_seeds", "measured", "measured_low", "measured_high", "measured_on", "difference"),
    *("steps", "device", "published_steps", "verdict", "flag", "note"),
]
TOLERANCES = (0.01, 0.02, 0.05)
NOT_RUN, BELOW_BUDGET, NOT_REPRODUCED = "not run", "below budget", "not reproduced"
RULE = (
    "reproduced within x: comparable, and the mean over seeds is off by no more than x, the smallest of "
    f"{', '.join(map(str, TOLERANCES))} that holds it; below budget: off by more, after fewer steps than the paper's, "
    "or ended before the figure's epoch; not reproduced: off by more, with no fewer steps or where the paper's are not "
    "known; not comparable because: what the facts say, or that images or scores differ; not run: no experiment of "
    "that system here, or nothing that tells its images"
)

# Figures have at most four: 0.70 is off from 0.69 by 0.01, whatever their difference in floating point.
_DECIMALS = 6
_NOT_MEASURED = "the score is not measured here"


class _Found(NamedTuple):
    """What is measured of a figure: NaN where it is not.

    on: of what images or patches; place: whose these are. verdict: one that holds whatever the figures are.
    """

    place: Place
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    on: str = "-"
    verdict: str = ""


def table(board: Board) -> pd.DataFrame:
    """One row per published figure and experiment of its system, columns COLUMNS; none where no facts are named.

    Each name of a fact's `key` is an experiment of the configuration, or a system: then all its experiments stand for
    it that no key names. A figure without any has one row, `not run`. Figures of training are measured on patches
    (`training_figures`). Differences of two figures are left out.
    """
    key = board.config["published"]
    facts = [] if key is None else published.facts(key).to_dict("records")
    figures = [fact for fact in facts if "derived" not in fact["flag"].split()]
    stand = _experiments(board, {name for fact in facts for name in fact["key"].split()})
    rows = [row for fact in figures for row in _rows(board, fact, _of_key(fact["key"], stand))]
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


def _of_key(key: str, stand: Mapping[str, Mapping[str, list[Run]]]) -> dict[str, list[Run]]:
    """Experiments that stand for the names of a key."""
    return {experiment: runs for name in key.split() for experiment, runs in stand.get(name, {}).items()}


def _rows(board: Board, fact: Mapping[str, str], experiments: Mapping[str, list[Run]]) -> Iterator[dict[str, Any]]:
    about = {name: fact[name] for name in ("system", "key", "metric", "stratum", "source", "split", "flag", "note")}
    about |= {"published": fact["value"], "published_steps": fact["steps"]}
    if not experiments:
        yield dict.fromkeys(COLUMNS, "") | about | {"verdict": NOT_RUN}
    for name, runs in experiments.items():
        found = _training(board, fact, runs) if training_figures.tells(fact["metric"]) else _score(board, fact, runs)
        difference, reason = found.value - float(fact["value"]), published.unlike(fact, found.place)
        yield about | {
            **{"experiment": name, "n_seeds": len(runs), "steps": runs[0].steps, "device": runs[0].device},
            **{"measured": found.value, "measured_low": found.low, "measured_high": found.high},
            **{"measured_on": found.on, "difference": difference},
            "verdict": found.verdict or verdict(reason, difference, runs[0].steps, fact["steps"]),
        }


def _training(board: Board, fact: Mapping[str, str], runs: list[Run]) -> _Found:
    """A figure of training, on patches of the runs."""
    found = training_figures.measured(fact["metric"], runs)
    place = training_figures.place(runs[0], found.part, board.subset)
    return _Found(place, found.value, on=found.on, verdict=BELOW_BUDGET if found.ended else "")


def _score(board: Board, fact: Mapping[str, str], runs: list[Run]) -> _Found:
    """The figure's score with its interval, over the images of its stratum."""
    metrics = board.config["metrics"]
    names = {published.metric_name(score, metrics): score for score in board.kind.known(metrics)}
    by, inside = fact["stratum"].partition("=")[0], _images(board, fact["stratum"])
    if by and not any(by in about for about in board.attributes):
        return _Found(board.place, verdict=f"{NOT_RUN} because nothing tells its {by} here")
    if fact["metric"] not in names or not inside.any():
        return _Found(board.place)
    score = names[fact["metric"]]
    cells = ranks.comparison(board, inside, {"": runs}, [score]).cells("")
    on = f"{board.config['split']} images"
    return _Found(board.place, cells[score], cells[f"{score}_low"], cells[f"{score}_high"], on)


def _images(board: Board, stratum: str) -> np.ndarray:
    """Which images a stratum such as `organ=breast` has; all of them for none."""
    if not stratum:
        return np.ones(len(board.images), bool)
    by, name = stratum.split("=")
    return np.array([str(about.get(by)) == name for about in board.attributes])
