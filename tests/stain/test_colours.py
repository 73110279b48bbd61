"""Counting of colours, against numpy's sort."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.stain import colours


def counted(pixels: np.ndarray) -> dict[tuple[int, ...], int]:
    found, counts = colours.count(pixels)
    assert found.dtype == np.uint8 and found.shape == (3, len(counts))
    as_dict = {tuple(map(int, colour)): int(number) for colour, number in zip(found.T, counts, strict=True)}
    assert len(as_dict) == len(counts)
    return as_dict


def by_sorting(pixels: np.ndarray) -> dict[tuple[int, ...], int]:
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(map(int, colour)): int(number) for colour, number in zip(found, counts, strict=True)}


@given(st.lists(st.tuples(*[st.sampled_from([0, 1, 15, 16, 17, 127, 128, 240, 255])] * 3), max_size=40))
def test_every_colour_is_counted_once(pixels):
    array = np.array(pixels, np.uint8).reshape(-1, 3)
    assert counted(array) == by_sorting(array)


@pytest.mark.parametrize("levels", [2, 40, 256])
def test_many_pixels(levels):
    pixels = np.random.default_rng(levels).integers(0, levels, (100_000, 3), dtype=np.uint8)
    assert counted(pixels) == by_sorting(pixels)


def test_order_does_not_depend_on_places_or_threads():
    rng = np.random.default_rng(1)
    pixels = rng.integers(100, 140, (30_000, 3), dtype=np.uint8)
    first = colours.count(pixels)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        second = colours.count(rng.permutation(pixels))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
