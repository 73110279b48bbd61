"""Nuclei of a tile by Mask R-CNN. The network is touched through its graphs alone."""

from typing import Any

import numpy as np
import torch

from karyobench.systems.base import Tile
from karyobench.systems.networks import device_of, imagenet_input
from karyobench.systems.rcnn.detection import detections, paste
from karyobench.systems.rcnn.examples import scaled
from karyobench.systems.rcnn.heads import BOX_POOL, MASK_POOL, MASK_SIDE
from karyobench.systems.rcnn.network import anchors_of, padded
from karyobench.systems.rcnn.roi_align import pyramid_align
from karyobench.systems.rcnn.rpn import proposals


def predict(network: Any, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Nuclei int32 (h, w) of a tile of any size, labelled by descending score.

    `predict.resize` scales the tile so that its longer side has that many pixels; null leaves the scale of training.
    """
    height, width = tile.image.shape[:2]
    resize = config["predict"]["resize"]
    scale = resize / max(height, width) if resize else config["network"]["scale"]
    image = imagenet_input(scaled(tile.image, scale)[None]).to(device_of(network))
    with torch.inference_mode():
        found, masks = _detect(network, image, config)
    window = np.array(image.shape[2:]) / (height, width)
    return paste(masks.cpu().numpy(), found.cpu().numpy() / np.tile(window, 2), height, width)


def _detect(network: Any, image: torch.Tensor, config: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (D, 4) and mask probabilities (D, 28, 28) of the nuclei of one image (1, 3, H, W), best first."""
    settings, window = config["predict"], image.shape[2:]
    image = padded(image, config["network"])
    *levels, logits, offsets = network.trunk(image)
    around = anchors_of(image, config["network"])
    boxes = proposals(logits[0].float(), offsets[0].float(), around, window, settings["proposals"])
    scores = boxes[:, 0]
    if len(boxes):
        logits, offsets = network.box_head(_pooled(levels, boxes, BOX_POOL))
        boxes, scores = detections(logits.float(), offsets.float(), boxes, window, settings)
    if not len(boxes):
        return boxes, boxes.new_zeros(0, MASK_SIDE, MASK_SIDE)
    pooled = _pooled(levels, boxes, MASK_POOL)
    masks = network.mask_head(pooled)[:, 1:].float().sigmoid()
    if "overlap" in settings:
        boxes, masks = _rescored(boxes, masks, scores * network.overlap_head(pooled, masks)[:, 1], settings["overlap"])
    return boxes, masks[:, 0]


def _rescored(
    boxes: torch.Tensor, masks: torch.Tensor, scores: torch.Tensor, least: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes and masks in the order of new scores, without those below the least."""
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] >= least]
    return boxes[order], masks[order]


def _pooled(levels: list[torch.Tensor], boxes: torch.Tensor, size: int) -> torch.Tensor:
    image = torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
    return pyramid_align(levels, boxes, image, size)
