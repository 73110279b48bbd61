"""Scores of a leaderboard's experiments on parts of its images: by organ, staining, patient, object size, density."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from karyobench.metrics.kinds import Kind
from karyobench.reporting import ranks, statistics
from karyobench.reporting.runs import LONGEST_SIDE, Board

ATTRIBUTES = (
    *("image_type", "organ", "collection", "label", "subtype", "magnification", "grade", "scanner", "centre"),
    *(LONGEST_SIDE, "group"),
)

_BINS = 4
_FEWEST_IN_A_BIN = 2
_NO_OBJECTS = "no objects"
_MEGAPIXEL = 1_000_000


class Stratum(NamedTuple):
    """Part of a leaderboard's images. range: what its name stands for. images: boolean, one per row of the counts."""

    by: str
    name: str
    range: str
    images: np.ndarray


def columns(kind: Kind) -> list[str]:
    """Columns of `table`."""
    return [
        *("by", "stratum", "range", "experiment", "system", "n_seeds", "n_images", *kind.sizes),
        *(f"{score}{suffix}" for score in kind.scores for suffix in ("", "_low", "_high")),
        "note",
    ]


def table(board: Board) -> pd.DataFrame:
    """Scores of every experiment in every stratum, see `columns`; strata in order, experiments by name within one.

    Each score is of the stratum's images, averaged over seeds, with the 95% interval over images or groups.
    """
    rows = [row for stratum in strata(board) for row in _rows(board, stratum)]
    return pd.DataFrame(rows, columns=columns(board.kind))


def strata(board: Board) -> list[Stratum]:
    """By each attribute of ATTRIBUTES that takes several values, then by the size and density of the truth's objects.

    Images of classes have no objects, and their class is no stratum: the recalls tell of it. Points have no size.
    `group` counts where groups hold several images. Size is the mean area of an image's objects in pixels, density the
    number of objects per megapixel; both come from the counts, without pixels that the truth says nothing of.
    """
    counts, kind = board.images, board.kind
    by = [name for name in ATTRIBUTES if name != "label" or not kind.classes]
    found = [part for name in by for part in _by_attribute(board, name)]
    if kind.foreground:
        sizes = kind.foreground(counts) / counts["n_true"].where(counts["n_true"] > 0)
        found += _by_quartile("object_size", sizes.to_numpy(float), "pixels per object")
    if kind.pixels:
        density = (counts["n_true"] * _MEGAPIXEL / kind.pixels(counts)).where(counts["n_true"] > 0)
        found += _by_quartile("density", density.to_numpy(float), "objects per megapixel")
    return found


def _by_attribute(board: Board, name: str) -> Iterator[Stratum]:
    if name == "group" and statistics.units(board.images["group"].tolist())[0] == "images":
        return
    values = np.array([_text(about.get(name)) for about in board.attributes])
    if len(set(values)) > 1:
        for value in sorted(set(values)):
            yield Stratum(name, value, "", values == value)


def _text(value: Any) -> str:
    return "not stated" if value is None or value == "" else str(value)


def _by_quartile(by: str, values: np.ndarray, unit: str) -> Iterator[Stratum]:
    """Bins of about equally many images, of two at least; equal values share a bin. NaN is an image without objects."""
    known = np.isfinite(values)
    bins = min(_BINS, int(known.sum()) // _FEWEST_IN_A_BIN)
    if not bins:
        return
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.where(known, np.searchsorted(edges, values), -1)
    filled = sorted(set(bin_of[known].tolist()))
    if len(filled) < 2:
        return
    for number, each in enumerate(filled, 1):
        inside = bin_of == each
        bounds = f"{values[inside].min():.1f} to {values[inside].max():.1f} {unit}"
        yield Stratum(by, f"{number} of {len(filled)}", bounds, inside)
    if not known.all():
        yield Stratum(by, _NO_OBJECTS, "", ~known)


def _rows(board: Board, stratum: Stratum) -> Iterator[dict[str, Any]]:
    counts, compared = board.images[stratum.images], ranks.comparison(board, stratum.images)
    about = {"by": stratum.by, "stratum": stratum.name, "range": stratum.range}
    about |= {"n_images": len(counts), **{name: int(counts[of].sum()) for name, of in board.kind.sizes.items()}}
    for name, runs in sorted(board.experiments.items()):
        system = {"experiment": name, "system": runs[0].system, "n_seeds": len(runs), "note": runs[0].note}
        yield about | system | compared.cells(name)
