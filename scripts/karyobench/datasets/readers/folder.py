"""A user's own images, with truth in one of four formats, found by the patterns of the record's key `folder`.

folder: {images, truth, format, group}. `images` and `truth` are patterns of paths below the source, see `globs`.
Formats of the truth:

- labels: a label image for each image, 0 background;
- masks: any number of images for each image, whose pixels other than 0 are one object;
- geojson: a file for each image, see `annotations.geojson`;
- coco: one file for all, without `{name}` in its pattern, see `annotations.coco`.

group: regular expression; what its one pair of brackets captures in an image's name is the group, such as a patient.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import annotations, images, masks, members, pairing, polygons
from karyobench.datasets.annotations import Listed
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_WITHOUT_INSTANCES = ("vessels", "regions")
_WHITE = 255
_Truth = tuple[np.ndarray, dict[str, Any], dict[str, np.ndarray]]


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, in the order of names; its id is its name with '-' for '/'.

    Attributes: `group`, where the record has one; of masks and outlines `overlapping_pixels` that more than one object
    claims (the first in the file, or of the sorted file names, keeps them) and `lost_objects` of which no pixel is
    left; of GeoJSON `ignored_features`. Layer `ignore`: crowds of a COCO file. Where the record's objects are vessels
    or regions, every labelled pixel becomes label 1.
    Raises KaryobenchError naming an image without truth, truth without an image, and what is damaged or does not fit.
    """
    asked, dataset = record["folder"], receipt["dataset"]
    with members.collected(raw, receipt) as found:
        pictures = pairing.pictures(found.names, asked, dataset)
        truths = _truths(found, asked, pictures, dataset)
        for name, member in pictures.items():
            image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
            labels, counted, layers = _FORMATS[asked["format"]](found, truths[name], image.shape[:2])
            if record.get("objects") in _WITHOUT_INSTANCES:
                labels = (labels != 0).astype(np.int32)
            elif asked["format"] == "labels":
                _refuse_mask(labels, found.where(truths[name][0]))
            notes |= {"source_file": member, **pairing.group(name, asked, dataset), **counted}
            yield Field(pairing.image_id(name), image, labels, notes, layers)


def _truths(found: Members, asked: dict[str, Any], pictures: dict[str, str], dataset: str) -> dict[str, Any]:
    """Of each image by name the paths of its truth, or what the one file says of it."""
    if asked["format"] != "coco":
        return pairing.truths(found.names, asked, pictures, dataset)
    file = pairing.one_truth(found.names, asked, dataset)
    listed = annotations.coco(found.read(file), found.where(file))
    return pairing.by_file_name(listed, pictures, found.where(file), dataset)


def _refuse_mask(labels: np.ndarray, where: str) -> None:
    if np.array_equal(np.unique(labels[labels != 0]), [_WHITE]):
        raise KaryobenchError(
            f"{where}: has no values but 0 and 255: a mask, not a label map; give each object a number of its own, or "
            "set `objects: regions` where objects are not told apart"
        )


# ---------------------------------------------------------------------- formats: instance map, attributes, layers


def _labels(found: Members, truths: list[str], shape: tuple[int, int]) -> _Truth:
    return images.read_labels(found.read(truths[0]), found.where(truths[0])), {}, {}


def _masks(found: Members, truths: list[str], shape: tuple[int, int]) -> _Truth:
    objects = [pixels for pixels in (_pixels(found, truth, shape) for truth in truths) if pixels.size]
    labels, contested = masks.united(objects, shape)
    return labels, _counted(labels, len(objects), contested), {}


def _pixels(found: Members, truth: str, shape: tuple[int, int]) -> np.ndarray:
    """Flat indices of the pixels of a mask; an image without objects has a black one."""
    where = found.where(truth)
    mask = images.read_labels(found.read(truth), where)
    if mask.shape != shape:
        raise KaryobenchError(f"{where} has shape {mask.shape}, its image {shape}; correct one of them")
    return np.flatnonzero(mask != 0)


def _geojson(found: Members, truths: list[str], shape: tuple[int, int]) -> _Truth:
    outlines, ignored = annotations.geojson(found.read(truths[0]), found.where(truths[0]))
    labels, contested = polygons.rasterize(outlines, shape)
    return labels, _counted(labels, len(outlines), contested) | {"ignored_features": ignored}, {}


def _coco(found: Members, truth: Listed, shape: tuple[int, int]) -> _Truth:
    if truth.size != shape:
        raise KaryobenchError(f"{truth.where}: is told to be of shape {truth.size}, and is {shape}; correct the file")
    objects, crowds = annotations.coco_outlines(truth)
    labels, contested = polygons.rasterize(objects, shape)
    crowded = polygons.rasterize(crowds, shape)[0] > 0
    layers = {"ignore": crowded.astype(np.uint8)} if crowds else {}
    return labels, _counted(labels, len(objects), contested), layers


def _counted(labels: np.ndarray, objects: int, contested: int) -> dict[str, int]:
    return {"overlapping_pixels": contested, "lost_objects": masks.lost(labels, objects)}


_FORMATS = {"labels": _labels, "masks": _masks, "geojson": _geojson, "coco": _coco}
