"""What a picture of the gallery is made of: the image, and layers of outlines and of errors to lay over it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.segmentation import find_boundaries

from karyobench.metrics.contingency import Contingency
from karyobench.metrics.mistakes import Mistakes, mistakes

Box = tuple[int, int, int, int]

# Apart on pink tissue, on black fluorescence and for colour-blind readers; the kinds of errors differ in pattern too.
COLOURS = {
    **{"truth": "#00d0ff", "prediction": "#ff9500", "right": "#ffffff"},
    **{"missed": "#00d0ff", "false": "#ff7300", "merged": "#f5e400", "split": "#00e08a"},
}
ERRORS = {
    "missed": "a nucleus that nothing found",
    "false": "found where no nucleus is",
    "merged": "nuclei found as one",
    "split": "a nucleus found in parts",
}
POINT_ERRORS = {
    "missed": "a true point without a predicted one within the radius",
    "false": "a predicted point without a true one",
}
WINDOW = 320

_STRIDE = 16
_MARK = 7
_QUALITY = 90
# Indices of a layer's palette: nothing, a line in the layer's own colour, then of each kind of error three.
_NOTHING, _LINE, _OF_KINDS = 0, 1, 2
_OPACITIES = {"faint": 70, "dense": 140, "line": 255}


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


def cut(array: np.ndarray, window: Box) -> np.ndarray:
    """The part of an (H, W, ...) array that a window shows."""
    return array[window[0] : window[2], window[1] : window[3]]


def outlines(labels: np.ndarray) -> np.ndarray:
    """uint8 (H, W), 1 on the outlines of an integer (H, W) instance map.

    An outline is the pixels of an object that touch another label or the background (4-neighbours), one pixel wide and
    inside the object, so that touching objects keep an outline each.
    """
    return find_boundaries(labels, connectivity=1, mode="inner").astype(np.uint8) * np.uint8(_LINE)


def errors(truth: np.ndarray, predicted: np.ndarray, table: Contingency, window: Box) -> np.ndarray:
    """uint8 (h, w), palette indices of a window: objects in error filled and outlined by kind, right ones outlined.

    truth, predicted: integer (H, W); table: theirs, so that objects that the window cuts are judged whole. Of a merge
    and a split, all objects that take part are drawn.
    """
    truth, predicted = cut(truth, window), cut(predicted, window)
    numbers = np.searchsorted(table.truth_labels, truth), np.searchsorted(table.predicted_labels, predicted)
    lines = [outlines(labels) > 0 for labels in (truth, predicted)]
    drawn = np.where(lines[1], np.uint8(_LINE), np.uint8(_NOTHING))
    wrong = {
        kind: [which is not None and which[number] for which, number in zip(both, numbers, strict=True)]
        for kind, both in _of_kinds(mistakes(table)).items()
    }
    for kind, (of_truth, of_predicted) in wrong.items():
        inside = of_truth | of_predicted
        filled = np.where(_hatched(kind, truth.shape), _index(kind, "dense"), _index(kind, "faint"))
        drawn = np.where(inside, filled, drawn).astype(np.uint8)
    for kind, parts in wrong.items():
        for inside, line in zip(parts, lines, strict=True):
            drawn[line & inside] = _index(kind, "line")
    return drawn


def marks(points: Mapping[str, np.ndarray], window: Box) -> np.ndarray:
    """uint8 (h, w), palette indices of a window: a ring around each point, filled as errors are where it is one.

    points: float (N, 2), row and column, by `line` or kind of error. Where marks meet, the last lies on top.
    """
    drawn = np.zeros((window[2] - window[0], window[3] - window[1]), np.uint8)
    rows, columns = np.indices(drawn.shape)
    for kind, listed in points.items():
        for row, column in listed - window[:2]:
            apart = np.hypot(rows - row, columns - column)
            if kind != "line":
                filled = np.where(_hatched(kind, drawn.shape), _index(kind, "dense"), _index(kind, "faint"))
                drawn = np.where(apart < _MARK, filled, drawn).astype(np.uint8)
            drawn[np.abs(apart - _MARK) < 1] = _LINE if kind == "line" else _index(kind, "line")
    return drawn


def save_image(path: Path, image: np.ndarray) -> None:
    """Write a uint8 (H, W, 3) image as JPEG: to look at, at a quarter of the size of a lossless file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=_QUALITY, subsampling=0, optimize=True)


def save_layer(path: Path, drawn: np.ndarray, line: str) -> None:
    """Write palette indices as PNG, transparent where nothing is drawn. line: name of the colour of plain outlines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opaque = [(COLOURS[kind], opacity) for kind in ERRORS for opacity in _OPACITIES.values()]
    palette = [("#000000", 0), (COLOURS[line], 255), *opaque]
    layer = Image.fromarray(drawn).convert("P")
    layer.putpalette([channel for colour, _ in palette for channel in bytes.fromhex(colour[1:])])
    layer.save(path, optimize=True, transparency=bytes(opacity for _, opacity in palette))


def _of_kinds(found: Mistakes) -> dict[str, tuple[np.ndarray | None, np.ndarray | None]]:
    """Objects of truth and of prediction that take part in each kind of error; None where none can."""
    return {
        "missed": (found.missed, None),
        "false": (None, found.false),
        "merged": (found.merged, found.merging),
        "split": (found.split, found.fragment),
    }


def _hatched(kind: str, shape: tuple[int, int]) -> np.ndarray:
    """Where the fill of a kind of error is dense: nowhere, everywhere, on slanting lines, on level lines."""
    rows, columns = np.indices(shape)
    return {
        "missed": np.zeros(shape, bool),
        "false": np.ones(shape, bool),
        "merged": (rows + columns) % 6 < 2,
        "split": rows % 5 < 2,
    }[kind]


def _index(kind: str, part: str) -> int:
    return _OF_KINDS + len(_OPACITIES) * list(ERRORS).index(kind) + list(_OPACITIES).index(part)


def _starts(length: int, size: int) -> np.ndarray:
    return np.unique(np.append(np.arange(0, length - size + 1, _STRIDE), length - size))
