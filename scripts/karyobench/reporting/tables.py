"""Leaderboards for people: the cells of their tables, and a Markdown page of these."""

from typing import Any

import numpy as np
import pandas as pd

from karyobench.metrics.kinds import ERRORS
from karyobench.reporting import reproduction
from karyobench.reporting.captions import facts, score_labels, title
from karyobench.reporting.cells import Cells, markdown_table
from karyobench.reporting.runs import FAKE, Board

_ERRORS = dict(zip(ERRORS, ("predicted", "missed", "false", "merged", "split"), strict=True))
_COUNTED = {"objects": "Objects over all images", "points": "Points over all images", "classes": "Images"}
_REPRODUCED = "Figures of papers beside those of our experiments of the same systems. Verdicts:"
_PUBLISHED = "Taken from papers, not measured here; compare only as the last column says."


def markdown(board: Board, summary: pd.DataFrame, published: pd.DataFrame, against: pd.DataFrame) -> str:
    """The leaderboard as a Markdown page: measured table, facts, systems, and published figures apart.

    published: `published.rows`. against: `reproduction.table`.
    """
    tasks = {run.experiment: f"{run.system}. {run.task}" for run in board.runs}
    told = facts(board)
    warnings = [text for _, text in told if text.startswith(("PSEUDO-TRUTH", "NOT THE WHOLE", "LEAKS"))]
    parts = [
        f"# {title(board)}",
        *(f"> **{text}.**" for text in warnings),
        markdown_table(*measured_cells(board, summary)),
        "\n".join(f"- **{name}**: {text}." for name, text in told if text not in warnings),
        "## Errors",
        errors_told(board),
        markdown_table(*error_cells(board, summary)),
        "## Systems",
        "\n".join(f"- `{name}`: {task}" for name, task in tasks.items()),
    ]
    if not published.empty:
        parts += ["## Published and measured", f"{_REPRODUCED} {reproduction.RULE}.", not_run(against)]
        parts += [markdown_table(*reproduction_cells(against))] if measured_against(against).size else []
        parts += ["## Published figures", _PUBLISHED, markdown_table(*published_cells(board, published))]
    return "\n\n".join(part for part in parts if part) + "\n"


def measured_cells(board: Board, summary: pd.DataFrame) -> tuple[Cells, str]:
    """Cells and alignment of the measured table, scores with three decimals; the main one's interval if it has one.

    The rank and the difference to the best are by the main score, each with its interval; fakes have none.
    """
    labels = score_labels(board)
    main, *others = labels.values()
    interval = [f"{main} 95% interval"] if summary[f"{board.kind.main}_low"].notna().any() else []
    header = ["experiment", "rank", main, *interval, f"{main} minus best", *others]
    header += ["seeds", "steps", "device", "missing"]
    rows = [_measured_row(row, list(labels), bool(interval)) for row in summary.to_dict("records")]
    return [header, *rows], "l" + "r" * (len(header) - 1)


def errors_told(board: Board) -> str:
    """What the columns of `error_cells` are."""
    if board.kind.classes:
        return f"{counted(board)}: true class, then the class that was told, or none."
    rules = "; ".join(f"{_ERRORS.get(error, error)}: {rule}" for error, rule in board.kind.errors.items())
    return f"{counted(board)}. {rules}."


def error_cells(board: Board, summary: pd.DataFrame) -> tuple[Cells, str]:
    """Cells and alignment of the counts of objects or points by error, or of images by true and told class."""
    named = {name: name.replace("_as_", " as ") for name in board.kind.totals(board.images)} | _ERRORS
    counted = [name for name in summary if name in board.kind.totals(board.images)]
    rows = [[row["experiment"], *(f"{row[name]:.10g}" for name in counted)] for row in summary.to_dict("records")]
    return [["experiment", *(named[name] for name in counted)], *rows], "l" + "r" * len(counted)


def measured_against(against: pd.DataFrame) -> pd.DataFrame:
    """Rows of the reproduction table whose system has an experiment here."""
    return against[against["verdict"] != reproduction.NOT_RUN]


def not_run(against: pd.DataFrame) -> str:
    """A line on the published figures whose systems have no experiment here; blank where all have one."""
    left = against[against["verdict"] == reproduction.NOT_RUN]
    return f"Not run here: {left['system'].nunique()} published systems with {len(left)} figures." if len(left) else ""


def reproduction_cells(against: pd.DataFrame) -> tuple[Cells, str]:
    """Cells and alignment of the published figures beside what is measured of the same systems."""
    header = [
        *("system (published)", "score", "published", "experiment", "measured", "difference", "steps"),
        *("steps of the paper", "device", "measured on", "verdict"),
    ]
    rows = []
    for row in measured_against(against).to_dict("records"):
        score = f"{row['metric']} ({row['stratum'].replace('=', ' ')})" if row["stratum"] else row["metric"]
        figures = [_number(row["measured"], "{:.3f}"), _number(row["difference"], "{:+.3f}")]
        budget = [str(row["steps"]), row["published_steps"] or "not known", row["device"]]
        about = [row["system"], score, row["published"], row["experiment"]]
        rows.append([*about, *figures, *budget, row["measured_on"], row["verdict"]])
    return [header, *rows], "llrlrrrrllt"


def published_cells(board: Board, published: pd.DataFrame) -> tuple[Cells, str]:
    """Cells and alignment of the published figures, each with its images, source and comparability."""
    scores = [score for score in board.kind.scores if published[score].any()]
    labels = score_labels(board)
    header = [
        "system (published)",
        *(labels[score] for score in scores),
        "other scores",
        "images",
        "source",
        "comparability",
    ]
    columns = ["experiment", *scores, "other_scores", "split", "reference", "note"]
    rows = [[row[name] or "-" for name in columns] for row in published.to_dict("records")]
    for cells, flag in zip(rows, published["flag"], strict=True):
        cells[0] += f" [{flag}]" if flag else ""
    return [header, *rows], "l" + "r" * len(scores) + "lttt"


def counted(board: Board) -> str:
    return f"{_COUNTED[board.kind.name]}, averaged over seeds"


def _measured_row(row: dict[str, Any], scores: list[str], interval: bool) -> list[str]:
    name = f"{row['experiment']} (fake)" if row["note"] == FAKE else row["experiment"]
    main, *others = [_with_spread(row, score) for score in scores]
    between = [f"{row[f'{scores[0]}_low']:.3f} to {row[f'{scores[0]}_high']:.3f}"] if interval else []
    budget = [str(row[key]) for key in ("n_seeds", "steps", "device", "n_missing")]
    return [name, _rank(row, scores[0]), main, *between, _behind(row, scores[0]), *others, *budget]


def _rank(row: dict[str, Any], main: str) -> str:
    """`2 (1 to 3)`, without the interval where there is none; `-` for a row that is not ranked."""
    rank, low, high = (row[f"{main}{suffix}"] for suffix in ("_rank", "_rank_low", "_rank_high"))
    return f"{rank} ({low} to {high})" if low != "" else str(rank) or "-"


def _behind(row: dict[str, Any], main: str) -> str:
    """`-0.021 (-0.040 to 0.003)`; `best`, or `-` for a row that is not ranked."""
    if row[f"{main}_rank"] == "":
        return "-"
    if row[f"{main}_rank"] == 1:
        return "best"
    difference, low, high = (row[f"{main}_difference{end}"] for end in ("", "_low", "_high"))
    return f"{difference:.3f}" if np.isnan(low) else f"{difference:.3f} ({low:.3f} to {high:.3f})"


def _number(value: Any, form: str) -> str:
    return "-" if value == "" or np.isnan(value) else form.format(value)


def _with_spread(row: dict[str, Any], score: str) -> str:
    spread = row[f"{score}_spread"]
    return f"{row[score]:.3f}" if pd.isna(spread) else f"{row[score]:.3f} ± {spread:.3f}"
