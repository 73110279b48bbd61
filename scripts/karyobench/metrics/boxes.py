"""The objects of a label map with their bounding boxes.

The compiled code is kept where `cli.keep_compiled_code` says, or in NUMBA_CACHE_DIR.
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class Objects(NamedTuple):
    """Objects of a label map (H, W): labels known, ascending, and boxes as `find_boxes` gives them."""

    labels: np.ndarray
    known: np.ndarray
    boxes: np.ndarray


@njit(cache=True, nogil=True)
def find_boxes(labels, known):
    """Bounding box of each known label, int64 (n, 4) rows and columns r0, c0, r1, c1, upper ends excluded."""
    height, width = labels.shape
    boxes = np.empty((known.size, 4), np.int64)
    boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3] = height, width, 0, 0
    for row in range(height):
        start = 0
        for column in range(1, width + 1):
            if column == width or labels[row, column] != labels[row, start]:
                box = boxes[np.searchsorted(known, labels[row, start])]
                box[0], box[1] = min(box[0], row), min(box[1], start)
                box[2], box[3] = row + 1, max(box[3], column)
                start = column
    return boxes
