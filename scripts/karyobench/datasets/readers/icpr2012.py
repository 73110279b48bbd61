"""ICPR 2012 mitosis contest: high power fields of five slides, each scanned by two scanners, and the pixels of mitoses.

`<A|H><slide>_<field>.bmp` and `.csv`, one mitosis per line as x, y of each of its pixels. The `.jpg` of the same name
shows the mitoses drawn into the image and is not read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import csv_tables, images, masks, members, patterns
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_FIELD = r"(?P<id>[AH]\d\d_\d\d)"
# Microns per pixel; the mean of both directions, which differ by 0.1 per cent, of the Hamamatsu scanner.
_SCANNERS = {"A": ("aperio", 0.2456), "H": ("hamamatsu", 0.2274)}


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted, with a label per mitosis; the truth of an image without a list is not known.

    Attributes: `scanner`, `mpp`, `hpf` (slide and field, the same for both scanners), `group` (the slide),
    `overlapping_pixels`, of which the first mitosis keeps each, `outside_pixels`, which lie beyond the image, and
    `lost_objects`, mitoses that lie wholly under others.
    """
    with members.collected(raw, receipt) as files:
        pictures = patterns.by_id(files.names, rf"{_FIELD}\.(?:bmp|tiff?|png)", receipt["dataset"])
        lists = patterns.by_id(files.names, rf"{_FIELD}\.csv", receipt["dataset"])
        patterns.refuse_orphans(lists, pictures, receipt["dataset"])
        for name, member in pictures.items():
            image, notes = images.read_image(files.read(member), files.where(member), record.get("intensity"))
            scanner, mpp = _SCANNERS[name[0]]
            notes |= {"source_file": member, "scanner": scanner, "mpp": mpp, "hpf": name[1:], "group": name[1:3]}
            labels = None
            if name in lists:
                labels, counts = _mitoses(files.read(lists[name]), files.where(lists[name]), image.shape[:2])
                notes |= counts
            yield Field(name, image, labels, notes)


def _mitoses(data: bytes, where: str, shape: tuple[int, int]) -> tuple[np.ndarray, dict[str, int]]:
    """Instance map int32 (H, W) of the pixel lists, and what of them is not in it."""
    lines = csv_tables.numbers(data, where)
    found = [_pixels(line, f"{where}: mitosis {label}", shape) for label, line in enumerate(lines, start=1)]
    labels, contested = masks.united((pixels for pixels, _ in found), shape)
    counts = {"overlapping_pixels": contested, "outside_pixels": sum(outside for _, outside in found)}
    return labels, counts | {"lost_objects": masks.lost(labels, len(found))}


def _pixels(line: list[float], where: str, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Flat indices of the pixels of one mitosis, and how many of its pixels lie outside the image."""
    values = np.array(line)
    if len(values) % 2 or (values != np.rint(values)).any():
        raise KaryobenchError(f"{where} is no list of pairs of whole numbers; replace the file")
    columns, rows = np.unique(values.reshape(-1, 2), axis=0).T
    within = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not within.any():
        raise KaryobenchError(f"{where} lies outside its image of {shape}; replace the file")
    pixels = np.ravel_multi_index((rows[within].astype(int), columns[within].astype(int)), shape)
    return pixels, int(np.count_nonzero(~within))
