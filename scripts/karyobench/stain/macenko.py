"""Stain matrix after Macenko et al., "A method for normalizing histology slides for quantitative analysis", ISBI 2009.

Rules where the paper leaves room: a pixel is tissue when its optical density is at least beta in every channel; the
plane is spanned by the two leading eigenvectors of the tissue's centred 3x3 covariance; angles are measured from the
mean density's direction in that plane, so that they cannot wrap; the stain vectors lie at the alpha and 100 - alpha
percentiles (linear interpolation); hematoxylin is the one with more red density; the maximum concentrations are the
99th percentiles over all pixels of the image, background included, as the common implementations have it.
"""

import numpy as np

from karyobench.stain.density import GREY_DENSITY, StainFit, Unfit, mix

MIN_TISSUE_PIXELS = 1000
"""Below it, fewer than ten pixels lie beyond the 1st percentile: the extremes are noise."""

MIN_TISSUE_SHARE = 0.1
"""Below it, the 99th percentile over all pixels falls among the pale ones, and normalising would darken the image."""

MIN_ANGLE = np.radians(5)
"""Nearer vectors are one stain and its noise: grey images stay below, 64-pixel crops of H&E fields above 8 degrees."""

_MAXIMUM = 99


def fit(image: np.ndarray, beta: float, alpha: float) -> StainFit:
    """Stains of an H&E image.

    image: uint8 (H, W, 3). beta: least optical density of tissue. alpha: percentile of the robust extremes.
    Does not depend on where the pixels lie. Raises Unfit when the image holds too little tissue or a single stain.
    """
    pixels = image.reshape(-1, 3)
    tissue = _tissue(pixels, beta)
    if len(tissue) < max(MIN_TISSUE_PIXELS, MIN_TISSUE_SHARE * len(pixels)):
        raise Unfit(f"{len(tissue)} of {len(pixels)} pixels are tissue, too few to tell the stains")
    matrix = _stain_vectors(tissue, alpha)
    maxima = np.percentile(mix(pixels, np.linalg.pinv(matrix)), _MAXIMUM, axis=1).astype(np.float64)
    if not (np.isfinite(maxima).all() and maxima.min() > 0):
        raise Unfit("the stain concentrations are not positive")
    return StainFit(matrix, maxima)


def _tissue(pixels: np.ndarray, beta: float) -> np.ndarray:
    dense = beta <= GREY_DENSITY
    red, green, blue = (dense[pixels[:, channel]] for channel in range(3))
    return pixels[red & green & blue]


def _stain_vectors(tissue: np.ndarray, alpha: float) -> np.ndarray:
    axes = _plane(tissue)
    along, across = mix(tissue, axes)
    low, high = np.percentile(np.arctan2(across, along).astype(np.float64), [alpha, 100 - alpha])
    if high - low < MIN_ANGLE:
        raise Unfit(f"the stains are {np.degrees(high - low):.1f} degrees apart, too close to be two")
    vectors = [np.cos(angle) * axes[0] + np.sin(angle) * axes[1] for angle in (low, high)]
    return np.stack(sorted(vectors, key=lambda vector: -vector[0]), axis=1)


def _plane(tissue: np.ndarray) -> np.ndarray:
    """float64 (2, 3): the mean's direction in the plane of the stains, and the direction in the plane across it."""
    mean, covariance = _moments(tissue)
    normal = np.linalg.eigh(covariance).eigenvectors[:, 0]
    normal *= np.sign(normal[np.abs(normal).argmax()])
    along = mean - (mean @ normal) * normal
    length = np.linalg.norm(along)
    if length < np.finfo(np.float32).eps:
        raise Unfit("the colours of the tissue do not span a plane of two stains")
    along /= length
    return np.stack([along, np.cross(normal, along)])


def _moments(tissue: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the densities, from joint grey-level histograms: exact in any order of the pixels."""
    mean = np.array([np.bincount(tissue[:, c], minlength=256) @ GREY_DENSITY for c in range(3)]) / len(tissue)
    centred = GREY_DENSITY - mean[:, None]
    covariance = np.empty((3, 3))
    for a in range(3):
        for b in range(a, 3):
            pairs = tissue[:, a].astype(np.intp) * 256 + tissue[:, b]
            joint = np.bincount(pairs, minlength=1 << 16).reshape(256, 256)
            covariance[a, b] = covariance[b, a] = centred[a] @ joint @ centred[b] / (len(tissue) - 1)
    return mean, covariance
