"""Exact order statistics by counting: two passes over the data, no memory that grows with it, nothing sorted."""

from collections.abc import Callable

import numpy as np

from karyobench.stain import kernels

Tally = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""One pass of two rankings: int32 (2,) digits to counts and next keys, as the kernels return them (see kernels.py)."""


def percentiles(tally: Tally, percents: tuple[float, float], size: int, value: Callable) -> np.ndarray:
    """float64 (2,): a percentile of each of the two rankings, as numpy.percentile interpolates it.

    size: number of ranked values. value: turns keys into values, in their order.
    """
    positions = np.array(percents) / 100 * (size - 1)
    ranks = positions.astype(np.int64)
    low, high = (value(keys) for keys in neighbours(tally, ranks).T)
    return low + (positions - ranks) * (high - low)


def neighbours(tally: Tally, ranks: np.ndarray) -> np.ndarray:
    """Keys of the values at given ranks, and of those that follow them in order; the last is followed by itself.

    ranks: int64 (2,), from 0, one for each ranking. Returns int64 (2, 2).
    """
    upper, _ = _pass(tally, np.full(2, -1, np.int32))
    digits = np.array([_bin_of(counts, rank) for counts, rank in zip(upper, ranks, strict=True)], np.int32)
    lower, above = _pass(tally, digits)
    found = []
    for ranking, digit in enumerate(digits):
        rank = ranks[ranking] - upper[ranking, :digit].sum()
        first, start = _bin_of(lower[ranking], rank), int(digit) << kernels.DIGIT
        alone = rank + 1 == lower[ranking].sum()
        last = ranks[ranking] + 1 == upper[ranking, :-1].sum()
        following = above[ranking] if alone else start + _bin_of(lower[ranking], rank + 1)
        found.append([start + first, start + first if last else following])
    return np.array(found, np.int64)


def _pass(tally: Tally, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, above = tally(digits)
    return counts.sum(axis=0, dtype=np.int64), above.min(axis=0)


def _bin_of(counts: np.ndarray, rank: int) -> int:
    return int(np.searchsorted(np.cumsum(counts), rank, side="right"))
