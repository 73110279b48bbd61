"""Leaderboards in LaTeX, from the same cells as the Markdown page."""

import pandas as pd

from karyobench.reporting import tables
from karyobench.reporting.captions import facts
from karyobench.reporting.cells import Cells
from karyobench.reporting.runs import Board

_ESCAPED = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "–": "--"},
}
_CAPTION_FACTS = ("Data", "Truth", "Subset", "Split")
_HEAD = "% Needs \\usepackage{array,booktabs,graphicx,longtable} in the preamble."
_NARROW = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
_SMALL = "\\footnotesize\\setlength{\\tabcolsep}{3pt}"


def latex(board: Board, summary: pd.DataFrame, published: pd.DataFrame, against: pd.DataFrame) -> str:
    """The leaderboard as a LaTeX table no wider than the text, and published figures as tables that may break pages.

    published: `published.rows`. against: `reproduction.table`.
    """
    name, told = board.config["name"], dict(facts(board))
    caption = [name, *(f"{key}: {told.pop(key)}" for key in _CAPTION_FACTS if key in told)]
    lines = [
        _HEAD,
        "\\begin{table}",
        f"\\caption{{{_escaped('. '.join(caption))}.}}",
        f"\\label{{tab:{name}}}",
        f"\\centering{_SMALL}",
        *_fitted(*tables.measured_cells(board, summary)),
        *("", "\\medskip", f"{_escaped(tables.counted(board))}:", "", "\\smallskip"),
        *_fitted(*tables.error_cells(board, summary)),
        *("", "\\medskip", "\\raggedright"),
        *(f"{_escaped(f'{key}: {text}')}." for key, text in told.items()),
        "\\end{table}",
    ]
    if tables.measured_against(against).size:
        lines += _long(f"{name}: published figures and measured ones.", *tables.reproduction_cells(against))
    if not published.empty:
        lines += _long(f"{name}: published figures, not measured here.", *tables.published_cells(board, published))
    return "\n".join(lines) + "\n"


def _fitted(cells: Cells, alignment: str) -> list[str]:
    """A table that is scaled down where it is wider than the text."""
    header, *rows = _rows(cells)
    table = [f"\\begin{{tabular}}{{{alignment}}}", "\\toprule", header, "\\midrule", *rows]
    return [_NARROW, *table, "\\bottomrule", "\\end{tabular}}"]


def _long(caption: str, cells: Cells, alignment: str) -> list[str]:
    """A table whose columns share the text's width, text more than numbers, and which goes on over pages."""
    header, *rows = _rows(cells)
    shares = [{"t": 3, "l": 2, "r": 1}[letter] for letter in alignment]
    widths = [f"{0.98 * share / sum(shares):.3f}" for share in shares]
    columns = "".join(f">{{\\raggedright\\arraybackslash}}p{{\\dimexpr {w}\\linewidth-2\\tabcolsep}}" for w in widths)
    begin = ["", f"{{{_SMALL}", f"\\begin{{longtable}}{{{columns}}}", f"\\caption{{{_escaped(caption)}}}\\\\"]
    return [
        *begin,
        *("\\toprule", header, "\\midrule", "\\endhead", "\\bottomrule", "\\endfoot"),
        *rows,
        "\\end{longtable}}",
    ]


def _rows(cells: Cells) -> list[str]:
    return [" & ".join(map(_escaped, row)) + r" \\" for row in cells]


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)
