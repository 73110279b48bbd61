"""Detection of points: seeds, nucleus centres, mitoses."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from karyobench.errors import KaryobenchError
from karyobench.metrics.assignment import most


class Matches(NamedTuple):
    """Pairs of points: numbers of the true and of the predicted ones, int (P,), and their distances, float64 (P,)."""

    truth: np.ndarray
    predicted: np.ndarray
    distances: np.ndarray


class PointCounts(NamedTuple):
    """Points of an image matched (tp), false (fp) and missed (fn), and the summed distance of the matched pairs."""

    tp: int
    fp: int
    fn: int
    distance: float


def match_points(truth: np.ndarray, predicted: np.ndarray, radius: float) -> PointCounts:
    """Counts over the pairs of `matched`, with its errors."""
    found = matched(truth, predicted, radius)
    tp = found.distances.size
    return PointCounts(tp, len(predicted) - tp, len(truth) - tp, float(found.distances.sum()))


def matched(truth: np.ndarray, predicted: np.ndarray, radius: float) -> Matches:
    """A one-to-one matching of points that lie at most `radius` apart.

    truth, predicted: float (N, 2) and (M, 2), row and column in pixels. Pairs farther apart are ruled out before the
    assignment, which has the most pairs possible and of those the least summed distance; ruled out after it, they would
    have taken partners from others. Raises KaryobenchError on arrays of another shape or a radius of 0 or less.
    """
    for points, name in ((truth, "truth"), (predicted, "prediction")):
        if points.ndim != 2 or points.shape[1] != 2:
            raise KaryobenchError(f"{name}: points must be an array (N, 2) of row and column, not {points.shape}")
    if radius <= 0:
        raise KaryobenchError(f"radius {radius}: points match within a distance above 0; give it in pixels")
    near = _neighbours(truth, predicted, radius)
    apart = np.linalg.norm(truth[near[0]] - predicted[near[1]], axis=1)
    # The tree decides by its own rounding, which is the distance's but for the last digit.
    chosen = most(*near, np.minimum(apart / radius, 1))
    return Matches(near[0][chosen], near[1][chosen], apart[chosen])


def centres(labels: np.ndarray) -> np.ndarray:
    """float64 (n, 2): mean row and column of each object of a label map (H, W), by ascending label."""
    rows, columns = np.nonzero(labels)
    known, number = np.unique(labels[rows, columns], return_inverse=True)
    sums = [np.bincount(number, place, known.size) for place in (rows, columns)]
    return np.column_stack(sums) / np.bincount(number, minlength=known.size)[:, None]


def known_points(points: np.ndarray, ignore: np.ndarray) -> np.ndarray:
    """The points (N, 2), row and column, whose pixel is 0 in `ignore` (H, W), which says where the truth is silent."""
    rows, columns = np.minimum(points.round().astype(int), np.array(ignore.shape) - 1).T
    return points[ignore[rows, columns] == 0]


def _neighbours(truth: np.ndarray, predicted: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the truth points and of the predicted points of all pairs at most `radius` apart."""
    if not (len(truth) and len(predicted)):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    found = KDTree(truth).query_ball_tree(KDTree(predicted), radius)
    sizes = [len(numbers) for numbers in found]
    return np.repeat(np.arange(len(truth)), sizes), np.array(
        [n for numbers in found for n in sorted(numbers)], np.int64
    )
