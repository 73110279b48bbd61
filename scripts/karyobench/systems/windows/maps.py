"""The map of an image from a classifier of windows, and the nuclei in it."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from karyobench.systems.base import Tile
from karyobench.systems.labels import without_small
from karyobench.systems.networks import as_input, device_of
from karyobench.systems.windows.sampling import CONTEXT

_CONTEXT = sum(CONTEXT)
_STRIP_PIXELS = 2**13


def predict(network: torch.nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Probability of nucleus float32 (1, h, w): each pixel's is that of the window around it.

    Evaluated in strips of rows, so that memory does not grow with the tile; they are as equal as can be, since a
    compiled network prepares itself for every new shape.
    """
    height, width = (side - _CONTEXT for side in tile.image.shape[:2])
    count = -(-height // max(1, _STRIP_PIXELS // width))
    ends = [height * strip // count for strip in range(count + 1)]
    strips = (tile.image[top : bottom + _CONTEXT] for top, bottom in pairwise(ends))
    return np.concatenate([_strip(network, strip) for strip in strips])[None]


def _strip(network: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """Probabilities float32 (h, w) of a strip uint8 (h + 31, w + 31, 3)."""
    with torch.inference_mode():
        logits = network.dense(as_input(image[None]).to(device_of(network)))[0]
        return logits.float().softmax(dim=0)[1].cpu().numpy()


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Nuclei int32 (H, W): components above `threshold` with their holes filled, of at least `min_area` pixels."""
    nuclei = ndimage.binary_fill_holes(maps[0] > config["instances"]["threshold"])
    labels, _ = ndimage.label(nuclei)
    return without_small(labels, config["instances"]["min_area"])
