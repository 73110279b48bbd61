"""Fundus photographs with the vessels that one or two observers drew, and the field of view within which they count."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from karyobench.datasets import archives, images
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_DARK = 20
_MARGIN = 10
_CORNERS = 20


@dataclass(frozen=True)
class Sources:
    """Members of one photograph: itself, the vessels of the first and the second observer, and the field of view.

    Without `first` the truth is not known; without `view` the field of view is found from the photograph.
    """

    image: str
    first: str | None = None
    second: str | None = None
    view: str | None = None


def field(files: Members, name: str, sources: Sources, record: dict[str, Any]) -> Field:
    """A photograph with its vessels as label 1, and the layers `ignore` (1 outside the field of view) and `second`.

    The attribute `field_of_view` is "given" or "thresholded". Raises KaryobenchError naming a member that is damaged,
    of another size than the photograph, or no mask.
    """
    where = files.where(sources.image)
    image, notes = images.read_image(_content(files, sources.image), where, record.get("intensity"))
    shape = image.shape[:2]
    inside = _mask(files, sources.view, shape) if sources.view else field_of_view(image, where)
    layers = {"ignore": (~inside).astype(np.uint8)}
    if sources.second:
        layers["second"] = _mask(files, sources.second, shape).astype(np.int32)
    truth = _mask(files, sources.first, shape).astype(np.int32) if sources.first else None
    notes |= {"source_file": sources.image, "field_of_view": "given" if sources.view else "thresholded"}
    return Field(name, image, truth, notes, layers)


def field_of_view(image: np.ndarray, where: str) -> np.ndarray:
    """Field of view, bool (H, W), of a fundus photograph uint8 (H, W, 3): its largest bright region, holes filled.

    Bright is what is redder than 20, the level by which the masks of DRIVE were made, and by 10 redder than the
    corners, which no field of view reaches: scanned slides are not black there.
    Raises KaryobenchError naming a photograph without any bright pixel.
    """
    from scipy import ndimage

    red = image[..., 0]
    regions, count = ndimage.label(red > max(_DARK, _corner_level(red) + _MARGIN))
    if not count:
        raise KaryobenchError(f"{where}: too dark to tell the field of view from its surroundings; replace the file")
    sizes = np.bincount(regions.ravel())
    return ndimage.binary_fill_holes(regions == 1 + sizes[1:].argmax())


def _corner_level(red: np.ndarray) -> float:
    """What 99 of 100 pixels of a corner do not exceed; the median of the four, as there may be writing in one."""
    side = max(1, min(red.shape) // _CORNERS)
    ends = slice(side), slice(-side, None)
    return float(np.median([np.percentile(red[rows, columns], 99) for rows in ends for columns in ends]))


def _mask(files: Members, name: str, shape: tuple[int, int]) -> np.ndarray:
    """Mask bool (H, W) of a member whose pixels are black or white, with however many channels."""
    where = files.where(name)
    values = images.read_image(_content(files, name), where)[0][..., 0]
    if values.shape != shape:
        raise KaryobenchError(f"{where} has shape {values.shape}, its photograph {shape}; download it again")
    inside = values > 127
    if values.any() and not inside.any():
        raise KaryobenchError(f"{where}: no pixel is brighter than {values.max()}; a mask is black (0) and white (255)")
    return inside


def _content(files: Members, name: str) -> bytes:
    data = files.read(name)
    return archives.gunzip(data, files.where(name)) if name.endswith(".gz") else data
