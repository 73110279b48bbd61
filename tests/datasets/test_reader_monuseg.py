"""MoNuSeg: outlines of an Aperio XML become an instance map in which the first region keeps a pixel."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from karyobench.datasets.readers.monuseg import CASES
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 15, 3), np.uint8)
TRAIN, TEST = "TCGA-A7-A13E-01Z-00-DX1", "TCGA-44-2665-01B-06-BS6"
Outline = list[tuple[float, float]]


def box(x0: float, y0: float, x1: float, y1: float) -> Outline:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def annotation(*outlines: Outline, root: str = 'Annotations MicronsPerPixel="0.2520"') -> bytes:
    regions = "".join(
        f'<Region Id="{k}"><Attributes/><Vertices>'
        + "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in outline)
        + "</Vertices></Region>"
        for k, outline in enumerate(outlines, start=1)
    )
    head = '<RegionAttributeHeaders><AttributeHeader Id="9999" Name="Region"/></RegionAttributeHeaders>'
    body = f'<Annotation Id="1"><Attributes/><Regions>{head}{regions}</Regions><Plots/></Annotation>'
    return f"<{root}>{body}</{root.split()[0]}>".encode()


def write(raw: Path, *outlines: Outline, case: str = TRAIN) -> None:
    """The archive of the training part with one case."""
    top = "MoNuSeg 2018 Training Data"
    members = {f"{top}/Tissue Images/{case}.tif": encoded(IMAGE, ".tif")}
    write_zip(raw / f"{top}.zip", members | {f"{top}/Annotations/{case}.xml": annotation(*outlines)})


def make(raw: Path) -> dict[str, Any]:
    """Both official archives with one case each."""
    write(raw, box(1, 1, 4, 5), box(6.2, 2.1, 9.7, 8.4))
    test = {f"MoNuSegTestData/{TEST}.tif": encoded(IMAGE + np.uint8(1), ".tif")}
    test[f"MoNuSegTestData/{TEST}.xml"] = annotation(box(2, 2, 9, 9))
    write_zip(raw / "MoNuSegTestData.zip", test)
    return {"image_type": "he"}


def test_both_archives_are_one_dataset(tmp_path: Path) -> None:
    make(tmp_path)
    fields = read("monuseg", tmp_path)
    assert list(fields) == [TEST, TRAIN]
    told = fields[TEST].attributes
    assert (told["part"], told["organ"], told["group"], told["mpp"]) == ("test", "lung", "TCGA-44-2665", 0.252)
    told = fields[TRAIN].attributes
    assert (told["part"], told["organ"], told["patient"]) == ("train", "breast", "TCGA-A7-A13E")
    assert np.array_equal(fields[TRAIN].image, IMAGE)


def test_the_first_region_keeps_a_pixel_and_the_rest_is_counted(tmp_path: Path) -> None:
    """Regions: 3 x 4 pixels; one of 4 x 4 that loses 2; one outside; a hidden one; a line; one cut by the border."""
    outlines = [box(1, 1, 4, 5), box(3, 3, 7, 7), box(20, 20, 30, 30), box(1, 1, 3, 3), [(1, 9), (8, 9)]]
    write(tmp_path, *outlines, box(13, 9, 19, 19))
    field = read("monuseg", tmp_path)[TRAIN]
    assert Counter(field.instances.ravel().tolist()) == {0: 12 * 15 - 12 - 14 - 6, 1: 12, 2: 14, 5: 6}
    assert np.all(field.instances[1:5, 1:4] == 1)
    told = {key: field.attributes[key] for key in ("regions", "regions_without_area", "lost_objects")}
    assert told == {"regions": 6, "regions_without_area": 1, "lost_objects": 3}
    assert field.attributes["overlapping_pixels"] == 2 + 4


def test_the_44_published_cases() -> None:
    assert Counter(case["part"] for case in CASES.values()) == {"train": 30, "test": 14}
    organs = Counter((case["part"], case["organ"]) for case in CASES.values())
    assert {organ: organs["train", organ] for organ in ("breast", "kidney", "liver", "prostate")} == {
        "breast": 6, "kidney": 6, "liver": 6, "prostate": 6,
    }  # fmt: skip
    assert (organs["test", "kidney"], organs["test", "brain"], organs["test", "colon"]) == (3, 2, 1)
    assert len({case[:12] for case in CASES}) == 44


def test_a_case_of_another_release(tmp_path: Path) -> None:
    write(tmp_path, box(1, 1, 4, 5), case="TCGA-XX-YYYY-01Z-00-DX1")
    told = read("monuseg", tmp_path)["TCGA-XX-YYYY-01Z-00-DX1"].attributes
    assert (told["part"], told["organ"]) == ("unlisted", "unknown")


def test_without_a_scale_there_is_no_mpp(tmp_path: Path) -> None:
    (tmp_path / f"{TRAIN}.tif").write_bytes(encoded(IMAGE, ".tif"))
    (tmp_path / f"{TRAIN}.xml").write_bytes(annotation(box(1, 1, 4, 5), root="Annotations"))
    field = read("monuseg", tmp_path)[TRAIN]
    assert "mpp" not in field.attributes
    assert field.instances.sum() == 12


@pytest.mark.parametrize("compression", ["lzw", "packbits"])
def test_the_compressions_of_the_official_files(compression: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / f"{TRAIN}.tif", IMAGE, compression=compression, predictor=compression == "lzw")
    (tmp_path / f"{TRAIN}.xml").write_bytes(annotation(box(1, 1, 4, 5)))
    assert np.array_equal(read("monuseg", tmp_path)[TRAIN].image, IMAGE)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (annotation([("a", 1), (2, 3), (4, 5)]), "a vertex is no pair of numbers"),
        (annotation([("nan", 1), (2, 3), (4, 5)]), r"a vertex is no pair of numbers \(not finite\)"),
        (annotation([("1e999", 1), (2, 3), (4, 5)]), r"a vertex is no pair of numbers \(not finite\)"),
        (annotation(box(1, 1, 4, 5)).replace(b'X="1"', b""), "a vertex is no pair of numbers"),
        (annotation(box(1, 1, 4, 5), root='Annotations MicronsPerPixel="x"'), "MicronsPerPixel is 'x', not a positive"),
        (annotation(box(1, 1, 4, 5), root='Annotations MicronsPerPixel="nan"'), "MicronsPerPixel is 'nan', not a pos"),
        (
            annotation(box(1, 1, 4, 5), root='Annotations MicronsPerPixel="-1"'),
            "MicronsPerPixel is '-1', not a pos",
        ),
        (annotation(box(1, 1, 4, 5))[:-20], r"\.xml: damaged, truncated, or no XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + annotation(box(1, 1, 4, 5)), "declares a document type"),
    ],
)
def test_annotations_that_do_not_fit(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / f"{TRAIN}.tif").write_bytes(encoded(IMAGE, ".tif"))
    (tmp_path / f"{TRAIN}.xml").write_bytes(content)
    with pytest.raises(KaryobenchError, match=told):
        read("monuseg", tmp_path)


def test_coordinates_far_away_are_cut_off(tmp_path: Path) -> None:
    write(tmp_path, [(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)])
    assert read("monuseg", tmp_path)[TRAIN].instances.all()


@pytest.mark.parametrize(
    ("suffix", "told"), [(".tif", f"image '{TRAIN}' has no annotation"), (".xml", f"has no image '{TRAIN}'")]
)
def test_an_image_and_its_annotation_go_together(suffix: str, told: str, tmp_path: Path) -> None:
    (tmp_path / f"{TRAIN}{suffix}").write_bytes(b"")
    with pytest.raises(KaryobenchError, match=told):
        read("monuseg", tmp_path)
