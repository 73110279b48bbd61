"""Otsu's foreground, cut into nuclei by a watershed on its distance transform."""

from typing import Any

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from karyobench.systems.base import Tile
from karyobench.systems.common import cleaned, foreground
from karyobench.systems.labels import without_small

TASK = "Otsu's threshold on the nuclear channel, then a watershed of the distance transform from its h-maxima"
PAPER = "Coelho et al., Nuclear segmentation in microscope cell images, ISBI 2009 (variant for H&E)"
OUTPUT = "maps"
TRAINED = False
KEYS = {"predict": ("tile",), "instances": ("median", "max_hole", "min_area", "h")}


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Foreground of a tile as one map of 0 and 1, float32 (1, h, w).

    The threshold is the tile's own: leave `predict.tile` null for a global one.
    """
    return foreground(tile.image, tile.image_type).astype(np.float32)[None]


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Instance map int (H, W): basins of the inverted distance transform of the cleaned foreground.

    config: `instances.median` (px), `instances.max_hole` (px), `instances.min_area` (px), and `instances.h`: two
    tops of the distance transform are two nuclei when the saddle between them lies more than h px below the lower.
    """
    settings = config["instances"]
    mask = cleaned(maps[0] > 0.5, settings["median"], settings["max_hole"])
    distance = ndimage.distance_transform_edt(mask)
    basins = watershed(-distance, markers(distance, mask, settings["h"]), mask=mask)
    return without_small(basins, settings["min_area"])


def markers(distance: np.ndarray, mask: np.ndarray, h: float) -> np.ndarray:
    """Labelled h-maxima of a distance transform (Soille 2003, 6.3.4), at least one in each component of the mask.

    distance: float (H, W). mask: bool (H, W). Returns int (H, W). A component thinner than h has no h-maximum and is
    its own marker, so that no object is lost.
    """
    tops = local_maxima(reconstruction(np.maximum(distance - h, 0), distance), connectivity=2) & mask
    components = label(mask, connectivity=2)
    topped = np.zeros(components.max() + 1, bool)
    topped[components[tops]] = True
    return label(tops | (mask & ~topped[components]), connectivity=2)
