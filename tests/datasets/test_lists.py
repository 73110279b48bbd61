"""The published splits that come with the program, and how a list is read."""

import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from karyobench.datasets import lists
from karyobench.datasets.readers import monuseg
from karyobench.errors import KaryobenchError


def counted(name: str) -> Counter[tuple[str, str]]:
    return Counter((entry.split, entry.stratum) for entry in lists.read(lists.path(name)).values())


def test_kumar() -> None:
    listed = lists.read(lists.path("kumar-16-8-6"))
    assert counted("kumar-16-8-6") == {("train", ""): 16, ("test", "same_organ"): 8, ("test", "different_organ"): 6}
    organs = {image: monuseg.CASES[image]["organ"] for image in listed}
    trained = Counter(organs[image] for image, entry in listed.items() if entry.split == "train")
    assert trained == {"breast": 4, "kidney": 4, "liver": 4, "prostate": 4}
    tested = Counter((entry.stratum, organs[image]) for image, entry in listed.items() if entry.split == "test")
    assert tested == {("same_organ", organ): 2 for organ in trained} | {
        ("different_organ", organ): 2 for organ in ("bladder", "colon", "stomach")
    }


def test_monuseg() -> None:
    """The list and the reader say the same of every image; Kumar's 30 images are its training part."""
    listed = lists.read(lists.path("monuseg-30-14"))
    assert {image: {"part": entry.split, "organ": entry.stratum} for image, entry in listed.items()} == monuseg.CASES
    kumar = lists.read(lists.path("kumar-16-8-6"))
    assert kumar.keys() == {image for image, entry in listed.items() if entry.split == "train"}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("glas", {("train", "train"): 85, ("test", "testA"): 60, ("test", "testB"): 20}),
        ("drive", {("train", ""): 20, ("test", ""): 20}),
        ("chase_db1", {("train", ""): 20, ("test", ""): 8}),
    ],
)
def test_counts(name: str, counts: dict[tuple[str, str], int]) -> None:
    assert counted(name) == counts


@pytest.mark.parametrize("name", ["hrf", "icpr2012"])
def test_strata_of_equal_size(name: str) -> None:
    """HRF: 5 and 10 of each of three diagnoses; ICPR 2012: the same 35 and 15 fields of each of two scanners."""
    by_split = {"train": {5} if name == "hrf" else {35}, "test": {10} if name == "hrf" else {15}}
    for (part, _), count in counted(name).items():
        assert {count} == by_split[part]


def test_images_of_the_real_archives_are_listed(mirror: Path) -> None:
    found = set()
    for archive in sorted((mirror / "monuseg").glob("MoNuSeg*.zip")):
        with zipfile.ZipFile(archive) as opened:
            found |= {PurePosixPath(name).stem for name in opened.namelist() if name.endswith(".tif")}
    assert len(found) == 21
    assert found <= lists.read(lists.path("monuseg-30-14")).keys()


def test_an_unknown_list() -> None:
    with pytest.raises(KaryobenchError, match=r"no published split 'kumar-16-8' \(did you mean 'kumar-16-8-6'\?\)"):
        lists.path("kumar-16-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must be image,split,stratum"),
        ("image,split\na,train\n", "the first line must be image,split,stratum"),
        ("image,split,stratum\na,train,\nb,tset,\n", "line 3 must hold an image, one of train, val, test, a stratum"),
        ("image,split,stratum\na,train\n", "line 2 must hold"),
        ("image,split,stratum\na,train,\na,test,\n", "line 3: image 'a' is listed twice"),
        ("image,split,stratum\n\xe9,train,\n", "cannot be read as a published split"),
    ],
)
def test_lists_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(KaryobenchError, match=f"l.csv: {message}"):
        lists.read(tmp_path / "l.csv")


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"l\.csv: cannot be read as a published split"):
        lists.read(tmp_path / "l.csv")
