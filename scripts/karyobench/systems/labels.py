"""What systems of every kind do to instance maps."""

import numpy as np


def without_small(labels: np.ndarray, min_area: int) -> np.ndarray:
    """Instance map int (H, W) without objects below `min_area` px; labels keep their values.

    scikit-image's `remove_small_objects` does the same, but warns of a map with a single nucleus.
    """
    return np.where(np.bincount(labels.ravel())[labels] >= min_area, labels, 0)
