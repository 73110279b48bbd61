"""Outlines of QuPath and COCO files, against their pixels written out."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.datasets import annotations, polygons, run_lengths
from karyobench.errors import KaryobenchError

SHAPE = (12, 20)


def box(r0: int, c0: int, r1: int, c1: int) -> dict[str, Any]:
    """GeoJSON of a rectangle of pixels."""
    return {"type": "Polygon", "coordinates": [[[c0, r0], [c1, r0], [c1, r1], [c0, r1], [c0, r0]]]}


def feature(geometry: dict[str, Any], kind: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": kind} if kind else {}, **more}


def labels(outlines: list[Any]) -> np.ndarray:
    return polygons.rasterize(outlines, SHAPE)[0]


def filled(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Label map of rectangles of pixels."""
    expected = np.zeros(SHAPE, int)
    for k, (r0, c0, r1, c1) in enumerate(boxes, start=1):
        expected[r0:r1, c0:c1] = k
    return expected


# ---------------------------------------------------------------------- GeoJSON


@pytest.mark.parametrize("form", [lambda f: f, lambda f: {"type": "FeatureCollection", "features": f}])
def test_features_of_a_list_or_a_collection(form: Any) -> None:
    data = json.dumps(form([feature(box(1, 2, 4, 9)), feature(box(6, 0, 12, 20))])).encode()
    outlines, ignored = annotations.geojson(data, "a.geojson")
    assert ignored == 0
    assert np.array_equal(labels(outlines), filled((1, 2, 4, 9), (6, 0, 12, 20)))


def test_holes_and_parts() -> None:
    ring = box(0, 0, 9, 9)["coordinates"] + box(3, 3, 6, 6)["coordinates"]
    parts = {"type": "MultiPolygon", "coordinates": [ring, box(10, 15, 12, 20)["coordinates"]]}
    outlines, _ = annotations.geojson(json.dumps([feature(parts)]).encode(), "a")
    expected = filled((0, 0, 9, 9)) + filled((10, 15, 12, 20))
    expected[3:6, 3:6] = 0
    assert np.array_equal(labels(outlines), expected)


@pytest.mark.parametrize("inside", [False, True])
def test_the_nucleus_of_a_cell_is_the_object(inside: bool) -> None:
    nucleus = {"nucleusGeometry": box(2, 2, 4, 4)}
    cell = feature(box(0, 0, 8, 8), "cell", **({} if inside else nucleus))
    cell["properties"] |= nucleus if inside else {}
    outlines, _ = annotations.geojson(json.dumps([cell, feature(box(9, 9, 11, 11), "cell")]).encode(), "a")
    assert np.array_equal(labels(outlines), filled((2, 2, 4, 4), (9, 9, 11, 11)))


@pytest.mark.parametrize("key", ["objectType", "object_type"])
def test_the_region_in_which_cells_were_found_is_no_object(key: str) -> None:
    region, found = feature(box(0, 0, 12, 20)), feature(box(1, 1, 3, 3))
    region["properties"][key], found["properties"][key] = "annotation", "detection"
    outlines, ignored = annotations.geojson(json.dumps([region, found]).encode(), "a")
    assert ignored == 1
    assert np.array_equal(labels(outlines), filled((1, 1, 3, 3)))
    assert len(annotations.geojson(json.dumps([region]).encode(), "a")[0]) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"type"', "a: damaged, truncated, or no JSON"),
        (b"\xff\xfe\xfd", "a: damaged"),
        (b"[" * 100_000, "a: damaged"),
        (b"{}", "a: has no proper 'features'"),
        (b"3", "a: has no proper 'features'"),
        (b"[3]", "a: feature 1: has no proper 'geometry'"),
        (
            [feature(box(0, 0, 1, 1)), feature({"type": "Point", "coordinates": [1, 2]})],
            "a: feature 2: is a Point, not an",
        ),
        ([feature({"type": "Polygon"})], "a: feature 1: is no outline"),
        ([feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})], "a: feature 1: is no outline"),
        ([feature({"type": "Polygon", "coordinates": [["x", "y", "z", "x"]]})], "a: feature 1: is no outline"),
        ([feature({"type": "Polygon", "coordinates": 7})], "a: feature 1: is no outline"),
        ([feature(box(0, 0, 10**400, 1))], "a: feature 1: is no outline"),
        ([feature(box(0, 0, 10**9, 1))], "a: feature 1: is no outline .*no number below 1e"),
        ([feature(box(0, 0, float("nan"), 1))], "a: feature 1: is no outline"),
    ],
)
def test_geojson_that_is_none(content: Any, message: str) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(KaryobenchError, match=message):
        annotations.geojson(data, "a")


# ---------------------------------------------------------------------- COCO


def coco(segmentations: list[Any], crowds: list[Any] | None = None) -> bytes:
    """A file of one image with these objects and crowds."""
    told = [{"image_id": 5, "segmentation": outline} for outline in segmentations]
    told += [{"image_id": 5, "segmentation": outline, "iscrowd": 1} for outline in crowds or []]
    image = {"id": 5, "file_name": "a.png", "height": SHAPE[0], "width": SHAPE[1]}
    return json.dumps({"images": [image], "annotations": told}).encode()


def ring(r0: int, c0: int, r1: int, c1: int) -> list[int]:
    return [c0, r0, c1, r0, c1, r1, c0, r1]


def test_coco_polygons_of_several_parts_and_crowds() -> None:
    parts = [ring(0, 0, 2, 2), ring(4, 4, 6, 9)]
    listed = annotations.coco(coco([parts, [ring(9, 0, 11, 3)]], crowds=[[ring(8, 8, 12, 20)]]), "c.json")
    assert list(listed) == ["a.png"] and listed["a.png"].size == SHAPE
    objects, crowds = annotations.coco_outlines(listed["a.png"])
    expected = filled((0, 0, 2, 2), (9, 0, 11, 3))
    expected[4:6, 4:9] = 1
    assert np.array_equal(labels(objects), expected)
    assert np.array_equal(labels(crowds), filled((8, 8, 12, 20)))


def runs(mask: np.ndarray) -> list[int]:
    """Run lengths, written out: columns one after the other, the first run of zeros."""
    found, value = [0], 0
    for pixel in mask.T.reshape(-1).tolist():
        if pixel != value:
            found.append(0)
            value = pixel
        found[-1] += 1
    return found


def compressed(counts: list[int]) -> str:
    """The text of run lengths: groups of five bits, the lowest first, until the rest is the sign alone."""
    text = ""
    for k, count in enumerate(counts):
        rest = count - (counts[k - 2] if k > 2 else 0)
        while True:
            bits, rest = rest & 31, rest >> 5
            last = rest == (-1 if bits & 16 else 0)
            text += chr(48 + bits + (0 if last else 32))
            if last:
                break
    return text


@given(st.integers(1, 9), st.integers(1, 70), st.integers(0, 2**32 - 1), st.booleans())
def test_run_lengths_are_their_mask(height: int, width: int, seed: int, packed: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((height, width)) < rng.random()).astype(int)
    mask[:, : width // 2] = rng.integers(2)
    counts = compressed(runs(mask)) if packed else runs(mask)
    outline = run_lengths.outline({"size": [height, width], "counts": counts}, (height, width), "x")
    assert np.array_equal(polygons.rasterize([outline], (height, width))[0], mask)


def test_a_long_run_is_compressed_to_several_characters() -> None:
    """1000 is 8 and 31 fives: 0b01000 with more to follow is 'X', 31 with the sign's bit clear needs a third, '0'."""
    assert compressed([1000]) == "Xo0"
    outline = run_lengths.outline({"size": [10, 100], "counts": "Xo0"}, (10, 100), "x")
    assert outline.is_empty


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ({"size": [12, 19], "counts": [228]}, r"has the size \[12, 19\], its image \[12, 20\]"),
        ({"counts": [240]}, "has the size None"),
        ({"size": [12, 20]}, "holds no run lengths"),
        ({"size": [12, 20], "counts": [-1, 241]}, "holds no run lengths"),
        ({"size": [12, 20], "counts": [1.5, 238.5]}, "holds no run lengths"),
        ({"size": [12, 20], "counts": [100, 139]}, "the runs cover 239 pixels, the image has 240"),
        ({"size": [12, 20], "counts": "a b"}, "no text of run lengths"),
        ({"size": [12, 20], "counts": "o" * 50}, "no text of run lengths"),
        ({"size": [12, 20], "counts": "o"}, "ends in the middle of a number"),
    ],
)
def test_run_lengths_that_are_none(encoded: dict[str, Any], message: str) -> None:
    listed = annotations.coco(coco([encoded]), "c.json")
    with pytest.raises(KaryobenchError, match=f"c.json: annotation 1: .*{message}"):
        annotations.coco_outlines(listed["a.png"])


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "has no proper 'segmentation'"),
        ([[0, 0, 1, 1, 2]], "odd number of coordinates"),
        ([[0, 0, 1, 1]], "is no outline"),
        ([7], "is no outline"),
        (["abcdef"], "is no outline"),
        ([[0, 0, 1, 1, 2, 1e300]], "is no outline"),
    ],
)
def test_coco_polygons_that_are_none(segmentation: Any, message: str) -> None:
    listed = annotations.coco(coco([segmentation]), "c.json")
    with pytest.raises(KaryobenchError, match=f"c.json: annotation 1: .*{message}"):
        annotations.coco_outlines(listed["a.png"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"annotations": []}, "c.json: has no proper 'images'"),
        ({"images": [{"id": 1}], "annotations": []}, "c.json: image 1: has no proper 'file_name'"),
        ({"images": [{"id": 1, "file_name": "a", "height": "3", "width": 3}]}, "image 1: has no proper 'height'"),
        (
            {"images": [], "annotations": [{"image_id": 4, "segmentation": []}]},
            "annotation 1: there is no image with the id 4",
        ),
        (
            {"images": 2 * [{"id": 1, "file_name": "a", "height": 3, "width": 3}]},
            r"image 2 \('a'\) or the id 1 occurs twice",
        ),
    ],
)
def test_coco_files_that_are_none(content: dict[str, Any], message: str) -> None:
    with pytest.raises(KaryobenchError, match=message):
        annotations.coco(json.dumps(content).encode(), "c.json")
