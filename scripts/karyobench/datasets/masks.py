"""Masks to instance maps."""

from collections.abc import Iterable

import numpy as np


def united(objects: Iterable[np.ndarray], shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Instance map int32 (H, W) of objects, and the number of pixels that more than one object claimed.

    objects: for each, the flat row-major indices of its pixels. The k-th (from 1) becomes label k; the first one
    keeps a pixel.
    """
    labels = np.zeros(shape, np.int32)
    flat, contested = labels.reshape(-1), 0
    for label, pixels in enumerate(objects, start=1):
        free = flat[pixels] == 0
        flat[pixels[free]] = label
        contested += len(pixels) - int(np.count_nonzero(free))
    return labels, contested


def components(mask: np.ndarray) -> np.ndarray:
    """Instance map int32 (H, W) of the 8-connected components of a mask bool (H, W), in the order of their rows."""
    from scipy import ndimage

    return ndimage.label(mask, np.ones((3, 3)))[0]


def instances(truth: np.ndarray) -> np.ndarray:
    """Instance map (H, W) of a truth image (H, W) that is either one already or a binary mask.

    It is a mask where it has one value beside 0; then each 8-connected component is an object.
    """
    values = np.unique(truth)
    return truth if np.count_nonzero(values) > 1 else components(truth > 0)


def lost(labels: np.ndarray, objects: int) -> int:
    """How many of the labels 1..objects have no pixel in an instance map: hidden by others, outside or too small."""
    present = np.zeros(objects + 1, bool)
    present[labels] = True
    return objects - int(np.count_nonzero(present[1:]))
