"""Stain matrix after Macenko et al., "A method for normalizing histology slides for quantitative analysis", ISBI 2009.

Rules where the paper leaves room: a pixel is tissue when its optical density is at least beta in every channel; the
plane is spanned by the two leading eigenvectors of the tissue's centred 3x3 covariance; angles are measured from the
mean density's direction in that plane, so that they cannot wrap; the stain vectors lie at the alpha and 100 - alpha
percentiles (linear interpolation); hematoxylin is the one with more red density; the maximum concentrations are the
99th percentiles over all pixels of the image, background included, as the common implementations have it.

Order statistics are exact for angles told apart to 2**-21 radians and concentrations to 2**-24 of the largest possible.
"""

from functools import partial

import numpy as np

from karyobench.stain import kernels, ranks
from karyobench.stain.density import GREY_DENSITY, StainFit, Unfit, pixels

MIN_TISSUE_PIXELS = 1000
"""Below it, fewer than ten pixels lie beyond the 1st percentile: the extremes are noise."""

MIN_TISSUE_SHARE = 0.1
"""Below it, the 99th percentile over all pixels falls among the pale ones, and normalising would darken the image."""

MIN_ANGLE = np.radians(5)
"""Nearer vectors are one stain and its noise: grey images stay below, 64-pixel crops of H&E fields above 8 degrees."""

_MAXIMUM = 99
_TABLE = GREY_DENSITY.astype(np.float32)
_FIXED = np.rint(GREY_DENSITY * kernels.FIXED).astype(np.int32)


def fit(image: np.ndarray, beta: float, alpha: float) -> StainFit:
    """Stains of an H&E image.

    image: uint8 (H, W, 3). beta: least optical density of tissue. alpha: percentile of the robust extremes.
    Depends on which colours there are and how often, to the last bit, not on where they lie.
    Raises Unfit when the image holds too little tissue or a single stain.
    """
    flat = pixels(image)
    dense = np.flatnonzero(beta <= GREY_DENSITY)
    if not len(dense):
        raise Unfit(f"no colour is as dense as beta {beta}")
    brightest = dense[-1]
    count, mean, covariance = _moments(flat, brightest)
    matrix = _stain_vectors(flat, brightest, count, _plane(mean, covariance), alpha)
    maxima = maximum_concentrations(flat, matrix)
    if not maxima.min() > 0:
        raise Unfit("the stain concentrations are not positive")
    return StainFit(matrix, maxima)


def maximum_concentrations(flat: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """float64 (2,): 99th percentiles of the concentrations by least squares over all pixels, 0 for those below.

    flat: uint8 (n, 3). matrix: float64 (3, 2).
    """
    weights = np.linalg.pinv(matrix)
    largest = (weights[:, :, None] * GREY_DENSITY).max(axis=2).sum(axis=1)
    scales = (kernels.KEYS / largest).astype(np.float32)
    tally = partial(kernels.tally_concentrations, flat, _TABLE, weights.astype(np.float32), scales)
    return ranks.percentiles(tally, (_MAXIMUM, _MAXIMUM), len(flat), lambda keys: keys / scales)


def _moments(flat: np.ndarray, brightest: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of tissue pixels, and the mean and covariance of their densities, from sums that are exact."""
    rows = kernels.moments(flat, _FIXED, _FIXED[brightest])
    count, *sums = (int(high) * 2**32 + int(low) for high, low in zip(*_halves(rows), strict=True))
    if count < max(MIN_TISSUE_PIXELS, MIN_TISSUE_SHARE * len(flat)):
        raise Unfit(f"{count} of {len(flat)} pixels are tissue, too few to tell the stains")
    first, products = sums[:3], dict(zip([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)], sums[3:], strict=True))
    covariance = np.empty((3, 3))
    for (a, b), product in products.items():
        centred = count * product - first[a] * first[b]
        covariance[a, b] = covariance[b, a] = centred / (count * (count - 1) * kernels.FIXED**2)
    return count, np.array([total / (count * kernels.FIXED) for total in first]), covariance


def _halves(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over rows of the upper and of the lower 32 bits: neither overflows."""
    return (rows >> 32).sum(axis=0), (rows & (2**32 - 1)).sum(axis=0)


def _plane(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """float64 (2, 3): the mean's direction in the plane of the stains, and the direction in the plane across it."""
    normal = np.linalg.eigh(covariance).eigenvectors[:, 0]
    normal *= np.sign(normal[np.abs(normal).argmax()])
    along = mean - (mean @ normal) * normal
    length = np.linalg.norm(along)
    if length < np.finfo(np.float32).eps:
        raise Unfit("the colours of the tissue do not span a plane of two stains")
    along /= length
    return np.stack([along, np.cross(normal, along)])


def _stain_vectors(flat: np.ndarray, brightest: int, count: int, axes: np.ndarray, alpha: float) -> np.ndarray:
    tally = partial(kernels.tally_angles, flat, _TABLE, axes.astype(np.float32), _TABLE[brightest])
    low, high = ranks.percentiles(tally, (alpha, 100 - alpha), count, _angle)
    if high - low < MIN_ANGLE:
        raise Unfit(f"the stains are {np.degrees(high - low):.1f} degrees apart, too close to be two")
    vectors = [np.cos(angle) * axes[0] + np.sin(angle) * axes[1] for angle in (low, high)]
    return np.stack(sorted(vectors, key=lambda vector: -vector[0]), axis=1)


def _angle(keys: np.ndarray) -> np.ndarray:
    """Angles whose places on the square |x| + |y| = 1 the keys are (see kernels.tally_angles)."""
    place = (keys + 0.5) * 4 / kernels.KEYS - 2
    x = 1 - np.abs(place)
    return np.arctan2(np.where(x >= 0, place, np.copysign(2, place) - place), x)
