"""Counts of the gland segmentation challenge (Sirinukunwattana et al., Medical Image Analysis 35, 2017)."""

import math
from typing import NamedTuple

import numpy as np

from karyobench.metrics.contingency import Contingency


class GlasCounts(NamedTuple):
    """Objects detected (tp), false (fp) and missed (fn) by the challenge's rule."""

    tp: int
    fp: int
    fn: int


class SideSums(NamedTuple):
    """Sum over the objects of each side of their area times their agreement with the partner."""

    truth: float
    predicted: float


def glas_counts(table: Contingency) -> GlasCounts:
    """A predicted object is a detection if it covers at least half of the truth object that it overlaps most.

    Two halves of one truth object are one detection and one false object.
    """
    pairs, (_, partner) = table.overlaps, table.largest_overlaps
    truth = pairs.truth[partner]
    tp = np.unique(truth[2 * pairs.intersection[partner] >= table.truth_areas[truth]]).size
    return GlasCounts(tp, table.n_pred - tp, table.n_true - tp)


def object_dice_sums(table: Contingency) -> SideSums:
    """Area times Dice of each object with the object that it overlaps most, Dice being 0 without one."""
    pairs, sides = table.overlaps, table.largest_overlaps
    total = pairs.intersection + pairs.union
    dice = 2 * pairs.intersection / total
    areas = (table.truth_areas[pairs.truth], table.predicted_areas[pairs.predicted])
    # fsum is exact, so the sum does not depend on how the objects are numbered.
    return SideSums(*(math.fsum((area[side] * dice[side]).tolist()) for area, side in zip(areas, sides, strict=True)))
