"""The partner of each object: among the entries of a group, the first that has the largest value."""

import numpy as np


def leading(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """int64, ascending: of each group, the index of its first entry with the group's largest value.

    groups: integers (K,), ascending. values: (K,). Where entries lie in the order of the partners' labels, a tie goes
    to the lowest label.
    """
    if not groups.size:
        return np.empty(0, np.int64)
    starts = _starts(groups)
    sizes = np.append(starts[1:], groups.size) - starts
    largest = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, starts), sizes))
    return largest[_starts(groups[largest])]


def leading_of(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """As `leading` for groups in any order; the entries of a group keep theirs. Indices ascend by group."""
    order = np.argsort(groups, kind="stable")
    return order[leading(groups[order], values[order])]


def _starts(groups: np.ndarray) -> np.ndarray:
    """Index of the first entry of each group."""
    return np.append(0, np.flatnonzero(groups[1:] != groups[:-1]) + 1)
