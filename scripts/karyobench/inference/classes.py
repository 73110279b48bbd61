"""Probabilities of an image's classes from those of its tiles."""

from collections.abc import Sequence

import numpy as np

from karyobench.errors import KaryobenchError
from karyobench.inference.tiles import Prediction, spans

# Softmax in bfloat16 misses 1 by up to 2^-8; logits, or probabilities of labels that do not exclude another, by more.
_TOLERANCE = 0.01


def checked_probabilities(values: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """float32 (C,) of one tile. Raises KaryobenchError saying what is wrong with other values."""
    if values.shape != (len(classes),):
        raise KaryobenchError(f"has shape {values.shape} for the {len(classes)} classes {', '.join(classes)}")
    stored = values.astype(np.float32)
    if not np.isfinite(stored).all():
        raise KaryobenchError("holds NaN or infinite probabilities; the training may have diverged")
    if stored.min() < 0 or abs(float(stored.sum()) - 1) > _TOLERANCE:
        raise KaryobenchError(f"holds {stored.tolist()}, must be probabilities of 0 and more that sum to 1")
    return stored


def mean_probabilities(tiles: list[Prediction], height: int, width: int) -> np.ndarray:
    """float32 (C,): the mean over the tiles of an image, each as heavy as the others.

    Raises KaryobenchError on tiles that do not cover the image.
    """
    spans((box for box, _ in tiles), height, width)
    return np.mean([values for _, values in tiles], axis=0, dtype=np.float64).astype(np.float32)
