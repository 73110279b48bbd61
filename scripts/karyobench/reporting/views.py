"""What the pages say about a leaderboard, as plain records for the templates; no HTML here."""

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from karyobench.errors import KaryobenchError
from karyobench.metrics.scores import SCORES
from karyobench.reporting import captions, tables
from karyobench.reporting.curves import Bar
from karyobench.reporting.entries import Entry
from karyobench.reporting.runs import Board

Record = dict[str, Any]

_SCORE = re.compile(rf"({'|'.join(SCORES)})(_micro|_spread|_low|_high)?")


def read_table(path: str) -> list[Record]:
    """Rows of a leaderboard's CSV: text, but the scores of measured rows as floats (NaN where blank).

    Published figures stay text: they keep the digits that were printed.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a leaderboard ({error}); run leaderboard again") from None
    return [_with_numbers(row) if row["source"] == "measured" else row for row in table.to_dict("records")]


def competitors(summary: Iterable[Record]) -> list[Record]:
    """Measured rows of systems that compete: neither published nor fake."""
    return [row for row in summary if row["source"] == "measured" and not _fake(row)]


def measured(summary: Iterable[Record]) -> list[Record]:
    """Measured rows with `fake` and, under `best`, the scores in which the row leads the competitors."""
    summary = list(summary)
    rivals = competitors(summary)
    top = {score: max((row[score] for row in rivals), default=None) for score in SCORES}
    return [
        {**row, "fake": _fake(row), "best": [s for s in SCORES if not _fake(row) and row[s] == top[s]]}
        for row in summary
        if row["source"] == "measured"
    ]


def published(board: Board, summary: Iterable[Record]) -> tuple[tables.Cells, str]:
    """Cells (header first) and alignment of the published rows, as in the tables for papers; nothing without any."""
    rows = [row for row in summary if row["source"] == "published"]
    return tables.published_cells(board, pd.DataFrame(rows)) if rows else ([], "")


def leads(board: Board, summary: Iterable[Record]) -> list[Record]:
    """Who leads in AJI and in F1, and by how much: label, score, first and second row (None without a rival)."""
    rivals = competitors(summary)
    labels = captions.score_labels(board)
    told = []
    for score in ("aji", "f1") if rivals else ():
        ranked = sorted(rivals, key=lambda row: (-row[score], row["experiment"]))
        told.append({"label": labels[score], "score": score, "first": ranked[0], "second": (*ranked[1:2], None)[0]})
    return told


def bars(summary: Iterable[Record]) -> list[Bar]:
    """Bars of the measured rows in the order of the summary, fakes last."""
    return [
        Bar(
            f"{row['experiment']} (fake)" if row["fake"] else row["experiment"],
            *(row["aji"], row["f1"], _interval(row, "aji"), _interval(row, "f1"), row["fake"]),
        )
        for row in sorted(measured(summary), key=lambda row: row["fake"])
    ]


def warnings(board: Board) -> list[tuple[str, str]]:
    """Facts that a reader must meet before any number: pseudo-truth, synthetic data, a subset."""
    loud = {"Subset"} if board.config["dataset_facts"]["truth"] == "manual" else {"Subset", "Truth"}
    return [(name, text) for name, text in captions.facts(board) if name in loud]


def minutes(entries: Iterable[Entry]) -> float | None:
    """Mean training time of the seeds of one experiment, or None where nothing was trained."""
    told = [entry.training["minutes"] for entry in entries if entry.training]
    return sum(told) / len(told) if told else None


def _with_numbers(row: Record) -> Record:
    return {name: float(cell or "nan") if _SCORE.fullmatch(name) else cell for name, cell in row.items()}


def _fake(row: Record) -> bool:
    return row["system"].startswith("oracle_")


def _interval(row: Record, score: str) -> tuple[float, float] | None:
    ends = row[f"{score}_low"], row[f"{score}_high"]
    return None if pd.isna(ends[0]) else ends
