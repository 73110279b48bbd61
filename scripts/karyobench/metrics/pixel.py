"""Pixel confusion of nucleus against background."""

from typing import NamedTuple

import numpy as np

from karyobench.metrics.contingency import Contingency


class PixelCounts(NamedTuple):
    """Pixels of an image by truth and prediction, nucleus being the positive class."""

    tp: int
    fp: int
    fn: int
    tn: int


def pixel_counts(table: Contingency) -> PixelCounts:
    """Pixels of any object against background, whichever object they belong to."""
    true, predicted = table.truth > 0, table.predicted > 0
    cells = (true & predicted, ~true & predicted, true & ~predicted, ~true & ~predicted)
    return PixelCounts(*(int(np.sum(table.pixels, where=cell)) for cell in cells))
