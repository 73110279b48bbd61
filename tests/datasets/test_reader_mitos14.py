"""MITOS-ATYPIA-14: centres of mitoses become the layer `points`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_tar

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
LISTS = {"A03_00Aa": b"15,2,1\n3,11,0.65\n", "A03_00Ab": b"", "H03_00Aa": b"4,5,0.8\r\n"}


def members(lists: dict[str, bytes] = LISTS) -> dict[str, bytes]:
    """Frames at 20x and 40x, and lists of mitoses and of what is none."""
    found = {f"A03/frames/x20/{name[:-1]}.tiff": encoded(IMAGE, ".tif") for name in LISTS}
    for k, name in enumerate([*LISTS, "A06_01Dd"]):
        found[f"{name[:3]}/frames/x40/{name}.tiff"] = encoded(IMAGE + np.uint8(k), ".tif")
        found[f"{name[:3]}/mitosis/{name}_not_mitosis.csv"] = b"1,1,0.2\n"
    return found | {f"{name[:3]}/mitosis/{name}_mitosis.csv": text for name, text in lists.items()}


def make(raw: Path) -> dict[str, Any]:
    """An archive for each slide: two of the training set, one of the test set."""
    for slide in ("A03", "H03", "A06"):
        write_tar(raw / f"{slide}.tar.gz", {name: data for name, data in members().items() if name.startswith(slide)})
    return {}


def test_points_are_row_and_column(tmp_path: Path) -> None:
    fields = read("mitos14", tmp_path, **make(tmp_path))
    assert list(fields) == ["A03_00Aa", "A03_00Ab", "A06_01Dd", "H03_00Aa"]
    field = fields["A03_00Aa"]
    assert np.array_equal(field.image, IMAGE)
    assert field.instances is None
    assert field.layers["points"].dtype == np.float64
    assert field.layers["points"].tolist() == [[2, 15], [11, 3]]
    assert field.attributes["confidences"] == [1, 0.65]
    assert fields["A03_00Ab"].layers["points"].shape == (0, 2)


def test_a_frame_of_the_test_set_has_no_points(tmp_path: Path) -> None:
    field = read("mitos14", tmp_path, **make(tmp_path))["A06_01Dd"]
    assert field.layers == {}
    assert "confidences" not in field.attributes


def test_both_scanners_share_the_slide(tmp_path: Path) -> None:
    fields = read("mitos14", tmp_path, **make(tmp_path))
    aperio, hamamatsu = fields["A03_00Aa"].attributes, fields["H03_00Aa"].attributes
    assert (aperio["scanner"], hamamatsu["scanner"]) == ("aperio", "hamamatsu")
    assert aperio["group"] == hamamatsu["group"] == "03" != fields["A06_01Dd"].attributes["group"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1,2\n", r"A03_00Aa_mitosis\.csv': the line \[1\.0, 2\.0\] is not x, y and confidence"),
        (b"1,2,inf\n", "'inf' is no number"),
        (b"x,y,confidence\n", "'x' is no number"),
    ],
)
def test_lists_that_do_not_fit(text: bytes, message: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", members({"A03_00Aa": text}))
    with pytest.raises(KaryobenchError, match=message):
        read("mitos14", tmp_path)


def test_a_list_without_a_frame(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", members() | {"A03/mitosis/A03_09Aa_mitosis.csv": b""})
    with pytest.raises(KaryobenchError, match=r"A03_09Aa_mitosis\.csv' has no image 'A03_09Aa'"):
        read("mitos14", tmp_path)
