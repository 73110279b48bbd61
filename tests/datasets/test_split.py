"""Splits are deterministic, respect groups and fractions, and never let a group into two of them."""

import csv
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.datasets import splits, store
from karyobench.datasets.split import split
from karyobench.errors import KaryobenchError


def write(path: Path, attributes: dict[str, dict[str, Any]]) -> Path:
    """A dataset of 1 x 1 images."""
    with store.writing(path / "d.h5") as writer:
        for name, about in attributes.items():
            common = {"group": name, "parent": name, "image_type": "he"}
            writer.add(store.Field(name, np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.int32), common | about))
    return path / "d.h5"


def run(path: Path, record: dict[str, Any], attributes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Split of each image."""
    split(record, write(path, attributes), path / "d.csv")
    return splits.read(path / "d.csv")


def region(parent: str, part: str, group: str = "p") -> dict[str, str]:
    return {"parent": parent, "region_split": part, "group": group}


# ---------------------------------------------------------------------- regions


def test_regions_follow_their_attribute(tmp_path: Path) -> None:
    found = run(tmp_path, {"kind": "regions"}, {"a-test1": region("a", "test"), "a-train1": region("a", "train")})
    assert found == {"a-test1": "test", "a-train1": "train"}


def test_whole_images_are_no_regions(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match="needs `regions` in the dataset's record; 'b' is not cut"):
        run(tmp_path, {"kind": "regions"}, {"a-test1": region("a", "test"), "b": {}})


def test_one_group_in_two_parents_leaks(tmp_path: Path) -> None:
    """The guard lies between regions of one image only; two images of a patient must keep to one split."""
    with pytest.raises(KaryobenchError, match="group 'p' is in test and in train"):
        run(tmp_path, {"kind": "regions"}, {"a-test1": region("a", "test"), "b-train1": region("b", "train")})


# ---------------------------------------------------------------------- listed


def test_listed_images_and_the_rest_unused(tmp_path: Path) -> None:
    record = {"kind": "listed", "train": ["b", "c"], "test": ["a"]}
    assert run(tmp_path, record, {image: {} for image in "abcd"}) == {
        "a": "test",
        "b": "train",
        "c": "train",
        "d": "unused",
    }
    rows = list(csv.reader((tmp_path / "d.csv").open()))
    assert rows[:2] == [["image", "split", "group", "stratum"], ["a", "test", "a", ""]]


def test_unknown_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"split\.val: there is no image 'slide1' \(did you mean 'slide2'\?\)"):
        run(tmp_path, {"kind": "listed", "val": ["slide1"]}, {"slide2": {}})


def test_an_image_listed_twice(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match="image 'a' is in train and in test"):
        run(tmp_path, {"kind": "listed", "train": ["a"], "test": ["a"]}, {"a": {}})


def test_a_group_listed_apart_leaks_but_not_with_unused_images(tmp_path: Path) -> None:
    same = {"a": {"group": "p"}, "b": {"group": "p"}}
    assert run(tmp_path, {"kind": "listed", "train": ["a"]}, same) == {"a": "train", "b": "unused"}
    with pytest.raises(KaryobenchError, match="group 'p' is in test and in train; keep its images in one split"):
        run(tmp_path, {"kind": "listed", "train": ["a"], "test": ["b"]}, same)


def test_regions_listed_against_what_they_were_cut_for_leak(tmp_path: Path) -> None:
    """Regions of one split may touch, so no guard lies between them."""
    touching = {"a-test1": region("a", "test"), "a-test2": region("a", "test")}
    with pytest.raises(KaryobenchError, match="group 'p' is in test and in train"):
        run(tmp_path, {"kind": "listed", "train": ["a-test1"], "test": ["a-test2"]}, touching)


# ---------------------------------------------------------------------- stratified

STRATIFIED = {"kind": "stratified", "by": "image_type", "test": 0.1, "val": 0.1, "seed": 0}


def test_fractions_of_each_stratum(tmp_path: Path) -> None:
    kinds = {"he": 97, "fluorescence": 487, "brightfield": 14}
    attributes = {f"{kind}{k}": {"image_type": kind} for kind, count in kinds.items() for k in range(count)}
    found = run(tmp_path, STRATIFIED, attributes)
    counts = {kind: Counter(found[i] for i in attributes if i.startswith(kind)) for kind in kinds}
    assert counts["fluorescence"] == {"test": 49, "val": 49, "train": 389}
    assert counts["he"] == {"test": 10, "val": 10, "train": 77}
    assert counts["brightfield"] == {"test": 1, "val": 1, "train": 12}


def test_a_seed_changes_the_draw_and_an_order_does_not(tmp_path: Path) -> None:
    attributes = {f"i{k}": {} for k in range(50)}
    first = run(tmp_path, STRATIFIED, attributes)
    assert run(tmp_path, STRATIFIED, dict(reversed(attributes.items()))) == first
    assert run(tmp_path, STRATIFIED | {"seed": 1}, attributes) != first


def test_the_draw_is_pinned(tmp_path: Path) -> None:
    """Of the SHA-256 of '0:i0' to '0:i9' those of i0 (16b0...) and i8 (3c26...) are the smallest."""
    found = run(tmp_path, STRATIFIED, {f"i{k}": {} for k in range(10)})
    assert {image: part for image, part in found.items() if part != "train"} == {"i0": "test", "i8": "val"}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from("xyz")), min_size=4, max_size=25),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.sampled_from([0.1, 0.25, 0.5]),
    st.integers(0, 3),
)
def test_groups_stay_whole_and_every_stratum_is_tested(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, str]], val: float, test: float, seed: int
) -> None:
    attributes = {
        f"g{g}-{k}": {"group": f"g{g}", "image_type": kind}
        for g, (size, kind) in enumerate(groups)
        for k in range(size)
    }
    record = STRATIFIED | {"val": val, "test": test, "seed": seed}
    if not any(sum(kind == k for _, k in groups) >= 3 for kind in "xyz"):
        return
    try:
        found = run(tmp_path_factory.mktemp("split"), record, attributes)
    except KaryobenchError as refused:
        # A few groups may be too few for three parts; then the split says so.
        assert "split.val: no image" in str(refused)
        assert max(Counter(kind for _, kind in groups).values()) < 6
        return
    parts = defaultdict(set)
    for image, part in found.items():
        parts[attributes[image]["group"]].add(part)
    assert all(len(part) == 1 for part in parts.values())
    for kind in "xyz":
        sizes = [size for size, k in groups if k == kind]
        drawn = Counter(found[i] for i, about in attributes.items() if about["image_type"] == kind)
        if len(sizes) >= 3:
            assert drawn["test"] > 0
            assert drawn["train"] > 0
            assert abs(drawn["test"] - test * sum(sizes)) <= max(sizes)
        if val == 0:
            assert drawn["val"] == 0


def test_strata_by_a_missing_attribute(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"split\.by: image 'a' has no attribute 'image_typ' \(did you mean"):
        run(tmp_path, STRATIFIED | {"by": "image_typ"}, {"a": {}})


@pytest.mark.parametrize("fractions", [{"test": 0.6, "val": 0.4}, {"test": -0.1}])
def test_fractions_that_cannot_be(fractions: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match="must not be negative and must leave some for train"):
        run(tmp_path, STRATIFIED | fractions, {image: {} for image in "abc"})


def test_a_split_that_comes_out_empty(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"split\.test: no image; the fraction 0\.1 is too small"):
        run(tmp_path, STRATIFIED, {"a": {}, "b": {}})


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"split\.kind 'region' does not exist \(did you mean 'regions'\?\)"):
        run(tmp_path, {"kind": "region"}, {"a": {}})


# ---------------------------------------------------------------------- file


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n"])
def test_a_file_that_is_no_split(text: str | None, tmp_path: Path) -> None:
    if text:
        (tmp_path / "d.csv").write_text(text)
    with pytest.raises(KaryobenchError, match=r"d\.csv: cannot be read as a split"):
        splits.read(tmp_path / "d.csv")
