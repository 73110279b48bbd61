"""Optical density, and images rebuilt with other stains: what the stain-matrix methods share.

Definition: OD = -ln((I + 1) / Io) with Io = 240, per channel, I in 0..255. Nothing is clipped on the way in: pixels
brighter than Io - 1 have a small negative density, so that white stays white. An image is rebuilt by the exact
inverse I = Io exp(-OD) - 1, rounded to the nearest grey level and clipped to 0..255.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

TRANSMITTED = 240
GREY_DENSITY = -np.log((np.arange(256) + 1) / TRANSMITTED)
"""float64 (256,): the optical density of each grey level."""

_BLOCK = 1 << 14


class Unfit(Exception):  # noqa: N818  (a state of the image, not a fault of the user)
    """The image does not determine its stains; the message is the reason that `stain_note` keeps."""


@dataclass(frozen=True)
class StainFit:
    """Stains of one image.

    matrix: float64 (3, 2), unit columns, the density of hematoxylin and of eosin in red, green, blue.
    maxima: float64 (2,), the robust maximum concentration of each.
    """

    matrix: np.ndarray
    maxima: np.ndarray


def mix(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums of the densities of pixels, without holding the densities of all of them.

    pixels: uint8 (n, 3). weights: (k, 3). Returns float32 (k, n).
    """
    mixed = np.empty((len(weights), len(pixels)), np.float32)
    for block, densities in _densities(pixels):
        mixed[:, block] = weights.astype(np.float32) @ densities.T
    return mixed


def transform(image: np.ndarray, source: StainFit, reference: StainFit) -> np.ndarray:
    """Rebuild an image with the reference's stain matrix and maximum concentrations.

    image: uint8 (H, W, 3), whose own stains are `source`. Returns uint8 (H, W, 3). Concentrations by least squares in
    the source's matrix, scaled by the ratio of maxima and mixed by the reference's matrix, are one 3x3 matrix.
    """
    concentrations = np.linalg.pinv(source.matrix)
    scaled = (reference.maxima / source.maxima)[:, None] * concentrations
    return _rebuild(image, reference.matrix @ scaled)


def statistics(fit: StainFit) -> np.ndarray:
    """float64 (8,): the stain matrix and the logarithms of the maxima, for finding the most typical image."""
    return np.concatenate([fit.matrix.ravel(), np.log(fit.maxima)])


def _rebuild(image: np.ndarray, operator: np.ndarray) -> np.ndarray:
    pixels = image.reshape(-1, 3)
    rebuilt = np.empty_like(pixels)
    with np.errstate(over="ignore"):
        for block, densities in _densities(pixels):
            light = TRANSMITTED * np.exp(-(densities @ operator.T.astype(np.float32))) - 1
            rebuilt[block] = np.clip(np.rint(light), 0, 255)
    return rebuilt.reshape(image.shape)


def _densities(pixels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    table = GREY_DENSITY.astype(np.float32)
    for start in range(0, len(pixels), _BLOCK):
        block = slice(start, start + _BLOCK)
        yield block, table[pixels[block]]
