"""Instance maps of tiles united across the seams between them: the border rule of P-RCNN.

Lin et al. unite a nucleus that touches a tile's border with the one across the border that shares the longest edge.
Here, made exact: tiles do not overlap; a seam is a whole line of the grid; the edge of two nuclei is their number of
4-adjacent pixel pairs across the seam. Per seam, the pair with the longest edge is united first (ties: larger joint
area, then smaller labels), both leave the seam, and so on until no edge reaches `min_edge`. A nucleus is thus united
at most once per seam. Vertical seams come first, left to right, then horizontal ones, top to bottom.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from karyobench.errors import KaryobenchError
from karyobench.inference.tiles import Prediction, Span, spans


def unite(tiles: list[Prediction], height: int, width: int, min_edge: int) -> np.ndarray:
    """Instance map of an image from instance maps of its tiles; equal labels in two tiles mean nothing.

    tiles: boxes that partition the image, with integer maps (h, w), sorted by box. Returns int32 (height, width),
    labels 1..n in raster order of each nucleus's first pixel. Raises KaryobenchError on tiles that overlap.
    """
    canvas, area, lines = _paste(tiles, height, width)
    root = np.arange(len(area), dtype=np.int32)
    for before, after in _across(canvas, *lines):
        for kept, gone in _matches(root[before], root[after], area, min_edge):
            area[kept] += area[gone]
            root[gone] = kept
        root = root[root]
    return relabel(root[canvas])[0]


def relabel(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber labels 1..n in raster order of their first pixel; 0 stays 0.

    labels: any integers (H, W). Returns the int32 map and the areas int64 (n + 1,) with the background's as 0.
    Works on runs of equal pixels, because sorting every pixel would cost more than the rest of the merge.
    """
    flat = labels.ravel()
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = np.diff(starts, append=flat.size)
    values, first, run = np.unique(flat[starts], return_index=True, return_inverse=True)
    objects = np.flatnonzero(values != 0)
    number = np.zeros(len(values), np.int32)
    number[objects[np.argsort(first[objects])]] = np.arange(1, len(objects) + 1)
    area = np.bincount(number[run], weights=lengths, minlength=len(objects) + 1).astype(np.int64)
    area[0] = 0
    return np.repeat(number[run], lengths).reshape(labels.shape), area


def _paste(tiles: list[Prediction], height: int, width: int) -> tuple[np.ndarray, np.ndarray, tuple[list[int], ...]]:
    """All tiles on one map, labels made unique in box order, areas by label, and the seams (columns, rows)."""
    rows, columns = spans((box for box, _ in tiles), height, width)
    lines = (_seams(columns), _seams(rows))
    canvas = np.zeros((height, width), np.int32)
    areas = [np.zeros(1, np.int64)]
    offset = 0
    for (r0, c0, r1, c1), labels in tiles:
        own, area = relabel(labels)
        canvas[r0:r1, c0:c1] = np.where(own > 0, own + offset, 0)
        areas.append(area[1:])
        offset += len(area) - 1
    return canvas, np.concatenate(areas), lines


def _seams(axis: list[Span]) -> list[int]:
    if any(before[1] != after[0] for before, after in pairwise(axis)):
        raise KaryobenchError("tiles of instance maps must not overlap; predict them again with overlap 0")
    return [start for start, _ in axis[1:]]


def _across(canvas: np.ndarray, columns: list[int], rows: list[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Labels just before and just after each seam."""
    for column in columns:
        yield canvas[:, column - 1], canvas[:, column]
    for row in rows:
        yield canvas[row - 1], canvas[row]


def _matches(before: np.ndarray, after: np.ndarray, area: np.ndarray, min_edge: int) -> list[tuple[int, int]]:
    """Pairs (smaller label, larger label) to unite at one seam, longest edge first, each label at most once."""
    both = (before > 0) & (after > 0)
    low, high = np.minimum(before, after)[both], np.maximum(before, after)[both]
    packed, edge = np.unique(low.astype(np.int64) * len(area) + high, return_counts=True)
    packed, edge = packed[edge >= min_edge], edge[edge >= min_edge]
    low, high = np.divmod(packed, len(area))
    taken: set[int] = set()
    matches = []
    for i in np.lexsort((high, low, -(area[low] + area[high]), -edge)):
        pair = (int(low[i]), int(high[i]))
        if taken.isdisjoint(pair):
            taken.update(pair)
            matches.append(pair)
    return matches
