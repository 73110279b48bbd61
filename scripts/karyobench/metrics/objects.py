"""Object counts: matched, false and missed objects at an IoU threshold, and the two areas of each kind of AJI."""

import math
from typing import NamedTuple

import numpy as np

from karyobench.metrics.assignment import cheapest, most
from karyobench.metrics.contingency import Contingency, Overlaps
from karyobench.metrics.thresholds import exact


class MatchCounts(NamedTuple):
    """Objects of an image matched (tp), false (fp) and missed (fn), and the summed IoU of the matched pairs."""

    tp: int
    fp: int
    fn: int
    iou: float


class AjiCounts(NamedTuple):
    """Aggregated intersection and union in pixels; AJI is their quotient."""

    intersection: int
    union: int


def match_counts(table: Contingency, threshold: float, at_least: bool = False) -> MatchCounts:
    """Counts over a one-to-one matching of the pairs with IoU above the threshold, or `at_least` the threshold.

    Above 0.5 a pair is the only one of both its objects (Kirillov et al., Panoptic Segmentation, CVPR 2019); where it
    need not be, the matching has the most pairs possible and of those the largest summed IoU. Raises KaryobenchError
    for a threshold outside (0, 1).
    """
    pairs = table.overlaps
    matched = passing(pairs, threshold, at_least)
    if threshold < 0.5 or (at_least and threshold == 0.5):
        matched = matched[most(pairs.truth[matched], pairs.predicted[matched], 1 - pairs.iou[matched])]
    # fsum is exact, so the sum does not depend on how the objects are numbered.
    return MatchCounts(
        matched.size, table.n_pred - matched.size, table.n_true - matched.size, math.fsum(pairs.iou[matched].tolist())
    )


def aji_counts(table: Contingency, threshold: float | None = None, at_least: bool = False) -> AjiCounts:
    """Aggregated Jaccard index, official rule (Kumar et al., IEEE TMI 2017, and the MoNuSeg script).

    Each truth object takes the predicted object of largest IoU among those that touch it, the lowest label on ties;
    one prediction may serve several truth objects. Untouched truth and unused predictions add their areas to the union.
    With a threshold, a partner whose IoU is not above it (or `at_least` it) counts as none.
    """
    best = table.best_partners
    if threshold is not None:
        best = np.intersect1d(best, passing(table.overlaps, threshold, at_least), assume_unique=True)
    return _aggregated(table, best)


def aji_plus_counts(table: Contingency) -> AjiCounts:
    """AJI+: as AJI, but over the pairs of `one_to_one`."""
    return _aggregated(table, one_to_one(table))


def one_to_one(table: Contingency) -> np.ndarray:
    """int64: indices into `table.overlaps` of the one-to-one assignment with the largest summed IoU."""
    pairs = table.overlaps
    return cheapest(pairs.truth, pairs.predicted, 1 - pairs.iou, unassigned=1)


def passing(pairs: Overlaps, threshold: float, at_least: bool = False) -> np.ndarray:
    """Indices of the pairs that reach the threshold, in exact integers: a float quotient would flip 3/5 against 0.6."""
    limit = exact(threshold)
    compare = np.greater_equal if at_least else np.greater
    return np.flatnonzero(compare(pairs.intersection * limit.denominator, pairs.union * limit.numerator))


def _aggregated(table: Contingency, chosen: np.ndarray) -> AjiCounts:
    """Summed intersection and union of the chosen pairs, and the areas of all objects that are in none."""
    pairs = table.overlaps
    truth_alone, predicted_alone = table.truth_areas.copy(), table.predicted_areas.copy()
    truth_alone[pairs.truth[chosen]] = 0
    predicted_alone[pairs.predicted[chosen]] = 0
    alone = truth_alone[1:].sum() + predicted_alone[1:].sum()
    return AjiCounts(int(pairs.intersection[chosen].sum()), int(pairs.union[chosen].sum() + alone))
