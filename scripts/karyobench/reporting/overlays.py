"""Truth and prediction drawn as outlines, on a window small enough for a page."""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage.segmentation import find_boundaries

Box = tuple[int, int, int, int]

NOTHING, TRUTH, PREDICTION, BOTH = range(4)
# Apart on pink tissue, on black fluorescence and for colour-blind readers; side by side they blend to grey.
COLOURS = {TRUTH: "#00d0ff", PREDICTION: "#ff9500", BOTH: "#ffffff"}

WINDOW = 320
_STRIDE = 16


def densest_window(instances: np.ndarray, side: int) -> Box:
    """Window (r0, c0, r1, c1) of at most side x side pixels that holds the most nucleus pixels.

    Windows start at multiples of 16 pixels, and at the last place that fits; the first of equals is taken.
    """
    height, width = (min(side, n) for n in instances.shape)
    total = np.pad(np.cumsum(np.cumsum(instances > 0, axis=0), axis=1), ((1, 0), (1, 0)))
    rows, columns = (_starts(n, size) for n, size in zip(instances.shape, (height, width), strict=True))
    ends = rows + height, columns + width
    held = total[np.ix_(*ends)] - total[np.ix_(rows, ends[1])] - total[np.ix_(ends[0], columns)]
    held += total[np.ix_(rows, columns)]
    row, column = np.unravel_index(np.argmax(held), held.shape)
    top, left = int(rows[row]), int(columns[column])
    return top, left, top + height, left + width


def outlines(truth: np.ndarray, prediction: np.ndarray | None) -> np.ndarray:
    """uint8 (H, W) of NOTHING, TRUTH, PREDICTION or BOTH, from two int (H, W) instance maps.

    An outline is the pixels of a nucleus that touch another label or the background (4-neighbours), one pixel wide and
    inside the nucleus, so that touching nuclei keep an outline each. Without a prediction the truth stands alone.
    """
    drawn = find_boundaries(truth, connectivity=1, mode="inner").astype(np.uint8) * np.uint8(TRUTH)
    if prediction is not None:
        drawn |= find_boundaries(prediction, connectivity=1, mode="inner").astype(np.uint8) * np.uint8(PREDICTION)
    return drawn


def save_image(path: Path, image: np.ndarray) -> None:
    """Write a uint8 (H, W, 3) image as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, optimize=True)


def save_outlines(path: Path, drawn: np.ndarray) -> None:
    """Write `outlines` as a PNG of four palette colours that is transparent where nothing is drawn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layer = Image.fromarray(drawn).convert("P")
    layer.putpalette([0, 0, 0, *(channel for kind in sorted(COLOURS) for channel in bytes.fromhex(COLOURS[kind][1:]))])
    layer.save(path, optimize=True, transparency=NOTHING)


def _starts(length: int, size: int) -> np.ndarray:
    return np.unique(np.append(np.arange(0, length - size + 1, _STRIDE), length - size))
