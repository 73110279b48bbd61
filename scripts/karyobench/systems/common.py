"""What the classical systems share: one channel in which nuclei are bright, its Otsu foreground, clean masks."""

import numpy as np
from scipy import ndimage
from skimage.color import rgb2gray, rgb2hed
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes

from karyobench.errors import KaryobenchError, nearest

_EXTREMES = (0.1, 99.9)


def foreground(image: np.ndarray, image_type: str) -> np.ndarray:
    """Nucleus pixels by Otsu's threshold (1979) on the nuclear channel: bool (H, W) from uint8 (H, W, 3)."""
    levels = _levels(nuclear(image, image_type))
    return levels > threshold_otsu(levels)


def nuclear(image: np.ndarray, image_type: str) -> np.ndarray:
    """A channel in which nuclei are brighter than the rest: float (H, W) from uint8 (H, W, 3).

    H&E: hematoxylin density by Ruifrok and Johnston's colour deconvolution (2001). Fluorescence: grey level.
    Bright field: inverted grey level. Raises KaryobenchError on another image type.
    """
    if image_type not in _CHANNELS:
        raise KaryobenchError(
            f"image_type '{image_type}' has no nuclear channel{nearest(image_type, _CHANNELS)}; "
            "set it in the dataset's record"
        )
    return _CHANNELS[image_type](image)


def cleaned(mask: np.ndarray, median: int, max_hole: int) -> np.ndarray:
    """Smooth a bool mask (H, W) by a median filter `median` px wide and fill holes of up to `max_hole` px.

    The limit on holes keeps a gland's lumen, ringed by touching nuclei, from becoming one object.
    """
    smooth = ndimage.median_filter(mask.astype(np.uint8), size=median).astype(bool)
    return remove_small_holes(smooth, max_size=max_hole)


def _levels(values: np.ndarray) -> np.ndarray:
    """256 equal levels, uint8, between the robust extremes: one black speck has several times a nucleus's density.

    A histogram of floats would split the pixels of one grey level at its bin's centre.
    """
    low, high = np.percentile(values, _EXTREMES)
    if low == high:
        return np.zeros(values.shape, np.uint8)
    return np.clip((values - low) * (256 / (high - low)), 0, 255).astype(np.uint8)


def _hematoxylin(image: np.ndarray) -> np.ndarray:
    return rgb2hed(image)[..., 0]


def _inverted(image: np.ndarray) -> np.ndarray:
    return 1 - rgb2gray(image)


_CHANNELS = {"he": _hematoxylin, "fluorescence": rgb2gray, "brightfield": _inverted}
