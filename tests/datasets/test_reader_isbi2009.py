"""ISBI 2009: label maps of two cell lines, the discarded images, and the second observer of some."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

RNG = np.random.default_rng(0)
TOP = "Coelho2009_ISBI_NuclearSegmentation-master"


def picture() -> bytes:
    return encoded(np.stack([RNG.integers(0, 90, (20, 40), np.uint8)] * 3, axis=2), ".png")


def labels() -> np.ndarray:
    found = np.zeros((20, 40), np.uint8)
    found[2:9, 3:9], found[11:18, 20:30] = 1, 2
    return found


def members(*keys: str, top: str = "") -> dict[str, bytes]:
    """Image and label map of each key, collection/number."""
    found = {}
    for key in keys:
        name = key.replace("/", "/dna-")
        found[f"{top}data/images/dna-images/{name}.png"] = picture()
        found[f"{top}data/preprocessed-data/{name}.png"] = encoded(labels(), ".png")
    return found


def psd(pixels: np.ndarray) -> bytes:
    """An uncompressed Photoshop file without layers: uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, height, width, 8, 3)
    return head + bytes(3 * 4) + struct.pack(">H", 0) + np.moveaxis(pixels, 2, 0).tobytes()


def drawing() -> np.ndarray:
    """Two nuclei and a speck outlined in red on grey; the first reaches the border of the image."""
    found = np.full((20, 40, 3), 70, np.uint8)
    for rows, columns in (((0, 9), (2, 12)), ((10, 19), (20, 33)), ((12, 16), (4, 8))):
        found[slice(*rows), slice(*columns)] = (255, 0, 0)
    found[0:8, 3:11] = 70
    found[11:18, 21:32] = 70
    found[13:15, 5:7] = 70
    return found


def make(raw: Path) -> dict[str, Any]:
    """The repository's archive with two images, one of them doubly annotated."""
    second = {f"{TOP}/data/images/segmented-ashariff/gnf/dna-2.psd": psd(drawing())}
    files = members("gnf/2", "ic100/17", top=f"{TOP}/") | second | {f"{TOP}/README.rst": b"text"}
    write_zip(raw / "master.zip", files)
    return {"image_type": "fluorescence", "intensity": {"percentiles": [1, 99.8]}}


def test_collections_and_the_doubly_annotated(tmp_path: Path) -> None:
    make(tmp_path)
    fields = read("isbi2009", tmp_path)
    assert list(fields) == ["gnf-2", "ic100-17"]
    assert [field.attributes["collection"] for field in fields.values()] == ["U2OS", "NIH3T3"]
    assert [field.attributes["doubly_annotated"] for field in fields.values()] == [1, 0]
    assert all(np.array_equal(field.instances, labels()) for field in fields.values())
    assert fields["ic100-17"].layers == {}


def test_the_doubly_annotated_are_the_first_five(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members("gnf/0", "gnf/4", "gnf/5", "gnf/44"))
    found = {name: field.attributes["doubly_annotated"] for name, field in read("isbi2009", tmp_path).items()}
    assert found == {"gnf-0": 1, "gnf-4": 1, "gnf-5": 0, "gnf-44": 0}


def test_the_second_observers_outlines_become_labels(tmp_path: Path) -> None:
    """What the outlines enclose: 8 x 8 and 7 x 11 pixels; the speck of 2 x 2 and the ground are not nuclei."""
    make(tmp_path)
    expected = np.zeros((20, 40), int)
    expected[0:8, 3:11], expected[11:18, 21:32] = 1, 2
    assert np.array_equal(read("isbi2009", tmp_path)["gnf-2"].layers["second"], expected)


def test_an_empty_drawing(tmp_path: Path) -> None:
    second = "data/images/segmented-ashariff/gnf/dna-1.psd"
    for colour in (70, (255, 0, 0)):
        plain = np.broadcast_to(np.array(colour, np.uint8), (20, 40, 3))
        write_zip(tmp_path / "a.zip", members("gnf/1") | {second: psd(plain)})
        assert not read("isbi2009", tmp_path)["gnf-1"].layers["second"].any()


def test_the_discarded_images_are_left_out(tmp_path: Path) -> None:
    files = members("gnf/31", "gnf/43", "ic100/25", "ic100/31")
    without = {name: data for name, data in files.items() if "preprocessed" not in name or "ic100/dna-31" in name}
    write_zip(tmp_path / "a.zip", without)
    assert list(read("isbi2009", tmp_path)) == ["ic100-31"]


@pytest.mark.parametrize(
    ("missing", "told"),
    [("preprocessed-data", "image 'gnf/dna-7' has no label map"), ("dna-images", r"dna-7\.png' has no image")],
)
def test_an_image_and_its_label_map_go_together(missing: str, told: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {name: data for name, data in members("gnf/7").items() if missing not in name})
    with pytest.raises(KaryobenchError, match=told):
        read("isbi2009", tmp_path)


def test_a_damaged_drawing_is_named(tmp_path: Path) -> None:
    second = {"data/images/segmented-ashariff/gnf/dna-1.psd": psd(drawing())[:300]}
    write_zip(tmp_path / "a.zip", members("gnf/1") | second)
    with pytest.raises(KaryobenchError, match=r"dna-1\.psd': damaged, truncated"):
        read("isbi2009", tmp_path)
