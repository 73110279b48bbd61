"""GlaS: images, label maps and a table with bare carriage returns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

RNG = np.random.default_rng(0)
IMAGES = {name: RNG.integers(0, 256, (8, 10, 3), np.uint8) for name in ("train_1", "testA_10", "testB_2")}
LABELS = np.zeros((8, 10), np.uint8)
LABELS[1:3, 1:4], LABELS[4:8, 5:10] = 2, 1
FOLDER = "Warwick QU Dataset (Released 2016_07_08)"
HEADER = b"name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)"
ROWS = [
    b"testA_10,9, benign, healthy",
    b"testB_2,7, malignant, moderately-to-poorly differentated",
    b"train_1,7, malignant, moderately differentiated",
]


def members(rows: list[bytes] = ROWS, header: bytes = HEADER) -> dict[str, bytes]:
    found = {f"{FOLDER}/{name}.bmp": encoded(pixels, ".bmp") for name, pixels in IMAGES.items()}
    found |= {f"{FOLDER}/{name}_anno.bmp": encoded(LABELS, ".bmp") for name in IMAGES}
    return found | {f"{FOLDER}/Grade.csv": b"\r".join([header, *rows])}


def make(raw: Path) -> dict[str, Any]:
    """The official archive with three images."""
    write_zip(raw / "warwick_qu_dataset_released_2016_07_08.zip", members())
    return {}


def test_glands_and_grades(tmp_path: Path) -> None:
    fields = read("glas", tmp_path, **make(tmp_path))
    assert list(fields) == ["testA_10", "testB_2", "train_1"]
    for name, field in fields.items():
        assert np.array_equal(field.image, IMAGES[name])
        assert np.array_equal(field.instances, LABELS)
    assert fields["testB_2"].attributes == {
        "source_file": f"{FOLDER}/testB_2.bmp",
        "part": "testB",
        "label": "malignant",
        "grade": "moderately-to-poorly differentated",
        "patient": "7",
        "group": "patient-7",
    }
    assert fields["train_1"].attributes["group"] == "patient-7"
    assert (fields["testA_10"].attributes["part"], fields["testA_10"].attributes["label"]) == ("testA", "benign")


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_other_line_ends(end: bytes, tmp_path: Path) -> None:
    found = members()
    found[f"{FOLDER}/Grade.csv"] = b"\xef\xbb\xbf" + end.join([HEADER, *ROWS]) + end
    write_zip(tmp_path / "a.zip", found)
    assert read("glas", tmp_path)["train_1"].attributes["grade"] == "moderately differentiated"


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS[:2], HEADER, "Grade.csv has no row 'train_1'"),
        (ROWS, HEADER.replace(b"patient ID", b"patient"), r"Grade\.csv': has no column 'patient ID'"),
        ([*ROWS, b"train_2,7"], HEADER, r"the row \['train_2', '7'\] has 2 values, not 4"),
        ([b"\xff\xfe\x00"], HEADER, "no comma-separated text"),
        ([], b"", r"has no column 'name'"),
    ],
)
def test_tables_that_do_not_fit(rows: list[bytes], header: bytes, message: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members(rows, header))
    with pytest.raises(KaryobenchError, match=message):
        read("glas", tmp_path)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("train_1_anno.bmp", "image 'train_1' has no label map"),
        ("train_1.bmp", r"train_1_anno\.bmp' has no image 'train_1'"),
        ("Grade.csv", "'Grade' has no table"),
    ],
)
def test_files_that_are_missing(gone: str, message: str, tmp_path: Path) -> None:
    found = members()
    del found[f"{FOLDER}/{gone}"]
    write_zip(tmp_path / "a.zip", found)
    with pytest.raises(KaryobenchError, match=message):
        read("glas", tmp_path)


def test_an_image_that_occurs_twice(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members() | {"copy/train_1.bmp": b""})
    with pytest.raises(KaryobenchError, match=r"train_1\.bmp' and 'copy/train_1\.bmp' are both 'train_1'"):
        read("glas", tmp_path)
