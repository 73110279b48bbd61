"""Patches as Mask R-CNN learns from them: scaled images, and the boxes and labels of their nuclei."""

from typing import Any

import cv2
import numpy as np
import torch
from scipy import ndimage

from karyobench.patches.batch import Batch
from karyobench.systems.networks import imagenet_input
from karyobench.systems.rcnn.sampling import Truth


def examples(
    batch: Batch, rng: np.random.Generator, config: dict[str, Any]
) -> tuple[tuple[torch.Tensor, Truth], tuple[()]]:
    """Input float32 (N, 3, H, W) with the truth, both `network.scale` times as large as the patches; no targets.

    Of a patch with more than `targets.nuclei` nuclei, that many are drawn; the others count as background.
    """
    scale = config["network"]["scale"]
    images = np.stack([scaled(image, scale) for image in batch.images])
    instances = np.stack([_scaled_labels(labels, scale) for labels in batch.instances])
    ignore = np.zeros_like(batch.instances, np.uint8) if batch.ignore is None else batch.ignore
    ignore = np.stack([_scaled_labels(mask, scale) for mask in ignore])
    listed = [_nuclei(labels, config["targets"]["nuclei"], rng) for labels in instances]
    most = max(1, *(len(labels) for _, labels in listed))
    boxes, labels = np.zeros((len(batch), most, 4), np.float32), np.zeros((len(batch), most), np.int64)
    for index, (found, names) in enumerate(listed):
        boxes[index, : len(names)], labels[index, : len(names)] = found, names
    truth = Truth(*map(torch.from_numpy, (boxes, labels, instances.astype(np.int64), ignore.astype(bool))))
    return (imagenet_input(images), truth), ()


def _nuclei(labels: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Boxes float32 (g, 4) and labels int64 (g,) of at most `most` nuclei of a map (H, W)."""
    found = ndimage.find_objects(labels)
    names = np.flatnonzero([place is not None for place in found])
    if len(names) > most:
        names = np.sort(rng.choice(names, most, replace=False))
    boxes = [(r.start, c.start, r.stop, c.stop) for r, c in (found[name] for name in names)]
    return np.array(boxes, np.float32).reshape(-1, 4), names + 1


def scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """uint8 (H * scale, W * scale, 3), interpolated linearly."""
    if scale == 1:
        return image
    height, width = (_scaled_side(side, scale) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def _scaled_side(side: int, scale: float) -> int:
    return max(1, round(side * scale))


def _scaled_labels(labels: np.ndarray, scale: float) -> np.ndarray:
    """Map (H * scale, W * scale) with the label of the nearest pixel, aligned with the scaled image."""
    longer = ((side, _scaled_side(side, scale)) for side in labels.shape)
    rows, columns = (((np.arange(after) + 0.5) * side / after).astype(int) for side, after in longer)
    return labels[np.ix_(rows, columns)]
