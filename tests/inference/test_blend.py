"""Tile maps blended: worked weights, and what blending must not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.errors import KaryobenchError
from karyobench.inference.blend import blend, ramps
from karyobench.inference.tiles import crop
from karyobench.patches.tiling import grid


def test_weights_fall_linearly_over_the_overlap():
    weights = ramps([(0, 6), (3, 9)], 9)
    assert weights[0, 6] == pytest.approx([1, 1, 1, 3 / 4, 2 / 4, 1 / 4])
    assert weights[3, 9] == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1])


def test_two_constant_tiles_meet_in_a_ramp():
    ones = np.ones((1, 2, 6), np.float16)
    blended = blend([((0, 0, 2, 6), 0 * ones), ((0, 3, 2, 9), 8 * ones)], 2, 9)
    assert blended.dtype == np.float32
    assert blended[0].tolist() == [[0, 0, 0, 2, 4, 6, 8, 8, 8]] * 2


def test_tiles_without_overlap_come_back_unchanged():
    maps = np.random.default_rng(0).random((3, 10, 13)).astype(np.float16)
    tiles = [(box, maps[:, box[0] : box[2], box[1] : box[3]]) for box in grid(10, 13, 4)]
    assert np.array_equal(blend(tiles, 10, 13), maps.astype(np.float32))


@st.composite
def tilings(draw):
    tile = draw(st.integers(1, 12))
    return draw(st.integers(1, 30)), draw(st.integers(1, 30)), tile, draw(st.integers(0, tile - 1))


@settings(max_examples=150, deadline=None)
@given(tilings(), st.integers(0, 2**32 - 1))
def test_tiles_that_agree_give_the_map_back(tiling, seed):
    height, width, tile, overlap = tiling
    maps = np.random.default_rng(seed).random((2, height, width)).astype(np.float32)
    tiles = [((r0, c0, r1, c1), maps[:, r0:r1, c0:c1]) for r0, c0, r1, c1 in grid(height, width, tile, overlap)]
    np.testing.assert_allclose(blend(tiles, height, width), maps, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(tilings(), st.integers(0, 2**32 - 1))
def test_equals_the_weighted_mean_pixel_by_pixel(tiling, seed):
    height, width, tile, overlap = tiling
    rng = np.random.default_rng(seed)
    boxes = grid(height, width, tile, overlap)
    tiles = [(b, rng.random((1, b[2] - b[0], b[3] - b[1]))) for b in boxes]
    row, column = int(rng.integers(height)), int(rng.integers(width))
    total = weights = 0.0
    for (r0, c0, r1, c1), maps in tiles:
        if r0 <= row < r1 and c0 <= column < c1:
            weight = slow_weight(row, r0, r1, height, overlap) * slow_weight(column, c0, c1, width, overlap)
            total += weight * maps[0, row - r0, column - c0]
            weights += weight
    assert blend(tiles, height, width)[0, row, column] == pytest.approx(total / weights, abs=1e-6)


def slow_weight(place, start, stop, length, overlap):
    before = 1 if start == 0 else (place - start + 1) / (overlap + 1)
    after = 1 if stop == length else (stop - place) / (overlap + 1)
    return min(1, before, after)


def test_a_missing_tile_is_refused():
    with pytest.raises(KaryobenchError, match="1 tiles are not a grid"):
        blend([((0, 0, 4, 4), np.zeros((1, 4, 4)))], 4, 8)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9), st.integers(0, 9))
def test_crop_is_a_cut_from_the_zero_padded_image(r0, c0, before, after):
    image = np.random.default_rng(1).integers(1, 255, (8, 9, 3)).astype(np.uint8)
    box = (r0, c0, r0 + 2, c0 + 3)
    padded = np.pad(image, ((before, after), (before, after), (0, 0)))
    expected = padded[r0 : r0 + 2 + before + after, c0 : c0 + 3 + before + after]
    assert np.array_equal(crop(image, box, (before, after)), expected)
