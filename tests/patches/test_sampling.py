"""Where crops come from, how often, and what is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.patches import sampling
from karyobench.patches.tiling import grid


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), tile=st.integers(1, 60), crop=st.integers(1, 60))
def test_crops_lie_inside_the_image_and_reach_into_their_tile(height, width, tile, crop):
    boxes = grid(height, width, tile)
    found = sampling.origins(height, width, "a", tile, crop, [3] * len(boxes), 0)
    assert len(found) == 3 * len(boxes)
    for index, (row, column) in enumerate(found):
        r0, c0, r1, c1 = boxes[index // 3]
        for start, low, high, length in ((row, r0, r1, height), (column, c0, c1, width)):
            assert 0 <= start <= max(length - crop, 0)
            if high - low >= crop:
                assert low <= start <= high - crop
            else:
                assert start < high
                assert start + crop > low


def test_positions_are_uniform_in_the_tile():
    found = np.array(sampling.origins(20, 20, "a", 20, 16, [5000], 0))
    for axis in (0, 1):
        counts = np.bincount(found[:, axis], minlength=5)
        assert len(counts) == 5
        assert np.abs(counts - 1000).max() < 150


def test_narrow_tiles_still_give_different_crops():
    found = sampling.origins(400, 600, "a", 500, 380, [40, 40], 0)
    columns = [column for _, column in found]
    assert len(grid(400, 600, 500)) == 2
    assert len(set(columns)) > 40
    assert max(columns) > 150


def test_positions_depend_on_seed_image_and_tile_alone():
    def once(image: str, seed: int, count: int = 4) -> list[tuple[int, int]]:
        return sampling.origins(200, 200, image, 100, 32, [count] * 4, seed)

    first = once("a", 0)
    assert once("b", 0) != first
    assert once("a", 1) != first
    assert once("a", 0) == first
    tiles = [np.array(first[4 * n : 4 * n + 4]) - np.array(box[:2]) for n, box in enumerate(grid(200, 200, 100))]
    assert not any(np.array_equal(tiles[0], other) for other in tiles[1:])


@pytest.mark.parametrize(
    ("counts", "at_most", "factors"),
    [
        ({"fluorescence": 541, "he": 107, "brightfield": 16}, 100, {"fluorescence": 1, "he": 5, "brightfield": 34}),
        ({"fluorescence": 541, "he": 107, "brightfield": 16}, 4, {"fluorescence": 1, "he": 4, "brightfield": 4}),
        ({"he": 30, "other": 25}, 4, {"he": 1, "other": 1}),
        ({}, 4, {}),
    ],
)
def test_oversampling_approaches_the_commonest(counts, at_most, factors):
    values = [(value, 1) for value, count in counts.items() for _ in range(count)]
    assert sampling.oversampling(values, at_most) == factors


def test_oversampling_counts_crops_not_images():
    assert sampling.oversampling([("large", 40), ("small", 10), ("small", 10)], 9) == {"large": 1, "small": 2}


def test_crops_are_told_from_shapes_alone():
    record = {"tile": 500, "crop": 200, "crops_per_tile": 5, "oversample": {"by": "image_type", "at_most": 3}}
    shapes, kinds = [(1000, 1000), (500, 501), (500, 500)], ["he", "he", "other"]
    assert sampling.crops(shapes, record, kinds) == [[5, 5, 5, 5], [5, 5], [15]]
    assert sampling.crops(shapes, record | {"oversample": None}) == [[5, 5, 5, 5], [5, 5], [5]]


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        ((256, 256), [1]),
        ((100, 256), [1]),
        ((256, 257), [2]),
        ((257, 257), [3]),
        ((256, 513), [1, 2]),  # tiles of 256 and of 257 columns
        ((512, 512), [3]),
    ],
)
def test_no_tile_gives_more_crops_than_it_has_positions(shape, counts):
    assert sampling.distinct(*shape, 512, 256, 3) == counts


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 30), tile=st.integers(1, 20), crop=st.integers(1, 20))
def test_positions_are_counted_as_they_are_drawn(height, width, tile, crop):
    """By far more draws than a tile has positions: each of them comes up."""
    boxes = grid(height, width, tile)[:3]
    wanted = sampling.distinct(height, width, tile, crop, 400)[:3]
    counts = [10000] * len(boxes) + [0] * (len(grid(height, width, tile)) - len(boxes))
    found = sampling.origins(height, width, "a", tile, crop, counts, 0)
    assert [len(set(found[10000 * n : 10000 * (n + 1)])) for n in range(len(boxes))] == wanted


def test_what_is_rare_is_repeated_however_small_its_images_are():
    """Every change of a repeated patch in training is its own, but without a reason no patch comes twice."""
    record = {"tile": 512, "crop": 256, "crops_per_tile": 2, "oversample": {"by": "image_type", "at_most": 4}}
    shapes, kinds = [(256, 256)] * 6 + [(300, 300)] * 2, ["common"] * 5 + ["rare"] + ["common"] * 2
    assert sampling.crops(shapes, record, kinds) == [[1]] * 5 + [[4]] + [[2]] * 2


def test_cut_inside_the_image():
    image = np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3)
    np.testing.assert_array_equal(sampling.cut(image, 2, 3, 3), image[2:5, 3:6])


def test_cut_beyond_the_image_reflects():
    image = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    rows = [0, 1, 2, 3, 4, 3, 2, 1]
    np.testing.assert_array_equal(sampling.cut(image, 0, 0, 8), image[np.ix_(rows, rows)])
    np.testing.assert_array_equal(sampling.cut(image[..., 0], 0, 0, 8), image[np.ix_(rows, rows)][..., 0])


def test_instances_inside_the_image_are_relabelled_in_order():
    instances = np.zeros((6, 7), np.int32)
    instances[0, 0], instances[2, 2], instances[3, 3:5], instances[4, 2] = 4, 900, 17, 50
    truth = sampling.cut_instances(instances, 2, 2, 3)
    assert truth.dtype == np.int32
    np.testing.assert_array_equal(truth, [[3, 0, 0], [0, 1, 1], [2, 0, 0]])


def test_instances_keep_labels_when_no_pixel_is_background():
    truth = sampling.cut_instances(np.array([[7, 7], [9, 9]], np.int32), 0, 0, 2)
    np.testing.assert_array_equal(truth, [[1, 1], [2, 2]])


def test_small_images_are_mirrored_with_nuclei_of_their_own():
    instances = np.zeros((5, 5), np.int32)
    instances[2, 2], instances[4, 0] = 8, 3
    truth = sampling.cut_instances(instances, 0, 0, 8)
    np.testing.assert_array_equal(truth > 0, sampling.cut(instances, 0, 0, 8) > 0)
    assert len({truth[2, 2], truth[2, 6], truth[6, 2], truth[6, 6], truth[4, 0]}) == 5
    assert sorted(np.unique(truth)) == list(range(6))


@pytest.mark.parametrize(("side", "mirrored"), [((4, 9), "rows"), ((9, 4), "columns")])
def test_an_image_too_small_on_one_side_is_mirrored_on_it(side, mirrored):
    instances = np.zeros(side, np.int32)
    instances[1, 1] = 5
    truth = sampling.cut_instances(instances, 0, 0, 6)
    assert truth[(5, 1) if mirrored == "rows" else (1, 5)] == 2


def test_a_mirrored_nucleus_at_the_border_stays_one():
    instances = np.zeros((4, 4), np.int32)
    instances[1, 3] = 5
    truth = sampling.cut_instances(instances, 0, 0, 6)
    assert truth[1, 3] > 0
    assert (truth == truth[1, 3]).sum() == 1
    instances[1, 2:4] = 5
    np.testing.assert_array_equal(sampling.cut_instances(instances, 0, 0, 6)[1], [0, 0, 1, 1, 1, 0])


def test_one_pixel_fills_a_patch():
    assert (sampling.cut(np.full((1, 1, 3), 7, np.uint8), 0, 0, 4) == 7).all()
    assert (sampling.cut_instances(np.ones((1, 1), np.int32), 0, 0, 4) == 1).all()
