"""Colour transfer after Reinhard et al., "Color transfer between images", IEEE Computer Graphics 21(5), 2001.

Each axis of a decorrelated space, l alpha beta, is shifted and stretched to the reference's mean and standard
deviation. The space is the paper's: cone responses LMS = M (I + 1) / 256, their logarithms, and of these the sum,
yellow against blue, and red against green, each axis of length one. Binary logarithms only scale the axes.

Background: statistics are those of tissue, the pixels with an optical density (see density.py) of 0.15 or more in some
channel, so that the share of empty glass does not count. The change fades with the densest channel, from all of it at
0.15 to none at 0: what holds no stain stays as it is, and no edge appears between the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from karyobench.stain.density import GREY_DENSITY, Unfit, pixels

MIN_TISSUE_PIXELS = 1000
MIN_DEVIATION = 0.01
"""Below it on some axis, grey levels' rounding and noise would be stretched to colours: grey images stay below."""

_TISSUE = 0.15
_CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_AXES = np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])
_FROM_CONES = np.linalg.inv(_CONES)
_BRIGHTEST = 8
"""Binary logarithm of a cone's response beyond which all is white: an infinite response would not be a colour."""
_BLOCK = 1 << 14
_FIXED = 1 << 20
"""One in fixed point: sums of integers do not depend on the order, and a block's squares fit into 63 bits."""


@dataclass(frozen=True)
class ColourFit:
    """Mean and standard deviation, float64 (3,), of an image's tissue on the axes l, alpha, beta."""

    mean: np.ndarray
    deviation: np.ndarray


def fit(image: np.ndarray) -> ColourFit:
    """Colour statistics of an image's tissue.

    image: uint8 (H, W, 3). Depends on which colours there are and how often, not on where they lie.
    Raises Unfit when the image holds too little tissue or its colours do not vary.
    """
    count, sums, squares = 0, [0, 0, 0], [0, 0, 0]
    for _, block in _blocks(pixels(image)):
        colours = _colours(block[:, _density(block) >= _TISSUE])
        fixed = np.rint(colours * _FIXED).astype(np.int64)
        count += fixed.shape[1]
        sums = [total + int(part) for total, part in zip(sums, fixed.sum(axis=1), strict=True)]
        squares = [total + int(part) for total, part in zip(squares, (fixed**2).sum(axis=1), strict=True)]
    if count < MIN_TISSUE_PIXELS:
        raise Unfit(f"{count} of {image.shape[0] * image.shape[1]} pixels are tissue, too few to tell their colours")
    variances = [(count * s2 - s**2) / (count * _FIXED) ** 2 for s, s2 in zip(sums, squares, strict=True)]
    if min(variances) < MIN_DEVIATION**2:
        raise Unfit(f"the colours hardly vary (standard deviation {np.sqrt(min(variances)):.4f})")
    return ColourFit(np.array(sums) / (count * _FIXED), np.sqrt(variances))


def transform(image: np.ndarray, source: ColourFit, reference: ColourFit) -> np.ndarray:
    """The image with the reference's colour statistics.

    image: uint8 (H, W, 3), whose own statistics are `source`. Returns uint8 (H, W, 3).
    """
    flat = pixels(image)
    changed = np.empty_like(flat)
    stretch = (reference.deviation / source.deviation)[:, None]
    for place, block in _blocks(flat):
        colours = (_colours(block) - source.mean[:, None]) * stretch + reference.mean[:, None]
        levels = _FROM_CONES @ np.exp2(np.minimum(_AXES.T @ colours, _BRIGHTEST)) * 256 - 1
        fade = np.clip(_density(block) / _TISSUE, 0, 1)
        changed[place] = np.rint(np.clip(block + fade * (levels - block), 0, 255)).T
    return changed.reshape(image.shape)


def statistics(fit: ColourFit) -> np.ndarray:
    """float64 (6,): the means and the logarithms of the deviations, for finding the most typical image."""
    return np.concatenate([fit.mean, np.log(fit.deviation)])


def _blocks(flat: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Pixels in blocks, as uint8 planes (3, n) in sequence: blocks keep what is computed of them in the cache."""
    for start in range(0, len(flat), _BLOCK):
        place = slice(start, start + _BLOCK)
        yield place, np.ascontiguousarray(flat[place].T)


def _density(block: np.ndarray) -> np.ndarray:
    """float64 (n,): optical density of each pixel's darkest channel."""
    return GREY_DENSITY[block.min(axis=0)]


def _colours(block: np.ndarray) -> np.ndarray:
    """float64 (3, n): coordinates l, alpha, beta of uint8 planes (3, n).

    Sums are written out, since a matrix product may round a column differently with where it stands.
    """
    red, green, blue = (block.astype(np.float64) + 1) / 256
    cones = np.log2([m[0] * red + m[1] * green + m[2] * blue for m in _CONES])
    return np.stack([a[0] * cones[0] + a[1] * cones[1] + a[2] * cones[2] for a in _AXES])
