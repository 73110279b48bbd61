"""Distances against slow twins that measure every pair of pixels, far and near, and the counts made from them."""

import itertools
import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.metrics import boundary, distances, mistakes, objects
from karyobench.metrics.boundary import count_boundaries, hausdorff
from karyobench.metrics.boxes import find_boxes
from karyobench.metrics.contingency import contingency

LABELS = st.sampled_from([0, 0, 1, 2, 5])
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
MAP_PAIRS = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.int32, shape, elements=LABELS, fill=st.just(0) | st.just(2))] * 2)
)


def apart(points, others):
    """Distance of each of the points to the nearest of the others."""
    return np.sqrt(((np.asarray(points)[:, None] - np.asarray(others)[None]) ** 2).sum(axis=2)).min(axis=1)


def edge(mask):
    """Coordinates of the pixels with a neighbour outside the mask or the image."""
    inside = set(map(tuple, np.argwhere(mask)))
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    return np.array([p for p in sorted(inside) if any((p[0] + r, p[1] + c) not in inside for r, c in steps)])


def masks_of(label_map):
    return [label_map == value for value in sorted(set(label_map.ravel().tolist()) - {0})]


def slow_hausdorff(a, b):
    a, b = np.argwhere(a), np.argwhere(b)
    return max(apart(a, b).max(), apart(b, a).max())


@settings(max_examples=200)
@given(MASKS.filter(np.any), MASKS.filter(np.any), st.integers(-30, 30), st.integers(-30, 30))
def test_squared_distances_from_box_to_box(features, queries, top, left):
    expected = apart(np.argwhere(queries), np.argwhere(features) + np.array([top, left])) ** 2
    assert distances.squared_distances(features, queries, top, left).tolist() == np.rint(expected).tolist()


@pytest.mark.parametrize("patience", ["looks around", "takes the envelope"])
def test_both_ways_along_a_row_agree(patience):
    rng = np.random.default_rng(0)
    # Few features in a wide image: looking around takes too long. Many: the envelope is not needed.
    features = rng.random((30, 400)) < (0.2 if patience == "looks around" else 0.0005)
    queries = rng.random((30, 400)) < 0.9
    columns = np.empty(features.shape, np.int32)
    distances.sweep_columns(features, 0, 400, columns)
    looked = [
        distances._look_around(columns[row], 0, queries[row], 0, np.empty(queries[row].sum(), np.int64))
        for row in range(30)
    ]
    assert all(looked) if patience == "looks around" else not any(looked)
    expected = apart(np.argwhere(queries), np.argwhere(features))
    assert np.sqrt(distances.squared_distances(features, queries, 0, 0)) == pytest.approx(expected)


@settings(max_examples=100)
@given(MASKS)
def test_edges(mask):
    assert np.argwhere(distances.find_edges(mask)).tolist() == edge(mask).reshape(-1, 2).tolist()


@settings(max_examples=50)
@given(MAP_PAIRS)
def test_boxes(maps):
    known = np.append(0, np.setdiff1d(maps[0], 0))
    boxes = find_boxes(maps[0], known)
    for box, mask in zip(boxes[1:].tolist(), masks_of(maps[0]), strict=True):
        rows, columns = np.nonzero(mask)
        assert box == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


@settings(max_examples=100)
@given(MAP_PAIRS)
def test_boundary_distances_of_the_assigned_pairs(maps):
    table = contingency(*maps)
    chosen, (truth, predicted) = objects.one_to_one(table), map(masks_of, maps)
    sums = np.zeros(3)
    for i, j in zip(table.overlaps.truth[chosen], table.overlaps.predicted[chosen], strict=True):
        sides = apart(edge(truth[i - 1]), edge(predicted[j - 1])), apart(edge(predicted[j - 1]), edge(truth[i - 1]))
        sums += (
            np.concatenate(sides).mean(),
            np.mean([side.mean() for side in sides]),
            max(np.percentile(side, 95) for side in sides),
        )
    counts = count_boundaries(*maps)
    assert counts["boundary_pairs"] == chosen.size
    assert [counts[name] for name in ("abd_sum", "abd_mom_sum", "hd95_sum")] == pytest.approx(sums.tolist())


@settings(max_examples=100)
@given(MAP_PAIRS)
def test_object_hausdorff_sums(maps):
    counts, sides = count_boundaries(*maps), [masks_of(label_map) for label_map in maps]
    for name, own, other in (("truth", *sides), ("predicted", *sides[::-1])):
        total = 0
        for one in own:
            shared = [int((one & another).sum()) for another in other]
            if any(shared):
                far = slow_hausdorff(one, other[shared.index(max(shared))])
            else:
                far = min((slow_hausdorff(one, another) for another in other), default=math.hypot(*maps[0].shape))
            total += one.sum() * far
        assert counts[f"hausdorff_{name}"] == pytest.approx(total)


@settings(max_examples=100)
@given(MAP_PAIRS)
def test_normalised_sums_of_distances(maps):
    (truth, predicted), shape = map(masks_of, maps), maps[0].shape
    _, voted = mistakes.votes(contingency(*maps))
    total, greatest, added = 0, 0, 0
    for number, s in enumerate(predicted):
        if not voted[number + 1]:
            added += 1
            continue
        g = truth[voted[number + 1] - 1]
        far = np.full(shape, math.hypot(*shape))
        far[~g] = apart(np.argwhere(~g), np.argwhere(g)) if (~g).any() else []
        if (~g).any():
            far[g] = apart(np.argwhere(g), np.argwhere(~g))
        total += far[g != s].sum() / far[g | s].sum()
        greatest += far[g != s].max(initial=0)
    counts = count_boundaries(*maps)
    assert counts["coelho_pairs"] == len(predicted) - added
    assert counts["coelho_nsd_sum"] == pytest.approx(total + added)
    assert counts["coelho_hausdorff_sum"] == pytest.approx(greatest)


@settings(max_examples=100)
@given(MASKS.filter(np.any), st.integers(0, 3))
def test_hausdorff_of_masks(mask, shift):
    other = np.roll(mask, shift, axis=0)
    sides = apart(edge(mask), edge(other)), apart(edge(other), edge(mask))
    assert hausdorff(mask, other) == pytest.approx((max(map(max, sides)), max(np.percentile(s, 95) for s in sides)))


def test_interior_of_a_hollow_object_counts_for_the_hausdorff_distance():
    solid, hollow = np.ones((9, 9), np.int32), np.ones((9, 9), np.int32)
    hollow[1:8, 1:8] = 0
    # The middle of the solid one lies four pixels from the ring, though the two boundaries are the same.
    assert count_boundaries(solid, hollow)["hausdorff_truth"] == 81 * 4
    assert hausdorff(solid > 0, hollow > 0)[0] == 0


def test_lonely_objects_far_from_all_others():
    truth, predicted = np.zeros((3000, 3000), np.int32), np.zeros((3000, 3000), np.int32)
    for number, (row, column) in enumerate(itertools.product(range(0, 3000, 100), repeat=2), start=1):
        truth[row : row + 5, column : column + 5] = number
    predicted[2990:2995, 2990:2995] = 1
    counts = count_boundaries(truth, predicted)
    rows, columns = np.mgrid[0:3000:100, 0:3000:100]
    expected = 25 * np.hypot(2990 - rows, 2990 - columns).sum()
    assert counts["hausdorff_truth"] == pytest.approx(expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64, ">i4"])
def test_counts_depend_on_neither_type_nor_layout_nor_threads(threads, kind, monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr(boundary, "_OBJECTS_AT_ONCE", 2)
    rng = np.random.default_rng(0)
    truth = np.kron(rng.integers(0, 9, (5, 6)), np.ones((4, 3), int))
    predicted = np.roll(truth, 1, axis=1)
    expected = count_boundaries(truth.astype(np.int32), predicted.astype(np.int32))
    assert count_boundaries(np.asfortranarray(truth.astype(kind)), predicted.astype(kind)) == expected
