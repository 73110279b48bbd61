"""Leaderboards in a terminal, from the CSV files that the workflow wrote."""

from pathlib import Path

import pandas as pd

from karyobench.errors import KaryobenchError
from karyobench.metrics.kinds import main_of

_SCORES = {
    "aji": ("aji", "f1", "ap", "pq", "dice", "pixel_accuracy"),
    "point_f1": ("point_f1", "point_precision", "point_recall", "count_error"),
    "image_rate": ("image_rate", "patient_rate", "roc_auc"),
}
"""Scores that are shown, by the main one of a leaderboard."""
_TRUTH = {"pseudo": "PSEUDO-TRUTH", "manual": "truth by people", "synthetic": "synthetic truth"}
_COUNTS = {"seed", "n_missing", "steps"}
_TIED = "* cannot be told from the best: the 95% interval of the difference in {} holds 0"
_NAMES = {"aji": "AJI", "point_f1": "F1", "image_rate": "image rate"}


def read(path: str | Path) -> pd.DataFrame:
    """A leaderboard or its summary, all cells text. Raises KaryobenchError naming a file that is none."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a leaderboard ({error}); run the study first") from None
    missing = [name for name in ("experiment", "source") if name not in table]
    if not any(name in table for name in _SCORES):
        missing.append(" or ".join(_SCORES))
    if missing:
        raise KaryobenchError(f"{path}: no column {', '.join(missing)}; give the CSV of a leaderboard or its summary")
    return table


def heading(path: str | Path, table: pd.DataFrame) -> str:
    """One line: leaderboard, split, size and kind of truth."""
    name = Path(path).stem.removesuffix("_summary")
    first = table.iloc[0]
    about = f"{first['split']} split of {first['dataset']}, {first['n_images']} images"
    about += "".join(f", {first[f'n_{what}']} {what}" for what in ("nuclei", "points") if f"n_{what}" in table)
    subset = ", SUBSET" if first["subset"] else ""
    return f"{name}: {about}, {_TRUTH[first['truth']]}{subset}"


def measured(table: pd.DataFrame) -> str:
    """The measured rows in aligned columns, scores with three decimals and their spread over seeds.

    A summary also has ranks by the main score, such as `2 (1-3)`: its interval, and an asterisk where the experiment
    cannot be told from the best.
    """
    rows = table[table["source"] == "measured"]
    main = main_of(table)
    shown = ("experiment", f"{main}_rank", "seed", *_SCORES[main], "n_missing", "steps", "device")
    columns = [name for name in shown if name in table]
    cells = [[_cell(row, name, main) for name in columns] for row in rows.to_dict("records")]
    tied = f"{main}_rank" in table and (rows[f"{main}_tied"] == "yes").any()
    told = f"\n{_TIED.format(_NAMES[main])}" if tied else ""
    return aligned([["rank" if name == f"{main}_rank" else name for name in columns], *cells]) + told


def published(table: pd.DataFrame) -> str:
    """The published rows, each with its figures and images; empty where there are none."""
    rows = table[table["source"] == "published"].to_dict("records")
    scores = _SCORES[main_of(table)]
    cells = []
    for row in rows:
        figures = [f"{name} {row[name]}" for name in scores if row[name]]
        cells.append([row["experiment"], "; ".join([*figures, row["other_scores"]]).strip("; "), row["split"]])
    return aligned([["published, not measured here", "figures", "images"], *cells]) if cells else ""


def aligned(cells: list[list[str]]) -> str:
    """Header and rows in columns, the first to the left and the others to the right, ruled below the header."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        padded = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(padded).rstrip())
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(row: dict[str, str], name: str, main: str) -> str:
    if name == "experiment":
        return f"{row[name]} (fake)" if row["note"].startswith("fake") else row[name]
    if name == f"{main}_rank":
        return _rank(row, main)
    if name in _COUNTS or name == "device":
        return row[name]
    spread = row.get(f"{name}_spread")
    return f"{float(row[name]):.3f}" + (f" ± {float(spread):.3f}" if spread else "")


def _rank(row: dict[str, str], main: str) -> str:
    """`2 (1-3)*`; the rank alone without an interval, and `-` for a row that is not ranked."""
    rank, low, high = (row[f"{main}_rank{end}"] for end in ("", "_low", "_high"))
    return f"{rank or '-'}{f' ({low}-{high})' if low else ''}{'*' if row[f'{main}_tied'] == 'yes' else ''}"
