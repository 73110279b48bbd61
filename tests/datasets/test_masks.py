"""Masks become instance maps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from karyobench.datasets import masks

SHAPE = (5, 6)


@given(st.lists(arrays.arrays(bool, SHAPE), max_size=6))
def test_the_first_object_keeps_a_pixel(objects: list[np.ndarray]) -> None:
    """A brute-force twin: at each pixel the least of the objects that claim it, and all others are too many."""
    labels, contested = masks.united((np.flatnonzero(mask) for mask in objects), SHAPE)
    claims = np.array(objects, bool).reshape(len(objects), *SHAPE)
    expected = np.where(claims.any(axis=0), claims.argmax(axis=0) + 1 if objects else 0, 0)
    assert np.array_equal(labels, expected)
    assert labels.dtype == np.int32
    assert contested == claims.sum() - (expected > 0).sum()
    assert masks.lost(labels, len(objects)) == len(set(range(1, len(objects) + 1)) - set(labels.ravel().tolist()))


def test_components_join_at_corners_in_the_order_of_rows() -> None:
    mask = np.array([[0, 0, 1], [0, 1, 0], [0, 0, 0], [1, 0, 1]], bool)
    assert masks.components(mask).tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0], [2, 0, 3]]


def test_one_value_is_a_mask_and_several_are_labels() -> None:
    mask = np.array([[255, 0, 255]], np.uint8)
    assert masks.instances(mask).tolist() == [[1, 0, 2]]
    assert masks.instances(mask // 255).tolist() == [[1, 0, 2]]
    labels = np.array([[255, 0, 254]], np.uint8)
    assert masks.instances(labels) is labels
    assert masks.instances(np.ones((2, 2), np.uint8)).tolist() == [[1, 1], [1, 1]]
    assert not masks.instances(np.zeros((2, 2), np.uint8)).any()
