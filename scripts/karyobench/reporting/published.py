"""Published figures: our own table of facts, shown beside measured rows and never mixed with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from karyobench.errors import KaryobenchError, nearest
from karyobench.metrics.scores import SCORES
from karyobench.metrics.thresholds import column, label

FACTS = Path(__file__).with_suffix(".csv")
FACT_COLUMNS = ("leaderboard", "system", "metric", "value", "source", "split", "note")
COLUMNS = ("experiment", "source", *SCORES, "other_scores", "split", "reference", "note")


def rows(leaderboard: str, metrics: Mapping[str, Any], facts: Path = FACTS) -> pd.DataFrame:
    """Published rows of a leaderboard, one per system, split and source; all cells text, columns COLUMNS.

    A figure stands in a score's column only when it is that very score under `metrics`; others are listed by name in
    `other_scores`. Values keep the digits that were printed. Raises KaryobenchError on a leaderboard without facts.
    """
    table = pd.read_csv(facts, dtype=str, keep_default_na=False)
    chosen = table[table["leaderboard"] == leaderboard]
    if chosen.empty:
        raise KaryobenchError(
            f"published: no figures under '{leaderboard}'{nearest(leaderboard, table['leaderboard'])}"
        )
    names = {metric_name(score, metrics): score for score in SCORES}
    keys = ["system", "split", "source", "note"]
    made = [_row(*key, group, names) for key, group in chosen.groupby(keys, sort=False)]
    best_first = sorted(made, key=lambda row: (*(-float(row[s] or "-inf") for s in ("aji", "ap")), row["experiment"]))
    return pd.DataFrame(best_first, columns=list(COLUMNS))


def metric_name(score: str, metrics: Mapping[str, Any]) -> str:
    """Name under which the facts give a score: with its threshold, such as `f1@0.50`, or range, `ap@0.50:0.95`."""
    if score == "f1":
        return column("f1", metrics["f1_threshold"])
    if score == "ap":
        return f"ap@{threshold_range(metrics['iou_thresholds'])}"
    return score


def threshold_range(values: list[float]) -> str:
    """`0.50:0.95` for thresholds in steps of 0.05, otherwise each of them: `0.50,0.75`."""
    names = [label(value) for value in values]
    hundredths = [round(value * 100) for value in values]
    steps_of_five = names == [f"{h / 100:.2f}" for h in range(hundredths[0], hundredths[-1] + 1, 5)]
    return f"{names[0]}:{names[-1]}" if steps_of_five and len(names) > 1 else ",".join(names)


def _row(system: str, split: str, source: str, note: str, group: pd.DataFrame, names: dict[str, str]) -> dict[str, str]:
    figures = dict(zip(group["metric"], group["value"], strict=True))
    made = {"experiment": system, "source": "published", "split": split, "reference": source, "note": note}
    made |= {score: figures.pop(name, "") for name, score in names.items()}
    made["other_scores"] = "; ".join(f"{name} {value}" for name, value in figures.items())
    return made
