"""Fake system: the truth with each nucleus cut in two."""

from typing import Any

import numpy as np
from scipy import ndimage

from karyobench.systems.base import Tile

TASK = "Each nucleus of the truth cut at the middle row of its bounding box: no half exceeds an IoU of 0.5 if equal"
PAPER = "none: a permanent fake, whose scores are known in closed form"
OUTPUT = "instances"
TRAINED = False
KEYS = {"predict": ("tile",), "instances": ("min_edge",)}
USES_TRUTH = True


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """The halved truth within the tile, int32 (h, w).

    A seam that runs along a cut unites the halves again, as it must: choose tiles whose seams do not.
    """
    return tile.cut(halved(tile.truth))


def halved(labels: np.ndarray) -> np.ndarray:
    """Cut each nucleus before row (top + bottom) // 2 of its box [top, bottom); one row high, it stays whole."""
    _, place = np.unique(np.append(0, labels), return_inverse=True)
    number = place[1:].reshape(labels.shape)
    middle = np.array([0, *((rows.start + rows.stop) // 2 for rows, _ in ndimage.find_objects(number))])
    lower = np.arange(labels.shape[0])[:, None] >= middle[number]
    return np.where(number > 0, 2 * number - 1 + lower, 0).astype(np.int32)
