"""Janowczyk's nuclei: marked nuclei and the ring around them are known, all else is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_tar

RNG = np.random.default_rng(0)


def mask() -> np.ndarray:
    found = np.zeros((20, 24), np.uint8)
    found[3:6, 3:6], found[6:8, 6:9], found[15:17, 0:2] = 255, 255, 255
    return found


def write(raw: Path, masks: dict[str, np.ndarray], folder: str = "") -> None:
    """The archive with images of given masks."""
    members = {f"{folder}{name}_mask.png": encoded(found, ".png") for name, found in masks.items()}
    for name, found in masks.items():
        pixels = RNG.integers(0, 256, (*found.shape, 3), np.uint8)
        members[f"{folder}{name}_original.tif"] = encoded(pixels, ".tif")
    write_tar(raw / "nuclei.tgz", members)


def make(raw: Path) -> dict[str, Any]:
    """The official archive with three images of two patients."""
    write(raw, {name: mask() for name in ("8863_500_f00003", "8863_500_f00010", "9023_500_f00071")})
    return {"image_type": "he"}


@pytest.mark.parametrize("folder", ["", "./", "nuclei/"])
def test_names_tell_the_patient(folder: str, tmp_path: Path) -> None:
    write(tmp_path, {"8863_500_f00003": mask(), "9023_500_f00071": mask()}, folder)
    fields = read("janowczyk", tmp_path)
    assert list(fields) == ["8863_500_f00003", "9023_500_f00071"]
    assert [field.attributes["group"] for field in fields.values()] == ["8863", "9023"]
    assert {field.attributes["sparse"] for field in fields.values()} == {1}


def test_objects_are_8_connected(tmp_path: Path) -> None:
    make(tmp_path)
    found = read("janowczyk", tmp_path)["8863_500_f00003"].instances
    assert [(found == k).sum() for k in (1, 2, 3)] == [9 + 6, 4, 0]


def test_known_are_pixels_within_3_of_a_marked_one(tmp_path: Path) -> None:
    """Brute force over all pairs of pixels, centre to centre."""
    make(tmp_path)
    ignore = read("janowczyk", tmp_path)["8863_500_f00003"].layers["ignore"]
    marked = np.argwhere(mask() > 0)
    every = np.argwhere(np.ones(mask().shape))
    near = (((every[:, None] - marked[None]) ** 2).sum(axis=2) <= 9).any(axis=1)
    assert np.array_equal(ignore.ravel() == 0, near)
    assert (ignore.dtype, ignore.max()) == (np.uint8, 1)


def test_without_a_mark_nothing_is_known(tmp_path: Path) -> None:
    write(tmp_path, {"1_a": np.zeros((9, 9), np.uint8)})
    field = read("janowczyk", tmp_path)["1_a"]
    assert field.layers["ignore"].all()
    assert not field.instances.any()


@pytest.mark.parametrize(
    ("member", "told"),
    [("1_a_original.tif", "image '1_a' has no mask"), ("1_a_mask.png", "has no image '1_a'")],
)
def test_an_image_and_its_mask_go_together(member: str, told: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "nuclei.tgz", {member: b""})
    with pytest.raises(KaryobenchError, match=told):
        read("janowczyk", tmp_path)
