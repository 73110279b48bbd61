"""Counts from distances between boundaries: per pair of objects on their bounding boxes, and of the foregrounds."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from karyobench.metrics.boxes import Objects, find_boxes
from karyobench.metrics.contingency import Contingency, as_compiled, contingency
from karyobench.metrics.distances import (
    find_edges,
    hausdorff_distances,
    mismatch_distances,
    nearest_hausdorff_distances,
    surface_distances,
    sweep_columns,
    sweep_rows,
)
from karyobench.metrics.mistakes import votes
from karyobench.metrics.objects import one_to_one
from karyobench.metrics.threads import in_threads

# Numbers of objects or pairs, in rows, to what is measured of each.
Measure = Callable[[np.ndarray], np.ndarray]

_OBJECTS_AT_ONCE = 64
_STRIPS = 16


def count_boundaries(truth: np.ndarray, predicted: np.ndarray | None) -> dict[str, int | float]:
    """Boundary counts of one image: further numeric columns of its row (`metrics/counts.py`), distances in pixels.

    truth: integer (H, W), 0 background. predicted: the same shape, or None where the system gave no prediction, which
    counts as an empty one. Raises KaryobenchError on maps that are not label maps or differ in shape.
    """
    predicted = np.zeros_like(truth) if predicted is None else predicted
    table = contingency(truth, predicted)
    truth, predicted = as_compiled(truth), as_compiled(predicted)
    sides = _objects(truth, table.truth_labels), _objects(predicted, table.predicted_labels)
    largest, upper = hausdorff(truth > 0, predicted > 0)
    return {
        **_surface_counts(table, *sides),
        **_mismatch_counts(table, *sides),
        **_hausdorff_sums(table, *sides),
        "foreground_hausdorff": largest,
        "foreground_hd95": upper,
    }


def hausdorff(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Hausdorff distance between the boundaries of two masks, and the greater of its two one-sided 95% percentiles.

    truth, predicted: bool (H, W). Boundary: pixels with one of four neighbours outside the mask or the image. 0 if both
    masks are empty, the image's diagonal if one is.
    """
    edges = find_edges(np.ascontiguousarray(truth)), find_edges(np.ascontiguousarray(predicted))
    if not (edges[0].any() and edges[1].any()):
        distance = math.hypot(*truth.shape) if edges[0].any() or edges[1].any() else 0.0
        return distance, distance
    sides = [_distances(*edges), _distances(*edges[::-1])]
    return float(max(side.max() for side in sides)), float(max(np.percentile(side, 95) for side in sides))


def _distances(features: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """float64 (q,): distance of each query pixel of an image to the nearest feature."""
    columns = np.empty(features.shape, np.int32)
    in_threads(lambda strip: sweep_columns(features, *strip, columns), _strips(features.shape[1]))
    squares = in_threads(lambda strip: sweep_rows(columns, queries, 0, 0, *strip), _strips(features.shape[0]))
    return np.sqrt(np.concatenate(squares))


def _strips(length: int) -> list[tuple[int, int]]:
    ends = np.linspace(0, length, min(_STRIPS, length) + 1).astype(int).tolist()
    return list(pairwise(ends))


def _objects(labels: np.ndarray, known: np.ndarray) -> Objects:
    return Objects(labels, known, find_boxes(labels, known))


def _surface_counts(table: Contingency, truth: Objects, predicted: Objects) -> dict[str, int | float]:
    """Summed boundary distances of the pairs of the assignment with the largest summed IoU."""
    pairs, chosen = table.overlaps, one_to_one(table)
    numbers = np.column_stack([pairs.truth[chosen], pairs.predicted[chosen]])
    sums = _sums(partial(surface_distances, truth, predicted), numbers, 3)
    return {"boundary_pairs": chosen.size, **dict(zip(("abd_sum", "abd_mom_sum", "hd95_sum"), sums, strict=True))}


def _mismatch_counts(table: Contingency, truth: Objects, predicted: Objects) -> dict[str, int | float]:
    """Sums over predicted objects and the truth object that each votes for; a vote for the background counts 1."""
    _, of_predicted = votes(table)
    voting = np.flatnonzero(of_predicted[1:]) + 1
    numbers = np.column_stack([of_predicted[voting], voting])

    def ratio_and_greatest(part: np.ndarray) -> np.ndarray:
        mismatched, either, greatest = mismatch_distances(truth, predicted, part).T
        return np.column_stack([mismatched / either, greatest])

    apart, greatest = _sums(ratio_and_greatest, numbers, 2)
    added = table.n_pred - voting.size
    return {"coelho_pairs": voting.size, "coelho_nsd_sum": apart + added, "coelho_hausdorff_sum": greatest}


def _hausdorff_sums(table: Contingency, truth: Objects, predicted: Objects) -> dict[str, float]:
    """Area times Hausdorff distance, of each object of a side and its partner of the largest overlap.

    An object that overlaps none takes the least distance to any object; the image's diagonal where there is none.
    """
    pairs, (of_truth, of_predicted) = table.overlaps, table.largest_overlaps
    wanted, apart = np.union1d(of_truth, of_predicted), np.zeros(pairs.truth.size)
    numbers = np.column_stack([pairs.truth, pairs.predicted])[wanted]
    apart[wanted] = _measured(partial(hausdorff_distances, truth, predicted), numbers)
    sides = {
        "truth": (truth, predicted, table.truth_areas, pairs.truth, of_truth),
        "predicted": (predicted, truth, table.predicted_areas, pairs.predicted, of_predicted),
    }
    sums = {}
    for name, (own, other, areas, number, partner) in sides.items():
        distance = np.full(areas.size, math.hypot(*truth.labels.shape))
        distance[number[partner]] = apart[partner]
        lonely = np.setdiff1d(np.arange(1, areas.size), number)
        if len(other.boxes) > 1:
            # Number 0 is the background, which is no object.
            others = Objects(other.labels, other.known[1:], other.boxes[1:])
            distance[lonely] = _measured(partial(nearest_hausdorff_distances, own, others), lonely)
        sums[f"hausdorff_{name}"] = math.fsum(areas[1:] * distance[1:])
    return sums


def _measured(measure: Measure, numbers: np.ndarray) -> np.ndarray:
    """What a compiled function measures of each row of numbers."""
    parts = [numbers[first : first + _OBJECTS_AT_ONCE] for first in range(0, len(numbers), _OBJECTS_AT_ONCE)]
    return np.concatenate(in_threads(measure, parts or [numbers]))


def _sums(measure: Measure, numbers: np.ndarray, columns: int) -> list[float]:
    """Exact sums of each column, which do not depend on the order of the objects."""
    return [math.fsum(column) for column in _measured(measure, numbers).reshape(-1, columns).T]
