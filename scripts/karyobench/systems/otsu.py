"""Global threshold by between-class variance, connected components."""

from typing import Any

import numpy as np
from skimage.measure import label

from karyobench.systems.base import Tile
from karyobench.systems.common import cleaned, foreground
from karyobench.systems.labels import without_small

TASK = "Otsu's threshold on the nuclear channel, then connected components (Otsu 1979; Coelho et al. 2009)"
PAPER = "Otsu, A threshold selection method from gray-level histograms, IEEE Trans. Syst. Man Cybern. 1979"
OUTPUT = "maps"
TRAINED = False
KEYS = {"predict": ("tile",), "instances": ("median", "max_hole", "min_area")}


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Foreground of a tile as one map of 0 and 1, float32 (1, h, w).

    The threshold is the tile's own: leave `predict.tile` null for a global one.
    """
    return foreground(tile.image, tile.image_type).astype(np.float32)[None]


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Instance map int (H, W): 8-connected components of the cleaned foreground.

    config: `instances.median` (px), `instances.max_hole` (px), `instances.min_area` (px).
    """
    settings = config["instances"]
    mask = cleaned(maps[0] > 0.5, settings["median"], settings["max_hole"])
    return without_small(label(mask, connectivity=2), settings["min_area"])
