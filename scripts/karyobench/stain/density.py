"""Optical density, and images rebuilt with other stains: what the stain-matrix methods share.

Definition: OD = -ln((I + 1) / Io) with Io = 240, per channel, I in 0..255. Nothing is clipped on the way in: channels
brighter than Io - 1 have a small negative density. An image is rebuilt by the inverse I = Io exp(-OD) - 1, rounded to
the nearest grey level and clipped to 0..255. A pixel without density in any channel holds no stain and stays as it is,
so that white stays white: the plane of two stains does not hold grey, and would tint it.
"""

from dataclasses import dataclass

import numpy as np

from karyobench.stain import kernels

TRANSMITTED = 240
GREY_DENSITY = -np.log((np.arange(256) + 1) / TRANSMITTED)
"""float64 (256,): the optical density of each grey level."""

_OCTAVES = (GREY_DENSITY / np.log(2)).astype(np.float32)


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


def transform(image: np.ndarray, source: StainFit, reference: StainFit) -> np.ndarray:
    """Rebuild an image with the reference's stain matrix and maximum concentrations.

    image: uint8 (H, W, 3), whose own stains are `source`. Returns uint8 (H, W, 3). Concentrations by least squares in
    the source's matrix, scaled by the ratio of maxima and mixed by the reference's matrix, are one 3x3 matrix.
    """
    scaled = (reference.maxima / source.maxima)[:, None] * np.linalg.pinv(source.matrix)
    operator = (reference.matrix @ scaled).astype(np.float32)
    return kernels.rebuild(pixels(image), _OCTAVES, operator).reshape(image.shape)


def statistics(fit: StainFit) -> np.ndarray:
    """float64 (8,): the stain matrix and the logarithms of the maxima, for finding the most typical image."""
    return np.concatenate([fit.matrix.ravel(), np.log(fit.maxima)])


def pixels(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) as the (H * W, 3) of the kernels, copied only where its pixels do not lie in sequence."""
    return np.ascontiguousarray(image).reshape(-1, 3)
