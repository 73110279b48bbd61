"""Object counts: matched, false and missed objects at an IoU threshold, and the two areas of AJI."""

import math
from typing import NamedTuple

import numpy as np

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


def match_counts(table: Contingency, threshold: float) -> MatchCounts:
    """Counts over the pairs with IoU strictly above the threshold.

    From 0.5 on such a pair is the only one of both its objects, so no assignment is needed (Kirillov et al., Panoptic
    Segmentation, CVPR 2019). Raises KaryobenchError for thresholds below 0.5.
    """
    pairs = table.overlaps
    match = _above(pairs, threshold)
    tp = int(match.sum())
    # fsum is exact, so the sum does not depend on how the objects are numbered.
    iou = math.fsum(pairs.intersection[match] / pairs.union[match])
    return MatchCounts(tp, table.n_pred - tp, table.n_true - tp, iou)


def aji_counts(table: Contingency) -> AjiCounts:
    """Aggregated Jaccard index, official rule (Kumar et al., IEEE TMI 2017, and the MoNuSeg script).

    Each truth object takes the predicted object of largest IoU among those that touch it, the lowest label on ties;
    one prediction may serve several truth objects. Untouched truth and unused predictions add their areas to the union.
    """
    pairs = table.overlaps
    best = _best_partner(pairs)
    untouched = np.setdiff1d(np.arange(1, table.n_true + 1), pairs.truth)
    unused = np.setdiff1d(np.arange(1, table.n_pred + 1), pairs.predicted[best])
    alone = table.truth_areas[untouched].sum() + table.predicted_areas[unused].sum()
    return AjiCounts(int(pairs.intersection[best].sum()), int(pairs.union[best].sum() + alone))


def _above(pairs: Overlaps, threshold: float) -> np.ndarray:
    """Pairs with IoU > threshold, in exact integers: a float quotient would flip ties such as 3/5 against 0.6."""
    limit = exact(threshold)
    return pairs.intersection * limit.denominator > pairs.union * limit.numerator


def _best_partner(pairs: Overlaps) -> np.ndarray:
    """Index of the pair of largest IoU of each truth object that has any."""
    iou = pairs.intersection / pairs.union
    order = np.lexsort((pairs.predicted, -iou, pairs.truth))
    _, first = np.unique(pairs.truth[order], return_index=True)
    return order[first]
