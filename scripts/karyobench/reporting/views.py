"""What the pages say about a leaderboard, as plain records for the templates; no HTML here."""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from karyobench.errors import KaryobenchError
from karyobench.metrics.class_scores import RATES, RECALL
from karyobench.metrics.kinds import NAMES, main_of
from karyobench.metrics.point_scores import SCORES as POINT_SCORES
from karyobench.reporting import captions, tables
from karyobench.reporting.cells import Cells
from karyobench.reporting.curves import Interval
from karyobench.reporting.entries import Entry
from karyobench.reporting.runs import Board

Record = dict[str, Any]

ERRORS = {
    "objects": {"missed": "missed", "false": "false", "merges": "merged", "splits": "split"},
    "points": {"matched": "right", "missed": "missed", "false": "false"},
    "classes": {},
}
"""Columns of the kinds of errors, and their names in the gallery, by what is scored."""

_ENDS = "(_low|_high)?"
_MEASURED = re.compile(
    rf"({'|'.join(map(re.escape, (*NAMES, *POINT_SCORES, *RATES)))}|{RECALL}(?!.*_tied$).+?)"
    rf"(_micro|_spread|(_rank|_difference)?{_ENDS})"
    rf"|(measured|difference|mean_rank){_ENDS}|wins"
    rf"|n_pred|{'|'.join(column for columns in ERRORS.values() for column in columns)}|.+_as_.+"
)
_VERDICT = re.compile(r"(reproduced|not comparable|.*?)((?: within| because) .*)?")
_COUNTS = ("seed", "n_seeds", "n_images", "n_nuclei", "n_points", "n_missing", "n_units", "steps")


def read_table(path: str) -> list[Record]:
    """Rows of one of a leaderboard's CSV files, as `rows`. Raises KaryobenchError naming a file that is none."""
    try:
        return rows(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a leaderboard ({error}); run leaderboard again") from None


def rows(text: str) -> list[Record]:
    """Rows of a table in CSV: text, but what was measured here as floats (NaN where blank).

    Published figures stay text: they keep the digits that were printed.
    """
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    return [_with_numbers(row) if row.get("source") != "published" else row for row in table.to_dict("records")]


def plain(listed: Iterable[Record]) -> list[Record]:
    """The same rows for programs: a measured cell that is a number as such, a blank one as None, all else text."""
    return [{name: _plain(name, cell) for name, cell in row.items()} for row in listed]


def competitors(summary: Iterable[Record]) -> list[Record]:
    """Measured rows of systems that compete: neither published nor fake."""
    return [row for row in measured(summary) if not row["fake"]]


def measured(listed: Iterable[Record]) -> list[Record]:
    """Measured rows with `fake`, `kind` of system and, under `best`, the scores in which the row is the best."""
    return [
        {**row, "fake": _fake(row), "kind": _kind(row), "best": [s for s in row if _best(row, s)]}
        for row in listed
        if row["source"] == "measured"
    ]


def _best(row: Record, score: str) -> bool:
    """Whether no row that competes is better; told without intervals too, where too few images leave them blank."""
    return not _fake(row) and row.get(f"{score}_difference") == 0


def published(board: Board, summary: Iterable[Record]) -> tuple[Cells, str]:
    """Cells (header first) and alignment of the published rows, as in the tables for papers; nothing without any."""
    printed = [row for row in summary if row["source"] == "published"]
    return tables.published_cells(board, pd.DataFrame(printed)) if printed else ([], "")


def verdict(board: Board, summary: Iterable[Record], pairs: Iterable[Record]) -> Record | None:
    """Who leads in the main score, by how much and how sure; None where nobody competes.

    label, score, first and second row (None without a rival), ahead: share of draws in which the first stays ahead of
    the second, level: rivals that cannot be told from the first, elsewhere: who is the best in which other
    scores (labels), where it is not.
    """
    main = board.kind.main
    rivals = sorted(competitors(summary), key=lambda row: (-row[main], row["experiment"]))
    if not rivals:
        return None
    first, second = rivals[0], (*rivals[1:2], None)[0]
    labels = captions.score_labels(board)
    return {
        **{"label": labels[main], "score": main, "first": first, "second": second},
        "ahead": _ahead(pairs, main, first, second) if second else None,
        "level": [row["experiment"] for row in rivals[1:] if row[f"{main}_tied"] == "yes"],
        "elsewhere": _elsewhere(rivals, labels),
    }


def strata(listed: Sequence[Record], summary: Iterable[Record]) -> list[Record]:
    """Per kind of stratum a table: its title, its strata (a row of each), and each experiment's rows in them.

    Experiments stand as in the summary, fakes last. Rows have `fake`, and `best`: whether none that competes has a
    higher main score in the stratum.
    """
    order = [row["experiment"] for row in sorted(measured(summary), key=lambda row: row["fake"])]
    made = []
    for by in dict.fromkeys(row["by"] for row in listed):
        chosen = [{**row, "fake": _fake(row)} for row in listed if row["by"] == by]
        names = list(dict.fromkeys(row["stratum"] for row in chosen))
        main = main_of(chosen[0])
        top = {n: max((r[main] for r in chosen if r["stratum"] == n and not r["fake"]), default=None) for n in names}
        cells = {(r["experiment"], r["stratum"]): {**r, "best": r[main] == top[r["stratum"]]} for r in chosen}
        table = [[cells[experiment, name] for name in names] for experiment in order]
        made.append({"title": by.replace("_", " "), "strata": table[0], "rows": table})
    return made


def reproduction(listed: Iterable[Record]) -> list[Record]:
    """Rows of the reproduction table; their verdict is parted into its `outcome` and the `reason`."""
    return [
        {
            **{**row, "stratum": row["stratum"] or "all images"},
            **dict(zip(("outcome", "reason"), _VERDICT.fullmatch(row["verdict"]).groups(), strict=True)),
        }
        for row in listed
    ]


def intervals(summary: Iterable[Record]) -> list[Interval]:
    """The competitors' main scores in order, best first."""
    rivals = competitors(summary)
    if not rivals:
        return []
    main = main_of(rivals[0])
    return [
        Interval(row["experiment"], row[main], _ends(row, main), _best(row, main) or row[f"{main}_tied"] == "yes")
        for row in sorted(rivals, key=lambda row: (-row[main], row["experiment"]))
    ]


def warnings(board: Board) -> list[tuple[str, str]]:
    """Facts that a reader must meet before any number: pseudo-truth, synthetic data, a subset, a split that leaks."""
    loud = {"Subset", "Split"} | (set() if board.config["dataset_facts"]["truth"] == "manual" else {"Truth"})
    return [(name, text) for name, text in captions.facts(board) if name in loud]


def badges(board: Board) -> list[str]:
    """The same facts in a word each."""
    truth = {"pseudo": "pseudo-truth", "synthetic": "synthetic"}.get(board.config["dataset_facts"]["truth"])
    return [word for word in (truth, "subset" if board.subset else None, "leaks" if board.shared else None) if word]


def minutes(entries: Iterable[Entry]) -> float | None:
    """Mean training time of the seeds of one experiment, or None where nothing was trained."""
    told = [entry.training["minutes"] for entry in entries if entry.training]
    return sum(told) / len(told) if told else None


def _ahead(pairs: Iterable[Record], main: str, first: Record, second: Record) -> float | None:
    names = (main, first["experiment"], second["experiment"])
    found = (row["wins"] for row in pairs if (row["score"], row["experiment"], row["versus"]) == names)
    return next(found, None)


def _elsewhere(rivals: Sequence[Record], labels: dict[str, str]) -> dict[str, list[str]]:
    led: dict[str, list[str]] = {}
    for score, label in labels.items():
        names = [row["experiment"] for row in rivals if score in row["best"]]
        if names and score not in rivals[0]["best"]:
            led.setdefault(" and ".join(names), []).append(label)
    return led


def _with_numbers(row: Record) -> Record:
    return {name: float(cell or "nan") if _MEASURED.fullmatch(name) else cell for name, cell in row.items()}


def _plain(name: str, cell: Any) -> Any:
    if isinstance(cell, str):
        return int(cell) if name in _COUNTS and cell else cell or None
    return None if pd.isna(cell) else cell


def _fake(row: Record) -> bool:
    return row["system"].startswith("oracle_")


def _kind(row: Record) -> str:
    if _fake(row):
        return "fake"
    return "trained" if row["steps"] != "0" else "not trained"


def _ends(row: Record, score: str) -> tuple[float, float] | None:
    ends = row[f"{score}_low"], row[f"{score}_high"]
    return None if pd.isna(ends[0]) else ends
