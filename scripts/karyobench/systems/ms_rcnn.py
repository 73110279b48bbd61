"""Mask Scoring R-CNN: Mask R-CNN with a head that foretells how well each mask fits, by which nuclei are ranked.

Huang et al., CVPR 2019 (arXiv:1903.00241), on the network of `prcnn` with ResNet-50. A nucleus's score is its
probability times the foretold IoU of its mask; `predict.overlap` is the least score that is kept.
"""

from typing import Any

import torch
from torch import nn

from karyobench.systems.rcnn.examples import examples
from karyobench.systems.rcnn.losses import loss, measures
from karyobench.systems.rcnn.network import MaskRCNN
from karyobench.systems.rcnn.prediction import predict
from karyobench.systems.rcnn.pretrained import adopt

__all__ = ["adopt", "build", "examples", "loss", "measures", "predict"]

TASK = "Mask Scoring R-CNN: masks ranked by their foretold overlap with the truth"
PAPER = "Huang et al., Mask Scoring R-CNN, CVPR 2019"
OUTPUT = "instances"
TRAINED = True
GRAPHS = ("trunk", "box_head", "mask_head", "overlap_head")
KEYS = {
    "network": ("blocks", "width", "pyramid", "rpn", "hidden", "norm", "sides", "ratios", "scale"),
    "targets": ("anchors", "proposals", "boxes", "positives", "nuclei"),
    "loss": (),
    "predict": ("tile", "resize", "proposals", "confidence", "nms", "detections", "overlap"),
    "instances": ("min_edge", "every"),
}
FULL = {
    "network": {
        "blocks": [3, 4, 6, 3],
        "width": 64,
        "pyramid": 256,
        "rpn": 512,
        "hidden": 1024,
        "norm": "frozen",
        "sides": [8, 16, 32, 64, 128],
        "ratios": [0.5, 1, 2],
        "scale": 2,
    }
}


def build(config: dict[str, Any]) -> nn.Module:
    """Mask R-CNN of `network` with the head of overlaps; `targets` is needed for training alone."""
    network = MaskRCNN(config["network"], config.get("targets"), scoring=True)
    return network.to(memory_format=torch.channels_last)
