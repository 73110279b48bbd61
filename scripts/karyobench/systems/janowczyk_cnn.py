"""The tutorial's own network for the data of the improved AlexNet paper: Caffe's `CIFAR10_quick` on 32x32 windows.

As Caffe computes it: convolutions 5x5 keep a map's size by padding; pools of 3x3 with stride 2 take a last step that is
cut short at the border, where a mean is that of what is left; no ReLU between the two fully connected layers. The map
is exactly that of each window on its own (`windows/plan.py`); so much padding leaves less to share than in `alexnet`.
Colours are scaled to -1..1, where the tutorial subtracts the mean image of its training windows.
"""

from typing import Any

import torch
from torch import nn

from karyobench.systems.windows.maps import instances, predict
from karyobench.systems.windows.network import Pool, WindowNet
from karyobench.systems.windows.plan import Geometry
from karyobench.systems.windows.sampling import CONTEXT, WINDOW, examples, loss, measures

__all__ = ["CONTEXT", "build", "examples", "instances", "loss", "measures", "predict"]

TASK = "Tutorial CNN: nucleus or not for the 32x32 window around each pixel"
PAPER = "Janowczyk and Madabhushi, Deep learning for digital pathology image analysis, J. Pathol. Inform. 2016"
OUTPUT = "maps"
TRAINED = True
CLASS_MAP = True
GRAPHS = ("blocks", "classify")
KEYS = {
    "network": ("channels", "hidden"),
    "targets": ("positives", "ring", "elsewhere", "stroma"),
    "loss": (),
    "predict": ("tile", "overlap"),
    "instances": ("threshold", "min_area"),
}
FULL = {"network": {"channels": [32, 32, 64], "hidden": 64}}


def build(config: dict[str, Any]) -> nn.Module:
    """The tutorial's network has `network: {channels: [32, 32, 64], hidden: 64}`.

    A 32x32 window shrinks to 16, 8 and 4 pixels; the first pool takes the maximum, the others the mean.
    """
    settings = config["network"]
    size = Geometry(3, stride=2, ceil=True)
    pools = [Pool(size, mean=bool(block)) for block in range(len(settings["channels"]))]
    convolution = Geometry(5, padding=2)
    network = WindowNet(WINDOW, settings["channels"], convolution, pools, [settings["hidden"]], rectify=False)
    return network.to(memory_format=torch.channels_last)
