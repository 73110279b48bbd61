"""Strata of a leaderboard's images: by attributes, and in bins of object size and density."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import invented_study as invented
from karyobench.metrics.kinds import OBJECTS
from karyobench.reporting import strata


def board(objects, area, pixels=1000, groups=None, **attributes):
    """A leaderboard of images with these numbers of objects and areas in all; attributes: a value per image."""
    objects, area = np.array(objects), np.array(area)
    counts = pd.DataFrame({"n_true": objects, "pixel_tp": area, "pixel_fn": 0, "pixel_fp": 1})
    counts["pixel_tn"] = pixels - area - 1
    counts["group"] = groups or [str(k) for k in range(len(objects))]
    about = [{name: values[k] for name, values in attributes.items()} for k in range(len(objects))]
    for each, group in zip(about, counts["group"], strict=True):
        each["group"] = group
    return SimpleNamespace(images=counts, attributes=about, kind=OBJECTS)


def found(of):
    return {(one.by, one.name): (one.range, np.flatnonzero(one.images).tolist()) for one in strata.strata(of)}


def test_attributes_with_one_value_make_no_strata_and_absent_ones_are_named():
    made = found(
        board([1] * 4, [5] * 4, organ=["lung", "brain", "lung", None], image_type=["he"] * 4, grade=[2, "", 2, 2])
    )
    assert made == {
        ("organ", "brain"): ("", [1]),
        ("organ", "lung"): ("", [0, 2]),
        ("organ", "not stated"): ("", [3]),
        ("grade", "2"): ("", [0, 2, 3]),
        ("grade", "not stated"): ("", [1]),
    }


def test_images_over_a_thousand_pixels_on_a_side_are_a_stratum(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = {}
    for name, shape in {"a": (8, 1000), "b": (8, 1001), "c": (1272, 8), "d": (16, 16)}.items():
        labels = np.zeros(shape, np.int32)
        labels[1:5, 1:5] = 1
        images[name] = (np.zeros((*shape, 3), np.uint8), labels)
    read = invented.read(
        invented.board("x", images, {("otsu", 1): {name: truth for name, (_, truth) in images.items()}})
    )
    made = found(read)
    assert made["longest_side", "over_1000"] == ("", [1, 2])
    assert made["longest_side", "up_to_1000"] == ("", [0, 3])


def test_groups_count_where_they_hold_several_images():
    made = found(board([1] * 3, [5] * 3, groups=["p", "p", "q"]))
    assert made == {("group", "p"): ("", [0, 1]), ("group", "q"): ("", [2])}
    assert found(board([1] * 3, [5] * 3)) == {}


def test_quartiles_of_size_and_density():
    objects = [1, 2, 3, 4, 5, 6, 7, 8, 0]
    made = found(board(objects, [80, 140, 180, 200, 200, 180, 140, 80, 0]))
    # Area per object falls from 80 to 10 while their number grows.
    assert {name: images for (by, name), (_, images) in made.items() if by == "object_size"} == {
        **{"1 of 4": [6, 7], "2 of 4": [4, 5], "3 of 4": [2, 3], "4 of 4": [0, 1], "no objects": [8]}
    }
    assert made["object_size", "1 of 4"][0] == "10.0 to 20.0 pixels per object"
    assert made["density", "1 of 4"] == ("1000.0 to 2000.0 objects per megapixel", [0, 1])
    assert made["density", "no objects"][1] == [8]


def test_few_images_make_fewer_bins_and_equal_values_share_one():
    assert [name for by, name in found(board([1, 2, 3, 4], [9] * 4)) if by == "density"] == ["1 of 2", "2 of 2"]
    assert found(board([1, 2, 3], [9, 18, 27])) == {}
    made = found(board([1, 1, 1, 1, 1, 1, 1, 9], [9] * 8))
    assert {k: v[1] for k, v in made.items() if k[0] == "density"} == {
        ("density", "1 of 2"): list(range(7)),
        ("density", "2 of 2"): [7],
    }


@given(st.lists(st.one_of(st.integers(0, 5), st.just(np.nan)), min_size=1, max_size=40))
def test_every_image_is_in_one_bin_and_bins_do_not_overlap(values):
    values = np.array(values, float)
    made = list(strata._by_quartile("density", values, "u"))
    assert len(made) != 1
    if made:
        assert (np.sum([one.images for one in made], axis=0) == 1).all()
        bins = [values[one.images] for one in made if one.name != "no objects"]
        assert 2 <= len(bins) <= 4
        assert all(below.max() < above.min() for below, above in itertools.pairwise(bins))


def test_hidden_pixels_do_not_count():
    # The density is of the pixels that were counted, whatever the size of the image.
    made = found(board([1, 1, 9, 9], [9] * 4, pixels=100))
    assert made["density", "1 of 2"][0] == "10000.0 to 10000.0 objects per megapixel"
    assert made["density", "2 of 2"][0] == "90000.0 to 90000.0 objects per megapixel"
    assert pytest.approx(9) == float(made["object_size", "2 of 2"][0].split()[0])
