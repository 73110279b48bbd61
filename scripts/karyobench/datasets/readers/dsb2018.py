"""Data Science Bowl 2018, stage 1 training set (BBBC038v1): a zip with one PNG per image and one per nucleus.

Members are `<image>/images/<image>.png` and `<image>/masks/<mask>.png`, below a folder or not.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

import numpy as np

from karyobench.datasets import archives, images
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_COLOURED = 0.02
_BRIGHT = 100


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted, read from the archive in place.

    Attributes: `image_type`, named from the pixels; `overlapping_pixels`, the number of pixels that more than one
    mask claims: the first mask in the order of file names keeps them.
    """
    with archives.opened(raw / next(iter(receipt["files"]))) as archive:
        pictures, masks = _listed(archive)
        for name, member in sorted(pictures.items()):
            where = f"{archive.filename}: member '{member}'"
            data = archives.read(archive, member)
            # The thresholds of `image_type` are for pixels as stored, whatever the record makes of them.
            kind = image_type(images.read_image(data, where)[0])
            image, notes = images.read_image(data, where, record.get("intensity"))
            labels, contested = _united(archive, masks[name], image.shape[:2])
            notes |= {"image_type": kind, "overlapping_pixels": contested}
            yield Field(name, image, labels, {"source_file": member, **notes})


def image_type(image: np.ndarray) -> str:
    """Kind of an image uint8 (H, W, 3), which the data do not tell: he, brightfield or fluorescence.

    Stained tissue is coloured: its mean saturation (HSV, 0..1) is above 0.02, that of the others, which are grey, is 0.
    Brightfield is grey on white, fluorescence bright on black: their mean intensities lie on either side of 100.
    """
    largest = image.max(axis=2).astype(np.float32)
    saturation = (largest - image.min(axis=2)) / np.maximum(largest, 1)
    if saturation.mean() > _COLOURED:
        return "he"
    return "brightfield" if image.mean() > _BRIGHT else "fluorescence"


def _listed(archive: ZipFile) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Member of each image, and the sorted members of its masks, by image name."""
    pictures, masks = {}, defaultdict(list)
    for member in archives.members(archive):
        path = PurePosixPath(member)
        if path.suffix == ".png" and path.parent.name == "images":
            pictures[path.parent.parent.name] = member
        elif path.suffix == ".png" and path.parent.name == "masks":
            masks[path.parent.parent.name].append(member)
    orphans = sorted(masks.keys() - pictures.keys())
    if orphans:
        raise KaryobenchError(f"{archive.filename}: '{orphans[0]}' has masks but no image; download the archive again")
    return pictures, masks


def _united(archive: ZipFile, members: list[str], shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Instance map int32 (H, W) of masks that hold one nucleus each, and the number of contested pixels."""
    labels = np.zeros(shape, np.int32)
    contested = 0
    for label, member in enumerate(members, start=1):
        where = f"{archive.filename}: member '{member}'"
        mask = images.read_labels(archives.read(archive, member), where) > 0
        if mask.shape != shape:
            raise KaryobenchError(f"{where} has shape {mask.shape}, its image {shape}; download the archive again")
        contested += int((mask & (labels > 0)).sum())
        labels[mask & (labels == 0)] = label
    return labels, contested
