"""One set of dense maps from the maps of overlapping tiles."""

from itertools import pairwise

import numpy as np

from karyobench.inference.tiles import Prediction, Span, spans


def blend(tiles: list[Prediction], height: int, width: int) -> np.ndarray:
    """Weighted mean of tile maps: weight 1 in a tile's core, falling linearly over each overlap.

    tiles: boxes with maps (C, h, w), sorted by box. Returns float32 (C, height, width). The weight is the product of
    one ramp per axis, and the ramps of an axis sum to 1 at each pixel, so a lone tile comes back unchanged.
    Tiles are added in the order of their boxes: the sum, rounding included, is the same in every run.
    """
    rows, columns = spans((box for box, _ in tiles), height, width)
    down, across = ramps(rows, height), ramps(columns, width)
    total = np.zeros((len(tiles[0][1]), height, width), np.float32)
    for (r0, c0, r1, c1), maps in tiles:
        weight = down[r0, r1][:, None] * across[c0, c1][None, :]
        total[:, r0:r1, c0:c1] += maps.astype(np.float32) * weight
    return total


def ramps(axis: list[Span], length: int) -> dict[Span, np.ndarray]:
    """Weights of the spans of one axis, float32 (stop - start,) each; they sum to 1 at every position.

    Where two spans overlap by n pixels, the weights are i / (n + 1) for i = n..1 in one and 1..n in the other.
    """
    overlaps = [0, *(before[1] - after[0] for before, after in pairwise(axis)), 0]
    raw = [_ramp(stop - start, *overlaps[i : i + 2]) for i, (start, stop) in enumerate(axis)]
    total = np.zeros(length)
    for (start, stop), weight in zip(axis, raw, strict=True):
        total[start:stop] += weight
    return {
        (start, stop): (weight / total[start:stop]).astype(np.float32)
        for (start, stop), weight in zip(axis, raw, strict=True)
    }


def _ramp(length: int, before: int, after: int) -> np.ndarray:
    place = np.arange(length)
    return np.minimum(1, np.minimum((place + 1) / (before + 1), (length - place) / (after + 1)))
