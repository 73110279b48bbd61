"""Kinds of images told from their colours: H&E, fluorescence, low-magnification bright field.

The P-RCNN paper clusters its images into these three by k-means and does not say on what; here on the mean and the
standard deviation of hue, saturation and value.
"""

from collections.abc import Mapping

import numpy as np

KMEANS = "kmeans"
"""Image type of a dataset's record whose images are to be typed by their colours."""
SEED = 0
HE, FLUORESCENCE, BRIGHTFIELD = "he", "fluorescence", "brightfield"

_CLUSTERS = 3
_RESTARTS = 50
_COLOURED = 0.05
_BRIGHT = 1 / 3


def statistics(image: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of hue, saturation and value of an image uint8 (H, W, 3): float64 (6,).

    Saturation and value are those of HSV, 0 to 1. Hue is an angle in radians, so its mean and deviation are circular
    and pixels count by their chroma: the hue of a grey pixel is not defined. Hue is measured around the grey axis of
    the RGB cube, within 1.2 degrees of the hue of HSV. Without any colour its mean and deviation are 0.
    """
    red, green, blue = (image[..., channel] for channel in range(3))
    low, high = (f(f(red, green), blue) for f in (np.minimum, np.maximum))
    if np.array_equal(low, high):
        return np.array([0, 0, 0, 0, *_mean_and_deviation(high / 255)])
    saturation = (high - low) / np.maximum(high, 1, dtype=np.float32)
    return np.array([*_hue(red, green, blue), *_mean_and_deviation(saturation), *_mean_and_deviation(high / 255)])


def named(statistics: Mapping[str, np.ndarray], seed: int = SEED) -> dict[str, str]:
    """Kind of each image (he, fluorescence or brightfield) by id, from its `statistics`.

    K-means (k = 3, the best of 50 seeded starts) on five numbers between 0 and 1: the concentration of hue, and mean
    and deviation of saturation and of value. They are not divided by their own deviation, which would let the spread
    among dark images outweigh the few bright grey ones. The direction of the mean hue is left out: stains and scanners
    move H&E from violet to red, so it parts laboratories, not kinds, and with it k-means misses the 14 bright-field
    images of DSB 2018 as soon as H&E of other sources stands beside them. Pale or dark images have a hue in name only,
    so theirs counts less.
    A cluster is called fluorescence where its mean value is below 1/3, otherwise he where its mean saturation is above
    0.05, otherwise brightfield. Where a dataset has fewer kinds than three, one of them fills several clusters, which
    then get the same name; a kind of which there are a few images among hundreds may share a cluster, and its name.
    """
    from scipy.cluster.vq import kmeans, vq

    ids = sorted(statistics)
    found = np.array([statistics[image_id] for image_id in ids], np.float64).reshape(len(ids), 6)
    features = _features(found)
    clusters = min(_CLUSTERS, len(np.unique(features, axis=0)))
    if not clusters:
        return {}
    centres, _ = kmeans(features, clusters, iter=_RESTARTS, rng=np.random.default_rng(seed))
    cluster, _ = vq(features, centres)
    names = {k: _name(*found[cluster == k][:, [2, 4]].mean(axis=0)) for k in np.unique(cluster)}
    return {image_id: names[k] for image_id, k in zip(ids, cluster, strict=True)}


def _features(found: np.ndarray) -> np.ndarray:
    """float64 (n, 5): concentration of hue, then mean and deviation of saturation and of value."""
    _, spread, saturation, _, value, _ = found.T
    concentration = np.exp(-(spread**2) / 2) * np.minimum(1, saturation * value / _COLOURED)
    return np.column_stack([concentration, found[:, 2:]])


def _name(saturation: float, value: float) -> str:
    if value < _BRIGHT:
        return FLUORESCENCE
    return HE if saturation > _COLOURED else BRIGHTFIELD


def _hue(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> tuple[float, float]:
    """Circular mean, 0 to 2 pi, and circular standard deviation of the hue; pixels weigh by their chroma."""
    along = red.astype(np.float32) - (green.astype(np.float32) + blue) / 2
    across = (green.astype(np.float32) - blue) * np.float32(np.sqrt(0.75))
    x, y, total = (part.sum(dtype=np.float64) for part in (along, across, np.hypot(along, across)))
    concentration = np.clip(np.hypot(x, y) / total, 1e-9, 1)
    return float(np.arctan2(y, x) % (2 * np.pi)), float(np.sqrt(-2 * np.log(concentration)))


def _mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
