"""The map of an image from a classifier of windows, and the nuclei in it."""

from collections.abc import Iterator
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
_STRIP_PIXELS, _CHUNK_PIXELS = 2**16, 2**12
"""Windows whose shared maps are computed together, and those of them whose wide layers are: these stay in the cache."""


def predict(network: torch.nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Probability of nucleus float32 (1, h, w): each pixel's is that of the window around it.

    Evaluated in strips of rows, so that memory does not grow with the tile.
    """
    height, width = (side - _CONTEXT for side in tile.image.shape[:2])
    strips = (tile.image[top : bottom + _CONTEXT] for top, bottom in _cuts(height, width, _STRIP_PIXELS))
    return np.concatenate([_strip(network, strip) for strip in strips])[None]


def _strip(network: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """Probabilities float32 (h, w) of a strip uint8 (h + 31, w + 31, 3)."""
    height, width = (side - _CONTEXT for side in image.shape[:2])
    with torch.inference_mode():
        maps = network.blocks(as_input(image[None]).to(device_of(network)))
        maps = (maps,) if isinstance(maps, torch.Tensor) else maps  # an exported graph gives a single one bare
        chunks = [
            network.classify(*(whole[:, :, top : bottom + whole.shape[2] - height] for whole in maps))
            for top, bottom in _cuts(height, width, _CHUNK_PIXELS)
        ]
        return torch.cat(chunks, dim=2)[0].float().softmax(dim=0)[1].cpu().numpy()


def _cuts(height: int, width: int, pixels: int) -> Iterator[tuple[int, int]]:
    """Rows of parts of about so many pixels, as equal as can be: a compiled network prepares itself for every shape."""
    count = -(-height // max(1, pixels // width))
    return pairwise(height * part // count for part in range(count + 1))


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Nuclei int32 (H, W): components above `threshold` with their holes filled, of at least `min_area` pixels."""
    nuclei = ndimage.binary_fill_holes(maps[0] > config["instances"]["threshold"])
    labels, _ = ndimage.label(nuclei)
    return without_small(labels, config["instances"]["min_area"])
