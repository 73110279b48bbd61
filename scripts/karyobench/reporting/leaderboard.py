"""Scores per experiment and seed, and their summary per experiment; pure aggregation of counts per image."""

from typing import Any

import numpy as np
import pandas as pd

from karyobench.metrics.scores import SCORES, image_scores, macro, micro
from karyobench.reporting import published, ranks, statistics
from karyobench.reporting.runs import Board, Run
from karyobench.reporting.statistics import Comparison

TUNING = "none in this run: parameters are fixed in the configuration"
TUNING_TRAINED = f"{TUNING}; checkpoint by validation loss"
MAIN = "aji"

ERRORS = ("n_pred", "missed", "false", "merges", "splits")
"""Counts of objects in a table, each as `definitions.TOTALS` has it."""

_MICRO = [f"{score}_micro" for score in SCORES]
_FACTS = ["source", "dataset", "split", "truth", "subset", "tuning", "note"]
MEASURED_COLUMNS = [
    *("experiment", "seed", "n_images", *SCORES, *_MICRO),
    *("n_nuclei", "n_missing", "system", "steps", "device", *_FACTS, *ERRORS),
]
SUMMARY_COLUMNS = [
    *("experiment", "source", "n_seeds", "n_images"),
    *(f"{score}{suffix}" for score in SCORES for suffix in ("", "_spread", "_low", "_high")),
    *("n_nuclei", "n_missing", "system", "steps", "device", "other_scores", "reference", *_FACTS[1:]),
    *(f"{score}{suffix}" for score in SCORES for suffix in ranks.SUFFIXES),
    *("unit", "n_units", "flag", *ERRORS),
]


def measured(board: Board) -> pd.DataFrame:
    """One row per experiment and seed, columns MEASURED_COLUMNS, highest AJI first.

    Score columns are macro (mean of per-image scores); those that end in `_micro` are of pooled counts. n_missing
    counts images without a prediction; ERRORS are sums over images.
    """
    rows = []
    for run in board.runs:
        pooled = micro(run.counts, board.config["metrics"])
        row = {"seed": run.seed, **_about(board, [run])}
        row |= macro(run.counts, board.config["metrics"])
        row |= {f"{score}_micro": value for score, value in pooled.items()}
        row |= {name: int(run.counts[name].sum()) for name in ERRORS}
        rows.append(row)
    return _ranked(rows, MEASURED_COLUMNS, ["experiment", "seed"])


def summary(board: Board, compared: Comparison) -> pd.DataFrame:
    """One row per experiment, columns SUMMARY_COLUMNS, highest AJI first.

    compared: `ranks.comparison` of the board. Each score has its mean over seeds, `_spread` (standard deviation over
    seeds, NaN for one), `_low`, `_high` (95% interval over images of the scores averaged over seeds, NaN where too
    few), and its place among the experiments that are ranked (`ranks.standings`; blank for fakes). n_missing sums over
    seeds; ERRORS are sums over images, averaged over seeds.
    """
    places = ranks.standings(compared.only(ranks.ranked(board)))
    unranked = {f"{score}{suffix}": "" for score in SCORES for suffix in ranks.SUFFIXES}
    rows = []
    for name, runs in board.experiments.items():
        row = {"n_seeds": len(runs), "other_scores": "", "reference": "", **_about(board, runs)}
        row |= compared.cells(name) | _spreads(board, runs) | places.get(name, unranked)
        row |= {error: float(np.mean([run.counts[error].sum() for run in runs])) for error in ERRORS}
        rows.append(row | {"unit": compared.unit, "n_units": compared.n_units, "flag": ""})
    return _ranked(rows, SUMMARY_COLUMNS, ["experiment"])


def published_rows(board: Board) -> pd.DataFrame:
    """Published rows of the leaderboard, all cells text (`published.rows`); none where it names no facts."""
    key = board.config["published"]
    if key is None:
        return pd.DataFrame(columns=list(published.COLUMNS))
    return published.rows(key, board.config["metrics"], board.place)


def csv_text(table: pd.DataFrame, then: pd.DataFrame | None = None) -> str:
    """CSV of a table with six decimals and blanks for NaN, followed by rows that are text already."""
    cells = table.map(_cell)
    if then is not None:
        cells = pd.concat([cells, then.reindex(columns=cells.columns, fill_value="")])
    return cells.to_csv(index=False, lineterminator="\n")


def _spreads(board: Board, runs: list[Run]) -> dict[str, float]:
    per_seed = [image_scores(run.counts, board.config["metrics"]).mean() for run in runs]
    return {f"{score}_spread": value for score, value in statistics.spread(pd.DataFrame(per_seed)).items()}


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
        "note": first.note,
    }


def _ranked(rows: list[dict[str, Any]], columns: list[str], names: list[str]) -> pd.DataFrame:
    order = sorted(rows, key=lambda row: (-row[MAIN], *(row[name] for name in names)))
    return pd.DataFrame(order, columns=columns)


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6f}"
    return str(value)
