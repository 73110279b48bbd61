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


def run(
    path: Path, record: dict[str, Any], attributes: dict[str, dict[str, Any]], listed: Path | None = None
) -> dict[str, str]:
    """Split of each image."""
    split(record, write(path, attributes), path / "d.csv", listed)
    return splits.read(path / "d.csv")


def rows(path: Path) -> list[list[str]]:
    """Lines of the split that `run` wrote."""
    return list(csv.reader((path / "d.csv").open()))


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


def test_all_are_tested(tmp_path: Path) -> None:
    assert run(tmp_path, {"kind": "test"}, {"a": {"group": "p"}, "b": {"group": "p"}}) == {"a": "test", "b": "test"}


# ---------------------------------------------------------------------- listed


def test_listed_images_and_the_rest_unused(tmp_path: Path) -> None:
    record = {"kind": "listed", "train": ["b", "c"], "test": ["a"]}
    assert run(tmp_path, record, {image: {} for image in "abcd"}) == {
        "a": "test",
        "b": "train",
        "c": "train",
        "d": "unused",
    }
    assert rows(tmp_path)[:2] == [["image", "split", "group", "stratum"], ["a", "test", "a", ""]]


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
    for kind, (least, most) in {"fluorescence": (48, 49), "he": (9, 10), "brightfield": (1, 2)}.items():
        assert least <= min(counts[kind]["test"], counts[kind]["val"])
        assert max(counts[kind]["test"], counts[kind]["val"]) <= most
    assert Counter(found.values()) == {"test": 60, "val": 60, "train": 478}


def test_a_seed_changes_the_draw_and_an_order_does_not(tmp_path: Path) -> None:
    attributes = {f"i{k}": {} for k in range(50)}
    first = run(tmp_path, STRATIFIED, attributes)
    assert run(tmp_path, STRATIFIED, dict(reversed(attributes.items()))) == first
    assert run(tmp_path, STRATIFIED | {"seed": 1}, attributes) != first


def test_the_draw_is_pinned(tmp_path: Path) -> None:
    """Of the SHA-256 of '0:i0' to '0:i9' those of i0 (16b0...) and i8 (3c26...) are the smallest."""
    found = run(tmp_path, STRATIFIED, {f"i{k}": {} for k in range(10)})
    assert {image: part for image, part in found.items() if part != "train"} == {"i0": "test", "i8": "val"}


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from("xyz")), min_size=5, max_size=25),
    st.sampled_from([0, 0.1, 0.3]),
    st.sampled_from([0.1, 0.25, 0.5]),
)
def test_groups_stay_whole_and_every_stratum_is_tested(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, str]], val: float, test: float
) -> None:
    attributes = {
        f"g{g}-{k}": {"group": f"g{g}", "image_type": kind}
        for g, (size, kind) in enumerate(groups)
        for k in range(size)
    }
    found = run(tmp_path_factory.mktemp("split"), STRATIFIED | {"val": val, "test": test}, attributes)
    assert found.keys() == attributes.keys()
    assert not split_groups(found, attributes)
    assert ("val" in found.values()) == (val > 0)
    for kind in "xyz":
        drawn = {found[i] for i, about in attributes.items() if about["image_type"] == kind}
        if sum(kind == k for _, k in groups) >= 3:
            assert drawn == {"train", "test", *(["val"] if val else [])}


def split_groups(found: dict[str, str], attributes: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Groups whose images lie in several splits."""
    parts = defaultdict(set)
    for image, part in found.items():
        parts[attributes[image]["group"]].add(part)
    return {group: found for group, found in parts.items() if len(found) > 1}


def test_objects_are_balanced_too(tmp_path: Path) -> None:
    """Ten images of 1 to 10 objects, 55 in all: two of them have 11."""
    attributes = {f"i{k}": {"n_instances": k} for k in range(1, 11)}
    found = run(tmp_path, {"kind": "stratified", "test": 0.2, "seed": 0}, attributes)
    tested = [attributes[image]["n_instances"] for image, part in found.items() if part == "test"]
    assert len(tested) == 2
    assert sum(tested) == 11


def test_strata_by_two_attributes(tmp_path: Path) -> None:
    attributes = {f"{a}{b}{k}": {"label": a, "magnification": b} for a in "MB" for b in (40, 100) for k in range(10)}
    found = run(tmp_path, STRATIFIED | {"by": ["label", "magnification"]}, attributes)
    counts = Counter((image[:-1], part) for image, part in found.items())
    for stratum in ("M40", "M100", "B40", "B100"):
        assert [counts[stratum, part] for part in ("test", "val", "train")] == [1, 1, 8]
    assert {row[3] for row in rows(tmp_path)[1:]} == {"M/40", "M/100", "B/40", "B/100"}


def test_images_alone_part_groups_and_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The random split of BreakHis: images of a patient are trained and tested on."""
    attributes = {f"p{p}-{k}": {"group": f"p{p}"} for p in range(7) for k in range(10)}
    found = run(tmp_path, {"kind": "stratified", "group": "image", "test": 0.5, "seed": 0}, attributes)
    assert Counter(found.values()) == {"test": 35, "train": 35}
    assert split_groups(found, attributes).keys() == {f"p{p}" for p in range(7)}
    assert all(row[0] == row[2] for row in rows(tmp_path)[1:])
    assert "scores may be too high. Groups: 7: 'p0' is in test and in train" in caplog.text
    assert "'p4' is in test and in train, and 2 more" in caplog.text


def test_another_attribute_keeps_images_together(tmp_path: Path) -> None:
    attributes = {f"i{k}": {"slide": k % 5} for k in range(20)}
    found = run(tmp_path, {"kind": "stratified", "group": "slide", "test": 0.2, "seed": 0}, attributes)
    tested = {image for image, part in found.items() if part == "test"}
    assert len({attributes[image]["slide"] for image in tested}) == 1 and len(tested) == 4
    with pytest.raises(
        KaryobenchError, match=r"split\.group: image 'i0' has no attribute 'slid' \(did you mean 'slide'"
    ):
        run(tmp_path, {"kind": "stratified", "group": "slid", "test": 0.2}, attributes)


def test_images_that_may_only_be_trained_on_take_their_group_along(tmp_path: Path) -> None:
    attributes = {f"i{k}": {"doubly_annotated": int(k < 3), "group": f"g{k // 2}"} for k in range(20)}
    record = {"kind": "stratified", "test": 0.4, "val": 0.3, "seed": 0, "train_only": {"doubly_annotated": 1}}
    found = run(tmp_path, record, attributes)
    assert {found[f"i{k}"] for k in range(4)} == {"train"}
    assert Counter(found.values()) == {"test": 8, "val": 6, "train": 6}
    with pytest.raises(KaryobenchError, match=r"split\.train_only: no image has an attribute 'twice'"):
        run(tmp_path, record | {"train_only": {"twice": 1}}, attributes)


def test_strata_by_a_missing_attribute(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"split\.by: image 'a' has no attribute 'image_typ' \(did you mean"):
        run(tmp_path, STRATIFIED | {"by": "image_typ"}, {"a": {}})


@pytest.mark.parametrize("fractions", [{"test": 0.6, "val": 0.4}, {"test": -0.1}])
def test_fractions_that_cannot_be(fractions: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match="must not be negative and must leave some for train"):
        run(tmp_path, STRATIFIED | fractions, {image: {} for image in "abc"})


def test_a_split_that_comes_out_empty(tmp_path: Path) -> None:
    with pytest.raises(
        KaryobenchError, match=r"2 groups of images leave none for \w+; ask for fewer parts than test, val, train"
    ):
        run(tmp_path, STRATIFIED, {"a": {}, "b": {}})


# ---------------------------------------------------------------------- folds


def test_each_fold_is_tested_once(tmp_path: Path) -> None:
    """11 patients of unequal numbers of images in 4 folds: the tests are disjoint and make up the whole."""
    sizes = [7, 3, 5, 8, 4, 3, 3, 4, 6, 4, 3]
    attributes = {f"p{p}-{k}": {"group": f"p{p}"} for p, size in enumerate(sizes) for k in range(size)}
    tested: list[str] = []
    for fold in range(1, 5):
        found = run(tmp_path, {"kind": "folds", "folds": 4, "fold": fold, "val": 0.2, "seed": 0}, attributes)
        assert not split_groups(found, attributes)
        counts = Counter(found.values())
        assert counts["test"] in (12, 13)
        assert abs(counts["val"] - 0.2 * (50 - counts["test"])) <= 1
        tested += [image for image, part in found.items() if part == "test"]
    assert sorted(tested) == sorted(attributes)


def test_leave_one_out_is_a_fold_per_group(tmp_path: Path) -> None:
    attributes = {f"p{p}-{k}": {"group": f"p{p}"} for p in range(4) for k in range(p + 1)}
    tested = []
    for fold in range(1, 5):
        found = run(tmp_path, {"kind": "folds", "folds": 4, "fold": fold, "seed": 0}, attributes)
        assert set(found.values()) == {"test", "train"}
        tested.append({attributes[image]["group"] for image, part in found.items() if part == "test"})
    assert sorted(map(sorted, tested)) == [[f"p{p}"] for p in range(4)]


def test_folds_leave_out_what_may_only_be_trained_on(tmp_path: Path) -> None:
    attributes = {f"i{k}": {"doubly_annotated": int(k < 5), "collection": "ab"[k % 2]} for k in range(25)}
    record = {"kind": "folds", "folds": 5, "val": 0.25, "by": "collection", "train_only": {"doubly_annotated": 1}}
    found = [run(tmp_path, record | {"fold": fold}, attributes) for fold in range(1, 6)]
    assert [Counter(parts.values()) for parts in found] == 5 * [{"test": 4, "val": 5, "train": 16}]
    assert {parts[f"i{k}"] for parts in found for k in range(5)} == {"train"}
    assert all(any(parts[f"i{k}"] == "test" for parts in found) for k in range(5, 25))


@pytest.mark.parametrize(("fold", "message"), [(0, "0 is not between 1 and folds, which is 3"), (4, "4 is not")])
def test_a_fold_that_there_is_not(fold: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=rf"split\.fold: {message}"):
        run(tmp_path, {"kind": "folds", "folds": 3, "fold": fold}, {image: {} for image in "abcd"})


def test_more_folds_than_groups(tmp_path: Path) -> None:
    with pytest.raises(
        KaryobenchError,
        match=r"2 groups of images leave none for fold \d; ask for fewer parts than fold 1, fold 2, fold 3",
    ):
        run(tmp_path, {"kind": "folds", "folds": 3, "fold": 1}, {image: {} for image in "ab"})


# ---------------------------------------------------------------------- published


def publish(path: Path, *entries: str) -> Path:
    """A list of these lines."""
    (path / "list.csv").write_text("\n".join(["image,split,stratum", *entries, ""]))
    return path / "list.csv"


PUBLISHED = {"kind": "published", "list": "mine", "by": "image_type"}


def test_a_published_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    listed = publish(tmp_path, "a,train,", "b,test,same", "c,test,other", "gone,train,")
    assert run(tmp_path, PUBLISHED, {image: {} for image in "abcd"}, listed) == {
        "a": "train",
        "b": "test",
        "c": "test",
        "d": "unused",
    }
    assert rows(tmp_path)[1:3] == [["a", "train", "a", ""], ["b", "test", "b", "same"]]
    assert "3 of the 4 images of list 'mine' are here" in caplog.text
    assert "1 images are not in list 'mine' and stay unused" in caplog.text


def test_a_list_without_strata_leaves_those_by_attribute(tmp_path: Path) -> None:
    run(tmp_path, PUBLISHED, {image: {} for image in "ab"}, publish(tmp_path, "a,train,", "b,test,"))
    assert rows(tmp_path)[1:] == [["a", "train", "a", "he"], ["b", "test", "b", "he"]]


def test_validation_images_are_balanced_by_the_attributes_or_else_by_the_list_s_strata(tmp_path: Path) -> None:
    """Of 4 images of either label in 2 strata one each becomes val; the list's strata are shown in either case."""
    attributes = {f"i{k}": {"label": "xy"[k % 2]} for k in range(8)}
    listed = publish(tmp_path, *(f"i{k},train,s{k // 4}" for k in range(8)))
    for by, key in ({"by": "label"}, lambda k: k % 2), ({}, lambda k: k // 4):
        record = {"kind": "published", "list": "mine", "val": 0.25, "seed": 0, **by}
        found = run(tmp_path, record, attributes, listed)
        assert sorted(key(k) for k in range(8) if found[f"i{k}"] == "val") == [0, 1]
        assert [row[3] for row in rows(tmp_path)[1:]] == 4 * ["s0"] + 4 * ["s1"]


def test_validation_images_of_a_published_split_are_whole_groups_of_its_training_images(tmp_path: Path) -> None:
    attributes = {f"p{p}-{k}": {"group": f"p{p}"} for p in range(10) for k in range(2)}
    listed = publish(
        tmp_path, *(f"{i},{'test' if i < 'p5' else 'train'},{about['group']}" for i, about in attributes.items())
    )
    found = run(tmp_path, PUBLISHED | {"val": 0.2, "seed": 0}, attributes, listed)
    assert Counter(found.values()) == {"test": 10, "val": 2, "train": 8}
    assert not split_groups(found, attributes)
    with pytest.raises(KaryobenchError, match=r"split\.val: list 'mine' has validation images already"):
        run(tmp_path, PUBLISHED | {"val": 0.2}, {image: {} for image in "ab"}, publish(tmp_path, "a,train,", "b,val,"))


def test_a_published_split_may_part_groups_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    same = {"a": {"group": "p"}, "b": {"group": "p"}}
    run(tmp_path, PUBLISHED, same, publish(tmp_path, "a,train,", "b,test,"))
    assert "Groups: 1: 'p' is in test and in train" in caplog.text
    assert rows(tmp_path)[1:] == [["a", "train", "p", "he"], ["b", "test", "p", "he"]]


def test_a_list_of_other_images(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match="'mine' names none of the dataset's images; it has 'x', the dataset 'a'"):
        run(tmp_path, PUBLISHED, {"a": {}}, publish(tmp_path, "x,train,"))
    with pytest.raises(KaryobenchError, match="kind 'published' needs the file of the list 'mine'"):
        run(tmp_path, PUBLISHED, {"a": {}})


# ---------------------------------------------------------------------- kinds and file


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"split\.kind 'region' does not exist \(did you mean 'regions'\?\)"):
        run(tmp_path, {"kind": "region"}, {"a": {}})


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n"])
def test_a_file_that_is_no_split(text: str | None, tmp_path: Path) -> None:
    if text:
        (tmp_path / "d.csv").write_text(text)
    with pytest.raises(KaryobenchError, match=r"d\.csv: cannot be read as a split"):
        splits.read(tmp_path / "d.csv")
