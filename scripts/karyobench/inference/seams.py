"""Instance maps of tiles united across the seams between them: the border rule of P-RCNN.

Lin et al. unite a nucleus that touches a tile's border with the one across the border that shares the longest edge.
Here, made exact: tiles do not overlap; a seam is a whole line of the grid; the edge of two nuclei is their number of
4-adjacent pixel pairs across the seam. Per seam, the pair with the longest edge is united first (ties: larger joint
area, then smaller labels), both leave the seam, and so on until no edge reaches `min_edge`. A nucleus is thus united
at most once per seam. Vertical seams come first, left to right, then horizontal ones, top to bottom.

The paper compares the rule with tiles that are not united, and with all that touches across a seam made one.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from karyobench.errors import KaryobenchError
from karyobench.inference.tiles import Prediction, Span, spans

_Seam = tuple[np.ndarray, np.ndarray]


def unite(tiles: list[Prediction], height: int, width: int, min_edge: int | None, every: bool = False) -> np.ndarray:
    """Instance map of an image from instance maps of its tiles; equal labels in two tiles mean nothing.

    tiles: boxes that partition the image, with integer maps (h, w), sorted by box. min_edge: the least edge of nuclei
    that are united, in pixels; None unites none. every: unite all pairs with that edge, not one pair per nucleus and
    seam. Returns int32 (height, width), labels 1..n in raster order of each nucleus's first pixel. Raises
    KaryobenchError on tiles that overlap.
    """
    canvas, area, lines = _paste(tiles, height, width)
    if min_edge is None:
        return relabel(canvas)[0]
    choose = _connected if every else _one_to_one
    return relabel(choose(list(_across(canvas, *lines)), area, min_edge)[canvas])[0]


def _one_to_one(seams: list[_Seam], area: np.ndarray, min_edge: int) -> np.ndarray:
    """What becomes of each label (n,) by the paper's rule, seam by seam."""
    area, root = area.copy(), np.arange(len(area), dtype=np.int32)
    for before, after in seams:
        for kept, gone in _matches(root[before], root[after], area, min_edge):
            area[kept] += area[gone]
            root[gone] = kept
        root = root[root]
    return root


def _connected(seams: list[_Seam], area: np.ndarray, min_edge: int) -> np.ndarray:
    """What becomes of each label (n,) when all pairs with an edge of `min_edge` pixels are united, at all seams."""
    pairs = [_pairs(before, after, len(area), min_edge)[:2] for before, after in seams]
    low, high = np.concatenate([np.zeros((2, 0), np.int64), *map(np.stack, pairs)], axis=1)
    graph = coo_array((np.ones(len(low)), (low, high)), shape=(len(area), len(area)))
    return connected_components(graph, directed=False)[1]


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


def _across(canvas: np.ndarray, columns: list[int], rows: list[int]) -> Iterator[_Seam]:
    """Labels just before and just after each seam."""
    for column in columns:
        yield canvas[:, column - 1], canvas[:, column]
    for row in rows:
        yield canvas[row - 1], canvas[row]


def _matches(before: np.ndarray, after: np.ndarray, area: np.ndarray, min_edge: int) -> list[tuple[int, int]]:
    """Pairs (smaller label, larger label) to unite at one seam, longest edge first, each label at most once."""
    low, high, edge = _pairs(before, after, len(area), min_edge)
    taken: set[int] = set()
    matches = []
    for i in np.lexsort((high, low, -(area[low] + area[high]), -edge)):
        pair = (int(low[i]), int(high[i]))
        if taken.isdisjoint(pair):
            taken.update(pair)
            matches.append(pair)
    return matches


def _pairs(
    before: np.ndarray, after: np.ndarray, labels: int, min_edge: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smaller label, larger label and edge in pixels of the pairs at one seam that share `min_edge` pixels."""
    both = (before > 0) & (after > 0)
    low, high = np.minimum(before, after)[both], np.maximum(before, after)[both]
    packed, edge = np.unique(low.astype(np.int64) * labels + high, return_counts=True)
    packed, edge = packed[edge >= min_edge], edge[edge >= min_edge]
    return *np.divmod(packed, labels), edge
