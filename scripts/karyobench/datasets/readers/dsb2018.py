"""Data Science Bowl 2018, stage 1 training set (BBBC038v1): one PNG per image and one per nucleus.

Members are `<image>/images/<image>.png` and `<image>/masks/<mask>.png`, below a folder or not.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from karyobench.datasets import images, masks, members, patterns, staining
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted, read from the archive in place.

    Attributes: `image_type` and `colour_statistics`, see `staining.read_image`; `overlapping_pixels`, the number of
    pixels that more than one mask claims: the first mask in the order of file names keeps them; `lost_objects`, the
    number of masks of which no pixel is left.
    """
    with members.collected(raw, receipt) as found:
        pictures, nuclei = _listed(found, receipt["dataset"])
        for name, member in pictures.items():
            image, notes = staining.read_image(found.read(member), found.where(member), record.get("intensity"))
            shape = image.shape[:2]
            labels, contested = masks.united((_pixels(found, mask, shape) for mask in nuclei[name]), shape)
            notes |= {"source_file": member, "overlapping_pixels": contested}
            notes |= {"lost_objects": masks.lost(labels, len(nuclei[name]))}
            yield Field(name, image, labels, notes)


def _listed(found: Members, dataset: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Member of each image, and the sorted members of its masks, by image name."""
    names = found.names
    pictures = patterns.by_id(names, r"(?P<id>[^/]+)/images/[^/]+\.png", dataset)
    nuclei = defaultdict(list)
    for path in map(PurePosixPath, names):
        if path.suffix == ".png" and path.parent.name == "masks":
            nuclei[path.parent.parent.name].append(str(path))
    patterns.refuse_orphans({name: found[0] for name, found in nuclei.items()}, pictures, dataset)
    return pictures, nuclei


def _pixels(found: Members, member: str, shape: tuple[int, int]) -> np.ndarray:
    """Flat indices of the pixels of a mask that holds one nucleus."""
    where = found.where(member)
    mask = images.read_labels(found.read(member), where)
    if mask.shape != shape:
        raise KaryobenchError(f"{where} has shape {mask.shape}, its image {shape}; download the archive again")
    return np.flatnonzero(mask != 0)
