"""Fake system: no nucleus anywhere. Every nucleus of the truth must count as missed."""

from typing import Any

import numpy as np

from karyobench.systems.base import Tile

TASK = "No nucleus anywhere: scores 0 on every image with nuclei"
PAPER = "none: a permanent fake, whose scores are known in closed form"
OUTPUT = "instances"
TRAINED = False
KEYS = {"predict": ("tile",), "instances": ("min_edge",)}
USES_TRUTH = True


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Zeros, int32 (h, w)."""
    return np.zeros_like(tile.cut(tile.truth))
