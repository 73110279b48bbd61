"""Scores per experiment and seed, and their summary per experiment; pure aggregation of counts per image."""

from typing import Any

import numpy as np
import pandas as pd

from karyobench.metrics.kinds import Kind
from karyobench.reporting import published, ranks, statistics
from karyobench.reporting.runs import Board, Run
from karyobench.reporting.statistics import Comparison

TUNING = "none in this run: parameters are fixed in the configuration"
TUNING_TRAINED = f"{TUNING}; checkpoint by validation loss"

_FACTS = ["source", "dataset", "split", "truth", "subset", "tuning", "note"]


def measured_columns(kind: Kind) -> list[str]:
    """Columns of `measured` but for the sums at its end."""
    pooled = [f"{score}_micro" for score in kind.scores] if kind.pooled else []
    about = [*kind.sizes, "n_missing", "system", "steps", "device", *_FACTS]
    return ["experiment", "seed", "n_images", *kind.scores, *pooled, *about]


def summary_columns(kind: Kind) -> list[str]:
    """Columns of `summary` but for the sums at its end."""
    return [
        *("experiment", "source", "n_seeds", "n_images"),
        *(f"{score}{suffix}" for score in kind.scores for suffix in ("", "_spread", "_low", "_high")),
        *(*kind.sizes, "n_missing", "system", "steps", "device", "other_scores", "reference", *_FACTS[1:]),
        *(f"{score}{suffix}" for score in kind.scores for suffix in ranks.SUFFIXES),
        *("unit", "n_units", "flag"),
    ]


def measured(board: Board) -> pd.DataFrame:
    """One row per experiment and seed, columns `measured_columns` and the sums, highest main score first.

    Score columns are of all images together, of objects macro (mean of per-image scores); those that end in `_micro`
    are of pooled counts. n_missing counts images without a prediction; the sums are `kind.totals`.
    """
    kind, metrics = board.kind, board.config["metrics"]
    rows = []
    for run in board.runs:
        row = {"seed": run.seed, **_about(board, [run]), **kind.overall(run.counts, metrics)}
        if kind.pooled:
            row |= {f"{score}_micro": value for score, value in kind.pooled(run.counts, metrics).items()}
        rows.append(row | kind.totals(run.counts))
    return _ranked(rows, board, measured_columns(kind), ["experiment", "seed"])


def summary(board: Board, compared: Comparison) -> pd.DataFrame:
    """One row per experiment, columns `summary_columns` and the sums, highest main score first.

    compared: `ranks.comparison` of the board. Each score has its mean over seeds, `_spread` (standard deviation over
    seeds, NaN for one), `_low`, `_high` (95% interval over images of the scores averaged over seeds, NaN where too
    few), and its place among the experiments that are ranked (`ranks.standings`; blank for fakes). n_missing sums over
    seeds; the sums, `kind.totals`, are averaged over seeds.
    """
    places = ranks.standings(compared.only(ranks.ranked(board)))
    unranked = {f"{score}{suffix}": "" for score in board.kind.scores for suffix in ranks.SUFFIXES}
    rows = []
    for name, runs in board.experiments.items():
        row = {"n_seeds": len(runs), "other_scores": "", "reference": "", **_about(board, runs)}
        row |= compared.cells(name) | _spreads(board, runs) | places.get(name, unranked)
        row |= {"unit": compared.unit, "n_units": compared.n_units, "flag": ""}
        rows.append(row | pd.DataFrame([board.kind.totals(run.counts) for run in runs]).mean().to_dict())
    return _ranked(rows, board, summary_columns(board.kind), ["experiment"])


def published_rows(board: Board) -> pd.DataFrame:
    """Published rows of the leaderboard, all cells text (`published.rows`); none where it names no facts."""
    key = board.config["published"]
    if key is None:
        return pd.DataFrame(columns=list(published.columns(board.kind.scores)))
    return published.rows(key, board.config["metrics"], board.place, board.kind.scores)


def csv_text(table: pd.DataFrame, then: pd.DataFrame | None = None) -> str:
    """CSV of a table with six decimals and blanks for NaN, followed by rows that are text already."""
    cells = table.map(_cell)
    if then is not None:
        cells = pd.concat([cells, then.reindex(columns=cells.columns, fill_value="")])
    return cells.to_csv(index=False, lineterminator="\n")


def _spreads(board: Board, runs: list[Run]) -> dict[str, float]:
    per_seed = [board.kind.overall(run.counts, board.config["metrics"]) for run in runs]
    return {f"{score}_spread": value for score, value in statistics.spread(pd.DataFrame(per_seed)).items()}


def _about(board: Board, runs: list[Run]) -> dict[str, Any]:
    first = runs[0]
    return {
        **{"experiment": first.experiment, "system": first.system, "source": "measured"},
        **{"steps": first.steps, "device": "; ".join(sorted({run.device for run in runs}))},
        "n_images": len(first.counts),
        **{name: int(first.counts[column].sum()) for name, column in board.kind.sizes.items()},
        "n_missing": int(sum(run.counts["missing"].sum() for run in runs)),
        **{"dataset": board.config["dataset"], "split": board.config["split"], "subset": board.subset},
        "truth": board.config["dataset_facts"]["truth"],
        "tuning": TUNING_TRAINED if first.trained else TUNING,
        "note": first.note,
    }


def _ranked(rows: list[dict[str, Any]], board: Board, columns: list[str], names: list[str]) -> pd.DataFrame:
    """Rows in order, their columns followed by the sums that they have beside these."""
    order = sorted(rows, key=lambda row: (-row[board.kind.main], *(row[name] for name in names)))
    return pd.DataFrame(order, columns=[*columns, *(name for name in rows[0] if name not in columns)])


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6f}"
    return str(value)
