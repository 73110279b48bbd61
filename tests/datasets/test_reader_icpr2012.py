"""ICPR 2012: pixel lists of mitoses become instances."""

from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.datasets.readers import icpr2012
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

IMAGE = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
LISTS = {"A00_00": b"1,2,2,2,1,3\n8,6\n", "A00_03": b"", "H00_00": b"0,0,1,0,\r\n\r\n"}


def members(lists: dict[str, bytes] = LISTS) -> dict[str, bytes]:
    """Images, lists and the overlays, which have the name of the image."""
    found = {f"{name[:3]}_v2/{name}.bmp": encoded(IMAGE + np.uint8(k), ".bmp") for k, name in enumerate(LISTS)}
    found |= {f"{name[:3]}_v2/{name}.jpg": encoded(255 - IMAGE, ".jpg") for name in LISTS}
    return found | {f"{name[:3]}_v2/{name}.csv": text for name, text in lists.items()}


def make(raw: Path) -> dict[str, Any]:
    """An archive for each scanner and slide, with three images in all."""
    for folder in ("A00_v2", "H00_v2"):
        write_zip(raw / f"{folder}.zip", {name: data for name, data in members().items() if name.startswith(folder)})
    return {}


def test_each_line_is_a_mitosis(tmp_path: Path) -> None:
    fields = read("icpr2012", tmp_path, **make(tmp_path))
    assert list(fields) == ["A00_00", "A00_03", "H00_00"]
    assert np.array_equal(fields["A00_00"].image, IMAGE)
    expected = np.zeros((7, 9), np.int32)
    expected[2, 1] = expected[2, 2] = expected[3, 1] = 1
    expected[6, 8] = 2
    assert np.array_equal(fields["A00_00"].instances, expected)
    assert not fields["A00_03"].instances.any()
    assert np.argwhere(fields["H00_00"].instances == 1).tolist() == [[0, 0], [0, 1]]


def test_both_scanners_share_slide_and_field(tmp_path: Path) -> None:
    fields = read("icpr2012", tmp_path, **make(tmp_path))
    aperio, hamamatsu = fields["A00_00"].attributes, fields["H00_00"].attributes
    assert (aperio["scanner"], hamamatsu["scanner"]) == ("aperio", "hamamatsu")
    assert aperio["mpp"] > hamamatsu["mpp"]
    assert aperio["group"] == hamamatsu["group"] == "00"
    assert aperio["hpf"] == hamamatsu["hpf"] == "00_00" != fields["A00_03"].attributes["hpf"]


def test_an_image_without_a_list_has_no_truth(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members({"A00_00": b"1,1"}))
    fields = read("icpr2012", tmp_path)
    assert fields["A00_00"].instances is not None
    assert fields["A00_03"].instances is None


def test_pixels_that_are_claimed_twice_or_lie_outside(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members({"A00_00": b"1,1,2,1,2,1\n2,1,3,1\n-1,4,0,4,9,4,8,7\n1,1\n"}))
    field = read("icpr2012", tmp_path)["A00_00"]
    assert [(field.instances == k).sum() for k in (1, 2, 3, 4)] == [2, 1, 1, 0]
    told = {key: field.attributes[key] for key in ("overlapping_pixels", "outside_pixels", "lost_objects")}
    assert told == {"overlapping_pixels": 2, "outside_pixels": 3, "lost_objects": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1,2,3", r"A00_00\.csv': mitosis 1 is no list of pairs"),
        (b"1,2\n1.5,2", "mitosis 2 is no list of pairs of whole numbers"),
        (b"1,x", r"A00_00\.csv': 'x' is no number"),
        (b"1,nan", "'nan' is no number"),
        (b"9,0,0,7", r"mitosis 1 lies outside its image of \(7, 9\)"),
        (b'"1,2', "no comma-separated text"),
        (b"\xff\xd8\xff", "no comma-separated text"),
    ],
)
def test_lists_that_do_not_fit(text: bytes, message: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members({"A00_00": text}))
    with pytest.raises(KaryobenchError, match=message):
        read("icpr2012", tmp_path)


def test_a_list_without_an_image(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members() | {"A04_09.csv": b"1,1"})
    with pytest.raises(KaryobenchError, match=r"'A04_09\.csv' has no image 'A04_09'"):
        read("icpr2012", tmp_path)


@given(arrays.arrays(np.int32, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 4)))
def test_lists_of_an_instance_map_give_it_back(labels: np.ndarray) -> None:
    present = [k for k in range(1, 5) if (labels == k).any()]
    lines = [",".join(f"{c},{r}" for r, c in np.argwhere(labels == k)) for k in present]
    found, counts = icpr2012._mitoses("\n".join(lines).encode(), "list", labels.shape)
    numbered = sum((labels == k) * np.int32(new) for new, k in enumerate(present, start=1)) + np.zeros_like(labels)
    assert np.array_equal(found, numbered)
    assert not any(counts.values())
