"""Fake system: the truth with its nuclei united in pairs."""

from typing import Any

import numpy as np

from karyobench.systems.base import Tile

TASK = "Nuclei 2i-1 and 2i of the truth as one: of two equal nuclei, neither reaches an IoU above 0.5"
PAPER = "none: a permanent fake, whose scores are known in closed form"
OUTPUT = "instances"
TRAINED = False
KEYS = {"predict": ("tile",), "instances": ("min_edge",)}
USES_TRUTH = True


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """The paired truth within the tile, int32 (h, w).

    Two nuclei that do not touch stay one only within one tile: the seams unite what shares an edge.
    """
    return tile.cut(paired(tile.truth))


def paired(labels: np.ndarray) -> np.ndarray:
    """Unite nuclei 1 and 2, 3 and 4, ... in ascending order of their labels; an odd last one stays alone."""
    values, place = np.unique(np.append(0, labels), return_inverse=True)
    pair = (np.arange(len(values)) + 1) // 2
    return pair[place[1:]].reshape(labels.shape).astype(np.int32)
