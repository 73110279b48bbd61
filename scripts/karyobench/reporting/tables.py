"""Leaderboards for people, as Markdown and as LaTeX, from the same cells."""

from typing import Any

import pandas as pd

from karyobench.metrics.scores import SCORES
from karyobench.reporting.captions import facts, score_labels, title
from karyobench.reporting.leaderboard import FAKE
from karyobench.reporting.runs import Board

# Header and rows. Alignment has a letter per column: l text, r number, t long text that may be broken.
Cells = list[list[str]]

_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$"},
}
_CAPTION_FACTS = ("Data", "Truth", "Subset")


def markdown(board: Board, summary: pd.DataFrame, published: pd.DataFrame) -> str:
    """The leaderboard as a Markdown page: measured table, facts, systems, and published figures apart."""
    tasks = {run.experiment: f"{run.system}. {run.task}" for run in board.runs}
    told = facts(board)
    warnings = [text for _, text in told if text.startswith(("PSEUDO-TRUTH", "NOT THE WHOLE"))]
    parts = [
        f"# {title(board)}",
        *(f"> **{text}.**" for text in warnings),
        markdown_table(*measured_cells(board, summary)),
        "\n".join(f"- **{name}**: {text}." for name, text in told if text not in warnings),
        "## Systems",
        "\n".join(f"- `{name}`: {task}" for name, task in tasks.items()),
    ]
    if not published.empty:
        parts += ["## Published figures", "Taken from papers, not measured here; compare only as the last column says."]
        parts.append(markdown_table(*published_cells(board, published)))
    return "\n\n".join(parts) + "\n"


def latex(board: Board, summary: pd.DataFrame, published: pd.DataFrame) -> str:
    """The leaderboard as one LaTeX table environment with caption and notes; needs the package booktabs."""
    told = dict(facts(board))
    caption = [board.config["name"], *(f"{name}: {told.pop(name)}" for name in _CAPTION_FACTS if name in told)]
    lines = [
        "% Needs \\usepackage{booktabs} in the preamble.",
        "\\begin{table}",
        f"\\caption{{{_escaped('. '.join(caption))}.}}",
        f"\\label{{tab:{board.config['name']}}}",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
        *_tabular(*measured_cells(board, summary)),
    ]
    if not published.empty:
        lines += ["", "\\medskip", "Published figures, not measured here:", "", "\\smallskip"]
        lines += _tabular(*published_cells(board, published))
    lines += ["", "\\medskip", "\\raggedright"]
    lines += [f"{_escaped(f'{name}: {text}')}." for name, text in told.items()]
    return "\n".join([*lines, "\\end{table}"]) + "\n"


def measured_cells(board: Board, summary: pd.DataFrame) -> tuple[Cells, str]:
    """Cells and alignment of the measured table, scores with three decimals; an AJI interval where there is one."""
    labels = score_labels(board)
    interval = ["AJI 95% interval"] if summary["aji_low"].notna().any() else []
    aji, *others = labels.values()
    header = ["experiment", aji, *interval, *others, "seeds", "steps", "device", "missing"]
    rows = [_measured_row(row, list(labels), bool(interval)) for row in summary.to_dict("records")]
    return [header, *rows], "l" + "r" * (len(header) - 1)


def published_cells(board: Board, published: pd.DataFrame) -> tuple[Cells, str]:
    """Cells and alignment of the published figures, each with its images, source and comparability."""
    scores = [score for score in SCORES if published[score].any()]
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
    return [header, *rows], "l" + "r" * len(scores) + "lttt"


def _measured_row(row: dict[str, Any], scores: list[str], interval: bool) -> list[str]:
    name = f"{row['experiment']} (fake)" if row["note"] == FAKE else row["experiment"]
    aji, *others = [_with_spread(row, score) for score in scores]
    between = [f"{row['aji_low']:.3f} to {row['aji_high']:.3f}"] if interval else []
    return [name, aji, *between, *others, *(str(row[key]) for key in ("n_seeds", "steps", "device", "n_missing"))]


def _with_spread(row: dict[str, Any], score: str) -> str:
    spread = row[f"{score}_spread"]
    return f"{row[score]:.3f}" if pd.isna(spread) else f"{row[score]:.3f} ± {spread:.3f}"


def markdown_table(cells: Cells, alignment: str) -> str:
    """Cells (header first) as a table of Markdown. alignment: a letter per column, l, r or t (text, maybe long)."""
    header, *rows = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    lines = [header, ["---:" if letter == "r" else "---" for letter in alignment], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _tabular(cells: Cells, alignment: str) -> list[str]:
    header, *rows = [" & ".join(map(_escaped, row)) + r" \\" for row in cells]
    begin = f"\\begin{{tabular}}{{{alignment.replace('t', 'p{3.2cm}')}}}"
    return [begin, "\\toprule", header, "\\midrule", *rows, "\\bottomrule", "\\end{tabular}"]


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
