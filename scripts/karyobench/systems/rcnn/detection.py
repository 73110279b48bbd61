"""From a network's outputs to nuclei: which boxes stay, and their masks on one map."""

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from karyobench.systems.rcnn import boxes
from karyobench.systems.rcnn.nms import nms

_MASK_THRESHOLD = 0.5


class Detections(NamedTuple):
    """Nuclei of one image, best first: boxes (D, 4), scores (D,)."""

    boxes: torch.Tensor
    scores: torch.Tensor


def detections(
    logits: torch.Tensor,
    offsets: torch.Tensor,
    proposals: torch.Tensor,
    window: tuple[int, int],
    settings: dict[str, Any],
) -> Detections:
    """Nuclei among the proposals (R, 4), given the heads' logits (R, 2) and offsets (R, 2, 4).

    settings: `confidence`, the least probability; `nms`, the IoU above which the better of two stays; `detections`,
    the most that are kept. window: height and width of what is image and not padding.
    """
    scores = logits.softmax(dim=1)[:, 1]
    found = boxes.clip(boxes.decode(offsets[:, 1], proposals), *window)
    good = (scores >= settings["confidence"]) & (boxes.area(found) > 0)
    found, scores = found[good], scores[good]
    stays = nms(found, scores, settings["nms"], settings["detections"])
    return Detections(found[stays], scores[stays])


def paste(masks: np.ndarray, where: np.ndarray, height: int, width: int) -> np.ndarray:
    """Instance map int32 (height, width) of probabilities (D, m, m) within boxes (D, 4), best first, labelled 1..D.

    A pixel belongs to the best nucleus whose probability there, interpolated between the middles of the mask's cells,
    is at least one half.
    """
    canvas = np.zeros((height, width), np.int32)
    for number in range(len(masks), 0, -1):
        rows, columns, inside = _within(masks[number - 1], where[number - 1], height, width)
        canvas[rows, columns][inside] = number
    return canvas


def _within(mask: np.ndarray, box: np.ndarray, height: int, width: int) -> tuple[slice, slice, np.ndarray]:
    """Rows and columns of the pixels whose middle may lie in a box, and which of them are nucleus."""
    r0, c0, r1, c1 = (float(side) for side in box)
    rows = slice(max(0, int(np.ceil(r0 - 0.5))), min(height, int(np.ceil(r1 - 0.5))))
    columns = slice(max(0, int(np.ceil(c0 - 0.5))), min(width, int(np.ceil(c1 - 0.5))))
    y = (np.arange(rows.start, rows.stop) + 0.5 - r0) * (len(mask) / (r1 - r0)) - 0.5
    x = (np.arange(columns.start, columns.stop) + 0.5 - c0) * (len(mask) / (c1 - c0)) - 0.5
    if not (len(y) and len(x)):
        return slice(0, 0), slice(0, 0), np.zeros((0, 0), bool)
    grid = np.broadcast_arrays(x[None].astype(np.float32), y[:, None].astype(np.float32))
    values = cv2.remap(mask, *map(np.ascontiguousarray, grid), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return rows, columns, values >= _MASK_THRESHOLD
