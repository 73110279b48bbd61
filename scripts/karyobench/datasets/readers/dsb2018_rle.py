"""Data Science Bowl 2018, test sets of both stages (BBBC038v1): images in a zip, their truth as run lengths in a CSV.

Images are `<image>/images/<image>.png`, below a folder or not. The CSV has the columns ImageId, EncodedPixels, Height,
Width and Usage, a row per nucleus. EncodedPixels holds pairs of a start and a length; starts count from 1, down the
columns of the image. Images whose Usage is Ignored were never scored.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import csv_tables, masks, members, patterns, staining
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_COLUMNS = ("ImageId", "EncodedPixels", "Height", "Width", "Usage")
_IGNORED = "Ignored"
_Rows = list[tuple[str, dict[str, str]]]
"""Rows of a table, each with what messages call it."""


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per scored image, sorted. Images without a scored row in the CSV are left out; the log says how many.

    Attributes: `image_type` and `colour_statistics`, see `staining.read_image`; `overlapping_pixels`, the number of
    pixels that more than one nucleus claims: the first row keeps them; `lost_objects`, the number of nuclei of which
    no pixel is left. Raises KaryobenchError naming a row that does not fit its image.
    """
    with members.collected(raw, receipt) as found:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(found.names, r"(?P<id>[^/]+)/images/[^/]+\.png", dataset)
        for name, rows in _scored(found, pictures, dataset).items():
            member = patterns.required(pictures, name, "file", dataset)
            image, notes = staining.read_image(found.read(member), found.where(member), record.get("intensity"))
            nuclei = [pixels for where, row in rows if (pixels := _pixels(row, where, image.shape[:2])).size]
            labels, contested = masks.united(nuclei, image.shape[:2])
            notes |= {"source_file": member, "overlapping_pixels": contested}
            yield Field(name, image, labels, notes | {"lost_objects": masks.lost(labels, len(nuclei))})


def _scored(found: Members, pictures: dict[str, str], dataset: str) -> dict[str, _Rows]:
    """Rows of each image that counts, sorted by image name."""
    rows = [row for name in found.names if name.endswith(".csv") for row in _rows(found, name)]
    scored = defaultdict(list)
    for where, row in rows:
        if row["Usage"] != _IGNORED:
            scored[row["ImageId"]].append((where, row))
    ignored = {row["ImageId"] for _, row in rows} & pictures.keys() - scored.keys()
    untold = pictures.keys() - scored.keys() - ignored
    log.info("%s: %d images marked %s and %d without truth left out", dataset, len(ignored), _IGNORED, len(untold))
    return dict(sorted(scored.items()))


def _rows(found: Members, name: str) -> _Rows:
    where = found.where(name)
    table = csv_tables.records(found.read(name), where, _COLUMNS)
    return [(f"{where}: row {number}", row) for number, row in enumerate(table, start=2)]


def _pixels(row: dict[str, str], where: str, shape: tuple[int, int]) -> np.ndarray:
    """Flat row-major indices of the pixels of one nucleus; none for an image without nuclei."""
    try:
        size = int(row["Height"]), int(row["Width"])
        starts, lengths = np.array(row["EncodedPixels"].split(), np.int64).reshape(-1, 2).T
    except (ValueError, OverflowError) as error:
        raise KaryobenchError(f"{where}: no pairs of a start and a length ({error}); download the file again") from None
    if size != shape:
        raise KaryobenchError(f"{where}: tells of shape {size}, its image has {shape}; download both files again")
    area = shape[0] * shape[1]
    within = (starts >= 1) & (starts <= area) & (lengths >= 1) & (lengths <= area) & (starts + lengths <= area + 1)
    if not within.all() or lengths.sum() > area:
        raise KaryobenchError(f"{where}: has runs outside of its image, or too many; download the file again")
    before = lengths.cumsum() - lengths
    column, line = np.divmod(np.repeat(starts - 1 - before, lengths) + np.arange(lengths.sum()), shape[0])
    return line * shape[1] + column
