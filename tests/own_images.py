"""A user's folder of images, with the same truth in each of the formats that the reader `folder` knows."""

import json
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

FORMATS = ("labels", "masks", "geojson", "coco")
NAMES = ("p1_a", "p1_b", "p2_a")
SHAPE = (24, 30)
TRUTH = {
    "labels": "labels/{name}.png",
    "masks": "masks/{name}/*.png",
    "geojson": "qupath/{name}.geojson",
    "coco": "annotations.json",
}


def truth(name: str) -> np.ndarray:
    """Label map uint16 of two rectangles that touch, and a third; the last image has none."""
    labels = np.zeros(SHAPE, np.uint16)
    if name != NAMES[-1]:
        labels[2:8, 3:9], labels[2:8, 9:14], labels[15:20, 20 : 24 + NAMES.index(name)] = 1, 2, 3
    return labels


def make(folder: Path, form: str) -> dict[str, Any]:
    """Write a valid folder; the key `folder` of its record."""
    for k, name in enumerate(NAMES):
        _png(folder / f"images/{name}.png", np.random.default_rng(k).integers(0, 256, (*SHAPE, 3), np.uint8))
    {"labels": _labels, "masks": _masks, "geojson": _geojson, "coco": _coco}[form](folder)
    return {"images": "images/*.png", "truth": TRUTH[form], "format": form}


def _labels(folder: Path) -> None:
    for name in NAMES:
        _png(folder / f"labels/{name}.png", truth(name))


def _masks(folder: Path) -> None:
    for name in NAMES:
        for label in range(1, 4):
            _png(folder / f"masks/{name}/{label}.png", (truth(name) == label).astype(np.uint8) * 255)


def _geojson(folder: Path) -> None:
    for name in NAMES:
        rings = [_corners(truth(name) == label) for label in range(1, truth(name).max() + 1)]
        geometries = [{"type": "Polygon", "coordinates": [[*ring, ring[0]]]} for ring in rings]
        features = [{"type": "Feature", "geometry": geometry, "properties": {}} for geometry in geometries]
        _json(folder / f"qupath/{name}.geojson", {"type": "FeatureCollection", "features": features})


def _coco(folder: Path) -> None:
    """The first object of an image is run lengths, the others are polygons; the second image has a crowd."""
    images = [{"id": k, "file_name": f"{n}.png", "height": SHAPE[0], "width": SHAPE[1]} for k, n in enumerate(NAMES)]
    annotations = [{"image_id": 1, "iscrowd": 1, "segmentation": [[0, 20, 30, 20, 30, 24, 0, 24]]}]
    for k, name in enumerate(NAMES):
        masks = [truth(name) == label for label in range(1, truth(name).max() + 1)]
        outlines = [[[x for corner in _corners(mask) for x in corner]] for mask in masks]
        outlines[:1] = [_run_lengths(mask) for mask in masks[:1]]
        annotations += [{"image_id": k, "segmentation": outline} for outline in outlines]
    _json(folder / "annotations.json", {"images": images, "annotations": annotations})


def _corners(mask: np.ndarray) -> list[list[int]]:
    """Corners x, y of a rectangle of pixels."""
    rows, columns = np.nonzero(mask)
    r0, r1, c0, c1 = int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    return [[c0, r0], [c1, r0], [c1, r1], [c0, r1]]


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    changes = np.flatnonzero(np.diff(mask.T.reshape(-1).astype(int), prepend=0)).tolist()
    return {"size": list(SHAPE), "counts": np.diff([0, *changes, mask.size]).tolist()}


def _png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(pixels))


def _json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
