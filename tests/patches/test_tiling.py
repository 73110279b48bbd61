"""The grid: exact cover, exact overlap, sizes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.errors import KaryobenchError
from karyobench.patches.tiling import grid

SIDES = st.integers(1, 300)


@given(height=SIDES, width=SIDES, tile=st.integers(1, 120))
def test_without_overlap_the_boxes_partition_the_image(height, width, tile):
    covered = np.zeros((height, width), int)
    for r0, c0, r1, c1 in grid(height, width, tile):
        covered[r0:r1, c0:c1] += 1
    assert (covered == 1).all()


@given(height=SIDES, width=SIDES, tile=st.integers(2, 120), share=st.floats(0, 0.99))
def test_boxes_cover_the_image_within_it_and_within_the_tile(height, width, tile, share):
    covered = np.zeros((height, width), bool)
    for r0, c0, r1, c1 in grid(height, width, tile, int(share * tile)):
        assert 0 <= r0 < r1 <= height
        assert 0 <= c0 < c1 <= width
        assert max(r1 - r0, c1 - c0) <= tile
        covered[r0:r1, c0:c1] = True
    assert covered.all()


@given(width=SIDES, tile=st.integers(2, 120), share=st.floats(0, 0.99))
def test_neighbours_share_exactly_the_overlap_and_sides_differ_by_one_at_most(width, tile, share):
    overlap = int(share * tile)
    boxes = grid(1, width, tile, overlap)
    assert all(left[3] - right[1] == overlap for left, right in pairwise(boxes))
    sides = [c1 - c0 for _, c0, _, c1 in boxes]
    assert max(sides) - min(sides) <= 1


@given(width=SIDES, tile=st.integers(2, 120), share=st.floats(0, 0.99))
def test_there_are_as_few_tiles_as_can_be(width, tile, share):
    overlap = int(share * tile)
    fewest = next(n for n in range(1, 400) if n * tile - (n - 1) * overlap >= width)
    assert len(grid(1, width, tile, overlap)) == fewest


def test_worked_grids():
    assert grid(1000, 1000, 500) == [(0, 0, 500, 500), (0, 500, 500, 1000), (500, 0, 1000, 500), (500, 500, 1000, 1000)]
    assert grid(10, 1025, 512) == [(0, 0, 10, 341), (0, 341, 10, 683), (0, 683, 10, 1025)]
    assert grid(600, 8, 512, 64) == [(0, 0, 332, 8), (268, 0, 600, 8)]
    assert grid(512, 40, 512, 64) == [(0, 0, 512, 40)]


@pytest.mark.parametrize(("height", "tile", "overlap"), [(5, 0, 0), (5, 4, 4), (5, 4, -1), (0, 4, 0)])
def test_what_cannot_be_tiled_is_refused(height, tile, overlap):
    with pytest.raises(KaryobenchError):
        grid(height, 5, tile, overlap)
