"""Tiles of an image: what a system sees, what it predicted, and the grid that they form."""

from collections.abc import Iterable
from itertools import pairwise

import h5py
import numpy as np

from karyobench.datasets.store import read_attributes, write_array, write_attributes
from karyobench.errors import KaryobenchError
from karyobench.systems.base import Box

Span = tuple[int, int]
Prediction = tuple[Box, np.ndarray]


def crop(image: np.ndarray, box: Box, context: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Cut a tile with `context` pixels (before, after) on both axes; zeros outside the image.

    image: (H, W, ...). Returns (h + before + after, w + before + after, ...) of the same dtype.
    """
    before, after = context
    top, left, bottom, right = box[0] - before, box[1] - before, box[2] + after, box[3] + after
    rows = slice(max(top, 0), min(bottom, image.shape[0]))
    columns = slice(max(left, 0), min(right, image.shape[1]))
    cut = np.zeros((bottom - top, right - left, *image.shape[2:]), dtype=image.dtype)
    cut[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return cut


def start_image(file: h5py.File, image_id: str, shape: tuple[int, int], kind: str) -> h5py.Group:
    """Open the group of an image in a file of predictions. kind: `"maps"`, `"instances"` or `"classes"`."""
    group = file.create_group(image_id)
    write_attributes(group, {"height": shape[0], "width": shape[1], "kind": kind})
    return group


def write_tile(group: h5py.Group, number: int, box: Box, values: np.ndarray) -> None:
    """Add the prediction of one tile: maps (C, h, w), an instance map (h, w), or probabilities (C,)."""
    write_array(group, f"tile/{number:05d}", values)
    write_attributes(group[f"tile/{number:05d}"], {"box": box})


def read_tiles(group: h5py.Group) -> list[Prediction]:
    """Predictions of an image, sorted by box, so that nothing depends on the order in the file."""
    tiles = [(tuple(read_attributes(dataset)["box"]), dataset) for dataset in group["tile"].values()]
    return [(box, dataset[()]) for box, dataset in sorted(tiles, key=lambda tile: tile[0])]


def spans(boxes: Iterable[Box], height: int, width: int) -> tuple[list[Span], list[Span]]:
    """Row spans and column spans of the grid that the boxes form, ascending.

    Raises KaryobenchError unless the boxes are every row span with every column span, once, and cover the image.
    """
    boxes = sorted(boxes)
    rows = sorted({(r0, r1) for r0, _, r1, _ in boxes})
    columns = sorted({(c0, c1) for _, c0, _, c1 in boxes})
    complete = boxes == sorted((r0, c0, r1, c1) for r0, r1 in rows for c0, c1 in columns)
    if not (complete and _covers(rows, height) and _covers(columns, width)):
        raise KaryobenchError(
            f"the {len(boxes)} tiles are not a grid that covers an image of {height}x{width}; predict it again"
        )
    return rows, columns


def _covers(axis: list[Span], length: int) -> bool:
    touching = all(after[0] <= before[1] < after[1] for before, after in pairwise(axis))
    return bool(axis) and axis[0][0] == 0 and axis[-1][1] == length and touching
