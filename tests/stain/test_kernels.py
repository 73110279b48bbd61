"""The compiled passes, against numpy and Python integers, and with any number of threads."""

import numba
import numpy as np
import pytest

from karyobench.stain import kernels
from karyobench.stain.density import GREY_DENSITY

TABLE = GREY_DENSITY.astype(np.float32)
FIXED = np.rint(GREY_DENSITY * kernels.FIXED).astype(np.int32)
AXES = np.array([[0.6, 0.7, 0.3], [0.5, -0.6, 0.1]], np.float32)
LEVEL = 205
ALL = np.full(2, -1, np.int32)
SIZES = [1, 7, 2047, 2048, 2049, 8193, 70_001]


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3), dtype=np.uint8)


def angle_keys(pixels: np.ndarray) -> np.ndarray:
    """Keys of the angles by arctangent, in float64: places on the square from its definition."""
    x, y = AXES.astype(float) @ GREY_DENSITY[pixels].T
    angles = np.arctan2(y, x)
    cosine, sine = np.cos(angles), np.sin(angles)
    place = sine / (np.abs(cosine) + np.abs(sine))
    place = np.where(cosine >= 0, place, np.copysign(2, sine) - place)
    return (place + 2) * kernels.KEYS / 4


@pytest.mark.parametrize("size", SIZES)
def test_moments_are_exact(size):
    pixels = noise(size)
    fixed = FIXED[pixels[(pixels <= LEVEL).all(axis=1)]].astype(object)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    expected = [
        len(fixed),
        *(fixed[:, c].sum() for c in range(3)),
        *((fixed[:, a] * fixed[:, b]).sum() for a, b in pairs),
    ]
    assert kernels.moments(pixels, FIXED, FIXED[LEVEL]).astype(object).sum(axis=0).tolist() == expected


def test_moments_of_the_darkest_image_do_not_overflow():
    rows = kernels.moments(np.zeros((20_000, 3), np.uint8), FIXED, FIXED[LEVEL])
    assert rows[:, 4:].astype(object).sum(axis=0).tolist() == [20_000 * int(FIXED[0]) ** 2] * 6


@pytest.mark.parametrize("size", SIZES)
def test_angles_are_counted_in_their_order(size):
    pixels = noise(size, 1)
    tissue = (pixels <= LEVEL).all(axis=1)
    keys = angle_keys(pixels[tissue])
    counts, above = kernels.tally_angles(pixels, TABLE, AXES, TABLE[LEVEL], ALL)
    counts = counts.sum(axis=0)
    assert counts[:, -1].tolist() == [size - tissue.sum()] * 2
    assert above.min() == kernels.KEYS
    np.testing.assert_array_equal(counts[0], counts[1])
    # float32 may place a key on the other side of a digit's boundary.
    expected = np.bincount(keys.astype(int) >> 12, minlength=4096)
    assert np.abs(np.cumsum(counts[0, :-1]) - np.cumsum(expected)).max() <= max(1, size // 1000)


def test_lower_digits_and_the_next_key_are_those_of_the_chosen_upper_digits():
    pixels = noise(30_000, 2)
    tissue = (pixels <= LEVEL).all(axis=1)
    keys = np.sort(angle_keys(pixels[tissue]))
    digits = (keys[[len(keys) // 3, 2 * len(keys) // 3]].astype(int) >> 12).astype(np.int32)
    counts, above = (part.astype(int) for part in kernels.tally_angles(pixels, TABLE, AXES, TABLE[LEVEL], digits))
    for place, digit in enumerate(digits):
        inside = keys[keys.astype(int) >> 12 == digit]
        assert counts[:, place].sum() == len(inside)
        mean = (counts[:, place].sum(axis=0) @ np.arange(4097)) / len(inside)
        assert mean == pytest.approx((inside % 4096).mean(), abs=2)
        assert above[:, place].min() == pytest.approx(keys[keys.astype(int) >> 12 > digit][0], abs=2)


@pytest.mark.parametrize("size", SIZES)
def test_concentrations_are_counted_and_negative_ones_are_zero(size):
    pixels = noise(size, 3)
    scales = np.array([1e6, 7e5], np.float32)
    sums = AXES.astype(float) @ GREY_DENSITY[pixels].T * scales[:, None]
    counts, _ = kernels.tally_concentrations(pixels, TABLE, AXES, scales, ALL)
    for found, keys in zip(counts.sum(axis=0), sums, strict=True):
        expected = np.bincount(np.clip(keys, 0, kernels.KEYS - 1).astype(int) >> 12, minlength=4097)
        assert np.abs(np.cumsum(found.astype(int)) - np.cumsum(expected)).max() <= max(1, size // 1000)
        assert found.sum() == size


@pytest.mark.parametrize("size", SIZES)
def test_rebuilding_rounds_as_float64_does(size):
    pixels = noise(size, 4)
    operator = np.array([[0.9, 0.3, -0.2], [-0.1, 1.2, 0.1], [0.2, 0.1, 0.7]], np.float32)
    octaves = (GREY_DENSITY / np.log(2)).astype(np.float32)
    light = (240 * np.exp(-(GREY_DENSITY[pixels] @ operator.astype(float).T)) - 1).clip(0, 255)
    light = np.where((pixels >= 239).all(axis=1, keepdims=True), pixels, light)
    rebuilt = kernels.rebuild(pixels, octaves, operator)
    assert np.abs(rebuilt - light).max() < 0.501


def test_every_grey_level_survives_the_identity():
    pixels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    octaves = (GREY_DENSITY / np.log(2)).astype(np.float32)
    np.testing.assert_array_equal(kernels.rebuild(pixels, octaves, np.eye(3, dtype=np.float32)), pixels)
    np.testing.assert_array_equal(
        kernels.rebuild(pixels[::-1].copy(), octaves, np.eye(3, dtype=np.float32)), pixels[::-1]
    )


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one processor only")
def test_the_number_of_threads_changes_nothing():
    pixels = noise(90_001, 5)
    scales, digits = np.array([1e6, 7e5], np.float32), np.array([1500, 2100], np.int32)

    def results() -> list[np.ndarray]:
        passes = [
            kernels.moments(pixels, FIXED, FIXED[LEVEL]),
            kernels.rebuild(pixels, TABLE, np.eye(3, dtype=np.float32)),
        ]
        for chosen in (ALL, digits):
            passes += kernels.tally_angles(pixels, TABLE, AXES, TABLE[LEVEL], chosen)
            passes += kernels.tally_concentrations(pixels, TABLE, AXES, scales, chosen)
        return passes

    whole = results()
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = results()
    finally:
        numba.set_num_threads(before)
    for one, many in zip(alone, whole, strict=True):
        np.testing.assert_array_equal(one, many)
