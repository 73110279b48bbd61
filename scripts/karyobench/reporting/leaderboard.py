"""Scores per experiment and seed, and their summary per experiment; pure aggregation of counts per image."""

from typing import Any

import numpy as np
import pandas as pd

from karyobench.metrics.scores import SCORES, image_scores, macro, micro
from karyobench.reporting import published, statistics
from karyobench.reporting.runs import Board, Run

TUNING = "none in this run: parameters are fixed in the configuration"
TUNING_TRAINED = f"{TUNING}; checkpoint by validation loss"
FAKE = "fake: reads the truth; its scores are known in closed form and test the workflow"

_MICRO = [f"{score}_micro" for score in SCORES]
_FACTS = ["source", "dataset", "split", "truth", "subset", "tuning", "note"]
MEASURED_COLUMNS = [
    *("experiment", "seed", "n_images", *SCORES, *_MICRO),
    *("n_nuclei", "n_missing", "system", "steps", "device", *_FACTS),
]
SUMMARY_COLUMNS = [
    *("experiment", "source", "n_seeds", "n_images"),
    *(f"{score}{suffix}" for score in SCORES for suffix in ("", "_spread", "_low", "_high")),
    *("n_nuclei", "n_missing", "system", "steps", "device", "other_scores", "reference", *_FACTS[1:]),
]


def measured(board: Board) -> pd.DataFrame:
    """One row per experiment and seed, columns MEASURED_COLUMNS, highest AJI first.

    Score columns are macro (mean of per-image scores); those that end in `_micro` are of pooled counts. n_missing
    counts images without a prediction.
    """
    rows = []
    for run in board.runs:
        pooled = micro(run.counts, board.config["metrics"])
        row = {"seed": run.seed, **_about(board, [run])}
        row |= macro(run.counts, board.config["metrics"])
        row |= {f"{score}_micro": value for score, value in pooled.items()}
        rows.append(row)
    return _ranked(rows, MEASURED_COLUMNS, ["experiment", "seed"])


def summary(board: Board) -> pd.DataFrame:
    """One row per experiment, columns SUMMARY_COLUMNS, highest AJI first.

    Each score has its mean over seeds, `_spread` (standard deviation over seeds, NaN for one), and `_low`, `_high` (95%
    interval over images of the scores averaged over seeds, NaN where too few). n_missing sums over seeds.
    """
    by_experiment: dict[str, list[Run]] = {}
    for run in board.runs:
        by_experiment.setdefault(run.experiment, []).append(run)
    return _ranked([_summary_row(board, runs) for runs in by_experiment.values()], SUMMARY_COLUMNS, ["experiment"])


def published_rows(board: Board) -> pd.DataFrame:
    """Published rows of the leaderboard, all cells text (`published.rows`); none where it names no facts."""
    key = board.config["published"]
    if key is None:
        return pd.DataFrame(columns=list(published.COLUMNS))
    return published.rows(key, board.config["metrics"])


def csv_text(table: pd.DataFrame, then: pd.DataFrame | None = None) -> str:
    """CSV of a table with six decimals and blanks for NaN, followed by rows that are text already."""
    cells = table.map(_cell)
    if then is not None:
        cells = pd.concat([cells, then.reindex(columns=cells.columns, fill_value="")])
    return cells.to_csv(index=False, lineterminator="\n")


def _summary_row(board: Board, runs: list[Run]) -> dict[str, Any]:
    per_seed = [image_scores(run.counts, board.config["metrics"]) for run in runs]
    means = pd.DataFrame([scores.mean() for scores in per_seed])
    low, high = statistics.interval(sum(per_seed) / len(per_seed), board.images["group"].tolist())
    row = {"n_seeds": len(runs), "other_scores": "", "reference": "", **_about(board, runs), **means.mean()}
    for suffix, values in (("spread", statistics.spread(means)), ("low", low), ("high", high)):
        row |= {f"{score}_{suffix}": value for score, value in values.items()}
    return row


def _about(board: Board, runs: list[Run]) -> dict[str, Any]:
    first = runs[0]
    return {
        **{"experiment": first.experiment, "system": first.system, "source": "measured"},
        **{"steps": first.steps, "device": "; ".join(sorted({run.device for run in runs}))},
        "n_images": len(first.counts),
        "n_nuclei": int(first.counts["n_true"].sum()),
        "n_missing": int(sum(run.counts["missing"].sum() for run in runs)),
        **{"dataset": board.config["dataset"], "split": board.config["split"], "subset": board.subset},
        "truth": board.config["dataset_facts"]["truth"],
        "tuning": TUNING_TRAINED if first.trained else TUNING,
        "note": FAKE if first.fake else "",
    }


def _ranked(rows: list[dict[str, Any]], columns: list[str], names: list[str]) -> pd.DataFrame:
    order = sorted(rows, key=lambda row: (-row["aji"], *(row[name] for name in names)))
    return pd.DataFrame(order, columns=columns)


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6f}"
    return str(value)
