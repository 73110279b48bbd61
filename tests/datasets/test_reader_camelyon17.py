"""CAMELYON17: outlines at the first level become a mask at the level that is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import read, write_zip
from slide_files import asap_xml, box, pyramid, write_slide

STAGES = b"patient,stage,center\r\npatient_004.zip,pN1,0\r\n" + b"".join(
    b"patient_%s.tif,%s,0\r\n" % row for row in ((b"004_node_4", b"micro"), (b"004_node_0", b"negative"))
)
OUTLINES = {
    "metastases": [box(16, 8, 96, 72), box(80, 64, 120, 104)],
    "normal": [box(32, 24, 48, 40), [(1, 1), (2, 2)]],
    "None": [box(0, 0, 300, 250)],
}


def make(raw: Path) -> dict[str, Any]:
    """An outlined slide, a negative one, and one of another centre of which nothing is known."""
    for seed, name in enumerate(("patient_004_node_4", "patient_004_node_0", "patient_099_node_1")):
        write_slide(raw / f"{name}.tif", pyramid((256, 320), 4, seed))
    (raw / "patient_004_node_4.xml").write_bytes(asap_xml(OUTLINES))
    (raw / "stages.csv").write_bytes(STAGES)
    return {"level": 2}


@pytest.mark.parametrize("level", [0, 2, 3])
def test_outlines_are_scaled_to_the_level(level: int, tmp_path: Path) -> None:
    """Every corner lies on a multiple of 8, so that the mask is exact at the levels 0 to 3."""
    make(tmp_path)
    field = read("camelyon17", tmp_path, level=level)["patient_004_node_4"]
    whole = np.zeros((256, 320), np.int32)
    whole[8:72, 16:96] = whole[64:104, 80:120] = 1
    whole[24:40, 32:48] = 0
    expected = whole if level == 0 else whole[2 ** (level - 1) :: 2**level, 2 ** (level - 1) :: 2**level]
    assert np.array_equal(field.instances, expected)
    assert np.array_equal(field.image, pyramid((256, 320), 4)[level])


def test_what_is_known_of_a_slide(tmp_path: Path) -> None:
    fields = read("camelyon17", tmp_path, **make(tmp_path))
    assert list(fields) == ["patient_004_node_0", "patient_004_node_4", "patient_099_node_1"]
    assert fields["patient_004_node_4"].attributes == {
        "source_file": "patient_004_node_4.tif",
        "group": "patient_004",
        "centre": "0",
        "label": "micro",
        "level": 2,
        "downsample": 4,
        "slide_height": 256,
        "slide_width": 320,
        "mpp": pytest.approx(1.0),
        "other_annotations": 1,
    }
    assert fields["patient_099_node_1"].attributes["centre"] == "4"


def test_slides_without_outlines(tmp_path: Path) -> None:
    fields = read("camelyon17", tmp_path, **make(tmp_path))
    assert not fields["patient_004_node_0"].instances.any()
    assert fields["patient_099_node_1"].instances is None
    (tmp_path / "stages.csv").unlink()
    assert read("camelyon17", tmp_path, level=2)["patient_004_node_0"].instances is None


def test_a_patient_of_the_test_set(tmp_path: Path) -> None:
    write_slide(tmp_path / "patient_100_node_0.tif", pyramid((128, 128), 2))
    assert read("camelyon17", tmp_path, level=1)["patient_100_node_0"].attributes["centre"] == "unknown"


def test_the_level_must_be_set(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(KaryobenchError, match="dataset 'd': set `level`"):
        read("camelyon17", tmp_path)


def test_slides_inside_an_archive(tmp_path: Path) -> None:
    make(tmp_path)
    slide = tmp_path / "patient_099_node_1.tif"
    write_zip(tmp_path / "patient_099.zip", {slide.name: slide.read_bytes()})
    slide.unlink()
    with pytest.raises(KaryobenchError, match=r"'patient_099_node_1\.tif': must lie as a file of its own"):
        read("camelyon17", tmp_path, level=2)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (asap_xml({"Tumor": [box(0, 0, 9, 9)]}), r"no outline is in the group 'metastases' \(groups: \['Tumor'\]\)"),
        (asap_xml({"metastases": [box(0, 0, 9, float("nan"))]}), "is no point"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + asap_xml(OUTLINES), "declares a document type"),
        (asap_xml(OUTLINES)[:-20], r"patient_004_node_4\.xml: damaged, truncated, or no XML"),
    ],
)
def test_outlines_that_do_not_fit(xml: bytes, message: str, tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "patient_004_node_4.xml").write_bytes(xml)
    with pytest.raises(KaryobenchError, match=message):
        read("camelyon17", tmp_path, level=2)


def test_outlines_without_a_slide(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "patient_010_node_4.xml").write_bytes(asap_xml(OUTLINES))
    with pytest.raises(KaryobenchError, match=r"'patient_010_node_4\.xml' has no image"):
        read("camelyon17", tmp_path, level=2)
