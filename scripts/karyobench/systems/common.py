"""What the classical systems share: one channel in which nuclei are bright, its Otsu foreground, clean masks."""

import numpy as np
from scipy import ndimage
from skimage.color import rgb2gray, rgb2hed
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes

from karyobench.errors import KaryobenchError, nearest

# Fields are far from both limits: of the 598 images of DSB2018, none has a brightness between 0.25 and 0.70, the
# grey ones have a saturation of exactly 0 and the stained ones at least 0.057.
_BRIGHT = 0.5
_COLOURED = 0.03


def foreground(image: np.ndarray, channel: str) -> np.ndarray:
    """Nucleus pixels by Otsu's threshold (1979) on a channel: bool (H, W) from uint8 (H, W, 3)."""
    levels = _levels(nuclear(image, channel))
    return levels > threshold_otsu(levels)


def nuclear(image: np.ndarray, channel: str) -> np.ndarray:
    """A channel in which nuclei are brighter than the rest: float (H, W) from uint8 (H, W, 3).

    channel: `hematoxylin` (density by Ruifrok and Johnston's colour deconvolution, 2001), `intensity` (grey level),
    `inverted` (inverted grey level), or `auto` (`chosen`). Raises KaryobenchError on another name.
    """
    if channel == "auto":
        channel = chosen(image)
    if channel not in _CHANNELS:
        raise KaryobenchError(f"key 'predict.channel' is '{channel}'{nearest(channel, ['auto', *_CHANNELS])}")
    return _CHANNELS[channel](image)


def chosen(image: np.ndarray) -> str:
    """Channel for an image of unknown kind, from its mean brightness and mean saturation (HSV).

    A dark image is fluorescence: `intensity`. A bright one is transmitted light: `hematoxylin` when coloured,
    `inverted` when grey. On DSB2018 this finds the 487 fluorescence, 97 stained and 14 bright-field images.
    """
    high = image.max(axis=2).astype(np.float32)
    low = image.min(axis=2)
    if high.mean() < _BRIGHT * 255:
        return "intensity"
    saturation = (high - low) / np.maximum(high, 1)
    return "hematoxylin" if saturation.mean() > _COLOURED else "inverted"


def cleaned(mask: np.ndarray, median: int, max_hole: int) -> np.ndarray:
    """Smooth a bool mask (H, W) by a median filter `median` px wide and fill holes of up to `max_hole` px.

    The limit on holes keeps a gland's lumen, ringed by touching nuclei, from becoming one object.
    """
    smooth = ndimage.median_filter(mask.astype(np.uint8), size=median).astype(bool)
    return remove_small_holes(smooth, max_size=max_hole)


def without_small(labels: np.ndarray, min_area: int) -> np.ndarray:
    """Instance map without objects below `min_area` px; labels keep their values."""
    return np.where(np.bincount(labels.ravel())[labels] >= min_area, labels, 0)


def _levels(values: np.ndarray) -> np.ndarray:
    """256 equal levels, uint8. A histogram of floats would split the pixels of one grey level at its bin's centre."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    return np.minimum((values - low) * (256 / (high - low)), 255).astype(np.uint8)


def _hematoxylin(image: np.ndarray) -> np.ndarray:
    return rgb2hed(image)[..., 0]


def _inverted(image: np.ndarray) -> np.ndarray:
    return 1 - rgb2gray(image)


_CHANNELS = {"hematoxylin": _hematoxylin, "intensity": rgb2gray, "inverted": _inverted}
