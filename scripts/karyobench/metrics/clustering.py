"""Pairs of pixels that truth and prediction put together or apart, for the Rand index and its adjusted form."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from karyobench.metrics.contingency import Contingency


class PixelPairs(NamedTuple):
    """Unordered pairs of pixels: in one object (or the background) of both maps, of the truth, of the prediction; all.

    chance: pairs together in both that are expected when the objects keep their sizes and the pixels are shuffled.
    """

    both: int
    truth: int
    predicted: int
    all: int
    chance: float


def pixel_pairs(table: Contingency, within: str = "all") -> PixelPairs:
    """Pairs of pixels of an image, background being one cluster on each side (Hubert and Arabie, 1985).

    within: `all` pixels, those of `truth` objects alone, or those of the `union` of truth and predicted objects.
    """
    kept = {
        "all": np.ones(table.pixels.size, bool),
        "truth": table.truth > 0,
        "union": (table.truth > 0) | (table.predicted > 0),
    }[within]
    pixels = table.pixels[kept]
    truth = np.bincount(table.truth[kept], pixels).astype(np.int64)
    predicted = np.bincount(table.predicted[kept], pixels).astype(np.int64)
    both, true, pred = (int((n * (n - 1) // 2).sum()) for n in (pixels, truth, predicted))
    count = int(pixels.sum())
    every = count * (count - 1) // 2
    return PixelPairs(both, true, pred, every, float(Fraction(true * pred, every)) if every else 0.0)
