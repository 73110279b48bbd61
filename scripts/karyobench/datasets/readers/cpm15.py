"""CPM-15, the nuclei of the MICCAI 2015 digital pathology challenge: PNG images with label maps as text.

Beside `image<nn>.png` lies `image<nn>_mask.txt`: its first line holds width and height, then come the labels row by row
from the top left, 0 for background. The distributed masks of image04 and image05 are swapped.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import images, members, patterns
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_ID = r"(?P<id>image\d+)"
_AT_20X = [f"image{number:02d}" for number in range(1, 8)]


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted. A mask whose size is not that of its image goes to the image that it fits.

    Attributes: `magnification`, 20 or 40 as the dataset's README has it; `mask_file` where it is not the image's own.
    Raises KaryobenchError naming an image or a mask without the other, or a mask that does not fit.
    """
    with members.collected(raw, receipt) as found:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(found.names, rf"{_ID}\.png", dataset)
        masks = patterns.by_id(found.names, rf"{_ID}_mask\.txt", dataset)
        patterns.refuse_orphans(masks, pictures, dataset)
        fields = {name: _image(found, name, member, record) for name, member in pictures.items()}
        labels = {name: _labels(found, patterns.required(masks, name, "mask", dataset)) for name in pictures}
        for name, field in fields.items():
            owner = _owner(name, fields, labels, found.where(masks[name]))
            swapped = {} if owner == name else {"mask_file": masks[owner]}
            yield replace(field, instances=labels[owner], attributes=field.attributes | swapped)


def _image(found: Members, name: str, member: str, record: dict[str, Any]) -> Field:
    image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
    notes |= {"source_file": member, "magnification": 20 if name in _AT_20X else 40}
    return Field(name, image, None, notes)


def _labels(found: Members, member: str) -> np.ndarray:
    """Label map int32 (H, W) of a text file."""
    where = found.where(member)
    head, _, body = found.read(member).partition(b"\n")
    try:
        width, height = (int(number) for number in head.split())
        labels = np.fromiter(map(int, body.split()), np.int32)
    except (ValueError, OverflowError) as error:
        raise KaryobenchError(f"{where}: damaged or no label map ({error}); download the archive again") from None
    if width < 1 or height < 1 or len(labels) != width * height:
        raise KaryobenchError(f"{where}: has {len(labels)} labels, not {width} x {height}; download the archive again")
    return labels.reshape(height, width)


def _owner(name: str, fields: dict[str, Field], labels: dict[str, np.ndarray], where: str) -> str:
    """Name of the image whose mask an image gets: its own if it fits, else that of the one image to swap with."""
    sizes = {other: field.image.shape[:2] for other, field in fields.items()}
    if labels[name].shape == sizes[name]:
        return name
    fitting = [other for other in sizes if (labels[other].shape, labels[name].shape) == (sizes[name], sizes[other])]
    if len(fitting) != 1:
        raise KaryobenchError(
            f"{where}: has shape {labels[name].shape}, its image {sizes[name]}, and there is not one image to swap "
            f"masks with ({', '.join(fitting) or 'none fits'}); download the archive again"
        )
    return fitting[0]
