"""The permanent fakes: each transformation against worked maps, and the same through any tile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.errors import KaryobenchError
from karyobench.patches.tiling import grid
from karyobench.systems import registry
from karyobench.systems.base import Tile
from karyobench.systems.oracle_merged import paired
from karyobench.systems.oracle_shifted import moved
from karyobench.systems.oracle_split import halved

NAMES = ("oracle_truth", "oracle_empty", "oracle_shifted", "oracle_merged", "oracle_split")
CONFIG = {"predict": {"tile": None, "shift": [1, -2]}}

label_maps = hnp.arrays(
    np.int32, st.tuples(st.integers(3, 9), st.integers(3, 9)), elements=st.sampled_from([0, 0, 2, 3, 7, 40])
)


def tile_of(truth, box=None):
    box = box or (0, 0, *truth.shape)
    image = np.zeros((box[2] - box[0], box[3] - box[1], 3), np.uint8)
    return Tile(image, "a", box, "a", (0, 0, *truth.shape), "he", truth)


@pytest.mark.parametrize("name", NAMES)
def test_a_fake_declares_itself(name):
    system = registry.load(name)
    assert (system.OUTPUT, system.TRAINED, system.USES_TRUTH) == ("instances", False, True)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(truth=label_maps, tile=st.integers(1, 6))
def test_tiles_are_cut_from_one_map(name, truth, tile):
    system = registry.load(name)
    whole = system.predict(None, tile_of(truth), CONFIG)
    assert whole.shape == truth.shape
    assert whole.dtype == np.int32
    for r0, c0, r1, c1 in grid(*truth.shape, tile):
        part = system.predict(None, tile_of(truth, (r0, c0, r1, c1)), CONFIG)
        assert np.array_equal(part, whole[r0:r1, c0:c1])


def test_truth_and_empty():
    truth = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert np.array_equal(registry.load("oracle_truth").predict(None, tile_of(truth), CONFIG), truth)
    assert not registry.load("oracle_empty").predict(None, tile_of(truth), CONFIG).any()


def test_moving_loses_what_leaves_the_image():
    labels = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert moved(labels, 1, -1).tolist() == [[0, 0, 0], [2, 3, 0], [5, 6, 0]]
    assert moved(labels, -2, 0).tolist() == [[7, 8, 9], [0, 0, 0], [0, 0, 0]]
    assert moved(labels, 0, 0).tolist() == labels.tolist()


@given(label_maps, st.integers(-2, 2), st.integers(-2, 2))
def test_moving_reads_each_pixel_from_its_origin(labels, rows, columns):
    padded = np.pad(labels, 2)
    origin = padded[2 - rows : 2 - rows + labels.shape[0], 2 - columns : 2 - columns + labels.shape[1]]
    assert np.array_equal(moved(labels, rows, columns), origin)


def test_moving_out_of_the_image_is_refused():
    with pytest.raises(KaryobenchError, match=r"predict.shift' is \[3, 0\], must be within an image of 3x4"):
        moved(np.zeros((3, 4), np.int32), 3, 0)


def test_pairs_are_made_in_ascending_order_of_labels():
    labels = np.array([[0, 9, 9], [4, 4, 0], [7, 20, 30]])
    # ascending: 4, 7 | 9, 20 | 30
    assert paired(labels).tolist() == [[0, 2, 2], [1, 1, 0], [1, 2, 3]]


@given(label_maps)
def test_pairs_keep_the_foreground_and_halve_the_number(labels):
    united, count = paired(labels), len(np.unique(labels[labels > 0]))
    assert np.array_equal(united > 0, labels > 0)
    assert len(np.unique(united[united > 0])) == -(-count // 2)


def test_nuclei_are_cut_before_the_middle_row_of_their_box():
    labels = np.array([[0, 8, 0, 0], [5, 8, 0, 3], [5, 8, 0, 0], [5, 8, 0, 0], [5, 0, 0, 0]])
    # ascending: 3 (row 1 alone stays whole), 5 (rows 1:5, middle 3), 8 (rows 0:4, middle 2)
    assert halved(labels).tolist() == [[0, 5, 0, 0], [3, 5, 0, 2], [3, 6, 0, 0], [4, 6, 0, 0], [4, 0, 0, 0]]


@given(label_maps)
def test_halves_make_up_their_nucleus(labels):
    halves = halved(labels)
    for value in np.unique(labels[labels > 0]):
        rows = np.nonzero((labels == value).any(axis=1))[0]
        middle = (rows[0] + rows[-1] + 1) // 2
        here = np.nonzero(labels == value)
        upper, lower = halves[here][here[0] < middle], halves[here][here[0] >= middle]
        assert len(set(upper.tolist())) <= 1
        assert set(lower.tolist()).isdisjoint(upper.tolist())
        assert (halves[here] > 0).all()
        assert not np.isin(halves[labels != value], halves[here]).any()
    assert not halves[labels == 0].any()
