"""Scores of a leaderboard's experiments on parts of its images: by organ, staining, patient, object size, density."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from karyobench.metrics.scores import SCORES
from karyobench.reporting import ranks, statistics
from karyobench.reporting.runs import Board

ATTRIBUTES = (
    *("image_type", "organ", "collection", "label", "subtype", "magnification", "grade", "scanner", "centre"),
    "group",
)
COLUMNS = [
    *("by", "stratum", "range", "experiment", "system", "n_seeds", "n_images", "n_nuclei"),
    *(f"{score}{suffix}" for score in SCORES for suffix in ("", "_low", "_high")),
    "note",
]

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


def table(board: Board) -> pd.DataFrame:
    """Scores of every experiment in every stratum, columns COLUMNS; strata in order, experiments by name within one.

    Each score is the mean over the stratum's images and over seeds, with the 95% interval over images or groups.
    """
    scores = {name: ranks.seed_mean(board, runs, SCORES) for name, runs in board.experiments.items()}
    rows = [row for stratum in strata(board) for row in _rows(board, stratum, scores)]
    return pd.DataFrame(rows, columns=COLUMNS)


def strata(board: Board) -> list[Stratum]:
    """By each attribute of ATTRIBUTES that takes several values, then by the size and density of the truth's objects.

    `group` counts where groups hold several images. Size is the mean area of an image's objects in pixels, density the
    number of objects per megapixel; both come from the counts, without pixels that the truth says nothing of.
    """
    found = [part for name in ATTRIBUTES for part in _by_attribute(board, name)]
    counts = board.images
    area, objects = counts["pixel_tp"] + counts["pixel_fn"], counts["n_true"]
    pixels = area + counts["pixel_fp"] + counts["pixel_tn"]
    sizes = np.divide(area, objects, out=np.full(len(counts), np.nan), where=objects.to_numpy() > 0)
    found += _by_quartile("object_size", np.asarray(sizes, float), "pixels per object")
    density = (objects * _MEGAPIXEL / pixels).where(objects > 0)
    return found + list(_by_quartile("density", density.to_numpy(float), "objects per megapixel"))


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


def _rows(board: Board, stratum: Stratum, scores: dict[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    counts = board.images[stratum.images]
    within = {name: table[stratum.images] for name, table in scores.items()}
    compared = statistics.compare(within, counts["group"].tolist())
    about = {"by": stratum.by, "stratum": stratum.name, "range": stratum.range}
    about |= {"n_images": len(counts), "n_nuclei": int(counts["n_true"].sum())}
    for name, runs in sorted(board.experiments.items()):
        system = {"experiment": name, "system": runs[0].system, "n_seeds": len(runs), "note": runs[0].note}
        yield about | system | compared.cells(name)
