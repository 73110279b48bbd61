"""Fake system: the truth, moved. IoU of a moved rectangle is known in closed form."""

from typing import Any

import numpy as np

from karyobench.errors import KaryobenchError
from karyobench.systems.base import Tile

TASK = "The truth moved by a few pixels: an a x b rectangle keeps IoU (a-y)(b-x) / (2ab - (a-y)(b-x))"
PAPER = "none: a permanent fake, whose scores are known in closed form"
OUTPUT = "instances"
TRAINED = False
KEYS = {"predict": ("tile", "shift"), "instances": ("min_edge",)}
USES_TRUTH = True


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """The moved truth within the tile, int32 (h, w); what leaves the image is lost.

    config: `predict.shift` [rows, columns] in px, positive down and right; shorter than the image.
    """
    return tile.cut(moved(tile.truth, *config["predict"]["shift"]))


def moved(labels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Move a map (H, W) down by `rows` and right by `columns`; zeros come in."""
    height, width = labels.shape
    if abs(rows) >= height or abs(columns) >= width:
        raise KaryobenchError(f"key 'predict.shift' is {[rows, columns]}, must be within an image of {height}x{width}")
    result = np.zeros_like(labels)
    result[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)] = labels[
        max(-rows, 0) : height + min(-rows, 0), max(-columns, 0) : width + min(-columns, 0)
    ]
    return result
