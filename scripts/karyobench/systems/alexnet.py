"""Improved AlexNet: a 32x32 window around each pixel is classified as nucleus or not, for all pixels at once.

The layers are those of the paper in AlexNet's usual order (convolutions 3x3, pools 3x3 with stride 2). No convolution
is padded: a padded window would see zeros at its own border where the image has neighbours. `alexnet_literal` is the
paper's wording taken as it stands.
"""

from typing import Any

import torch
from torch import nn

from karyobench.systems.windows.maps import instances, predict
from karyobench.systems.windows.network import Pool, WindowNet
from karyobench.systems.windows.plan import Geometry
from karyobench.systems.windows.sampling import CONTEXT, WINDOW, examples, loss, measures

__all__ = ["CONTEXT", "build", "examples", "instances", "loss", "measures", "predict"]

TASK = "Improved AlexNet: nucleus or not for the 32x32 window around each pixel"
PAPER = "Improved AlexNet paper, pixel-wise segmentation of nuclei (authors and year not known to us)"
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
FULL = {"network": {"channels": [32, 32, 64], "hidden": 1024}}


def build(config: dict[str, Any]) -> nn.Module:
    """AlexNet of `network: {channels, hidden}`; the paper's reading is [32, 32, 64] and 1024.

    A 32x32 window shrinks to 30, 14, 12, 5, 3 and 1 pixels: three times convolution 3x3, ReLU, max pool 3x3 with
    stride 2. Three fully connected layers follow.
    """
    settings = config["network"]
    pools = [Pool(Geometry(3, stride=2))] * len(settings["channels"])
    network = WindowNet(WINDOW, settings["channels"], Geometry(3), pools, [settings["hidden"]] * 2)
    return network.to(memory_format=torch.channels_last)
