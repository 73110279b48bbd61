"""P-RCNN: Mask R-CNN with anchors of a nucleus's size, and tiles whose nuclei are united across the seams.

Mask R-CNN is He et al., ICCV 2017; the numbers that the paper does not change are those of the implementation that its
count of 63 million trainable parameters fits exactly.
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

TASK = "P-RCNN: Mask R-CNN with small anchors, and tiles united by the longest shared edge"
PAPER = "P-RCNN paper (authors and year not known to us); He et al., Mask R-CNN, ICCV 2017"
OUTPUT = "instances"
TRAINED = True
GRAPHS = ("trunk", "box_head", "mask_head")
KEYS = {
    "network": ("blocks", "width", "pyramid", "rpn", "hidden", "norm", "sides", "ratios", "scale"),
    "targets": ("anchors", "proposals", "boxes", "positives", "nuclei"),
    "loss": (),
    "predict": ("tile", "resize", "proposals", "confidence", "nms", "detections"),
    "instances": ("min_edge", "every"),
}
FULL = {
    "network": {
        "blocks": [3, 4, 23, 3],
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
    """Mask R-CNN of `network` (see `rcnn.network.MaskRCNN`); `targets` is needed for training alone."""
    return MaskRCNN(config["network"], config.get("targets")).to(memory_format=torch.channels_last)
