"""The same class for every image: what a classifier must beat."""

from typing import Any

import numpy as np

from karyobench.errors import KaryobenchError, nearest
from karyobench.systems.base import Tile

TASK = "The same class for every image, such as the commonest of the training images: its rate is that class's share"
PAPER = "none: a baseline"
OUTPUT = "classes"
TRAINED = False
KEYS = {"predict": ("tile", "class")}


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Probability 1 for `predict.class`, float32 (C,). Raises KaryobenchError on a class that the dataset lacks."""
    wanted = config["predict"]["class"]
    if wanted not in config["classes"]:
        raise KaryobenchError(f"predict.class: '{wanted}' is not among the classes{nearest(wanted, config['classes'])}")
    return np.array([name == wanted for name in config["classes"]], np.float32)
