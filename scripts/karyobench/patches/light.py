"""Changes of a patch's light: colour, sharpness and noise; where things are stays as it is."""

import cv2
import numpy as np

from karyobench.stain.density import GREY_DENSITY, TRANSMITTED

_HEMATOXYLIN, _EOSIN = [0.650, 0.704, 0.286], [0.072, 0.990, 0.105]
"""Densities of the stains in red, green, blue after Ruifrok and Johnston (2001)."""


def jitter(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Contrast about the patch's mean by a factor 1 +- strength, then brightness by +- strength of full scale."""
    contrast, brightness = rng.uniform(-strength, strength, 2)
    mean = image.mean()
    levels = (np.arange(256) - mean) * (1 + contrast) + mean + 255 * brightness
    return _levels(levels)[image]


def stain(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """H&E as if stained otherwise: each of the concentrations of hematoxylin, eosin and the rest times 1 +- strength.

    image: uint8 (c, c, 3). After Tellez et al., IEEE TMI 2018, with the stain vectors of Ruifrok and Johnston and,
    as they have it, the direction across both for the rest; without their shift, so that white glass stays white.
    """
    stains = np.array([_HEMATOXYLIN, _EOSIN, np.cross(_HEMATOXYLIN, _EOSIN)])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    factors = rng.uniform(1 - strength, 1 + strength, 3)
    operator = np.linalg.inv(stains) @ (factors[:, None] * stains)
    light = TRANSMITTED * np.exp(-(GREY_DENSITY[image] @ operator)) - 1
    return _levels(light)


def blur(image: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur with a standard deviation of up to `most` pixels."""
    return cv2.GaussianBlur(image, (0, 0), max(rng.uniform(0, most), np.finfo(np.float32).eps))


def noise(image: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, of its own in each channel, with a standard deviation of up to `most` grey levels."""
    return _levels(image + rng.normal(0, rng.uniform(0, most), image.shape))


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
