"""Order statistics by counting digits, against sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.stain import kernels, ranks


def tally_of(first: np.ndarray, second: np.ndarray) -> ranks.Tally:
    """The passes over two arrays of keys, counted by numpy in two parts."""

    def count(keys: np.ndarray, digit: int) -> tuple[np.ndarray, int]:
        upper = keys >> 12
        counted = upper if digit < 0 else keys[upper == digit] & 4095
        return np.bincount(counted, minlength=4097), min(keys[upper > digit], default=kernels.KEYS)

    def tally(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [[count(k[part::2], d) for k, d in zip((first, second), digits, strict=True)] for part in (0, 1)]
        counts, above = zip(*[zip(*part, strict=True) for part in found], strict=True)
        return np.array(counts), np.array(above)

    return tally


@given(st.lists(st.integers(0, kernels.KEYS - 1), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_neighbours_are_those_of_the_sorted_keys(keys, low, high):
    keys = np.array(keys, np.int64)
    both = np.array([low, high]) * (len(keys) - 1)
    found = ranks.neighbours(tally_of(keys, keys[::-1]), both.astype(np.int64))
    ordered = np.append(np.sort(keys), keys.max())
    expected = [[ordered[rank], ordered[rank + 1]] for rank in both.astype(np.int64)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "keys",
    [[7] * 9, [0, kernels.KEYS - 1], [4095, 4096], [5, 5, 5, 4096 * 9 + 1], [3, kernels.KEYS, kernels.KEYS]],
    ids=["equal", "ends", "either side of a digit", "far apart", "left out"],
)
def test_percentiles_equal_numpys(keys):
    keys = np.array(keys)
    taken = keys[keys < kernels.KEYS]
    for percents in ((1, 99), (0, 100), (50, 33.3)):
        found = ranks.percentiles(tally_of(keys, keys), percents, len(taken), lambda k: k / 2)
        np.testing.assert_allclose(found, np.percentile(taken / 2, percents), rtol=1e-12)
