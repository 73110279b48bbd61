"""Improved AlexNet as its paper words it: pools of 2x2 with stride 3, which leave room only for padded convolutions.

Each window sees zeros at its own border, where the image goes on, and the map is exactly that of each window on its
own: near a window's border the layers are evaluated apart (`windows/plan.py`); `benchmarks/alexnet.py --system
alexnet_literal` measures at what cost.
The third pool takes the first two of four positions, so the last 5 rows and columns of a window are never looked at.
"""

from typing import Any

import torch
from torch import nn

from karyobench.systems.windows.maps import instances, predict
from karyobench.systems.windows.network import Pool, WindowNet
from karyobench.systems.windows.plan import Geometry
from karyobench.systems.windows.sampling import CONTEXT, WINDOW, examples, loss, measures

__all__ = ["CONTEXT", "build", "examples", "instances", "loss", "measures", "predict"]

TASK = "Improved AlexNet with its paper's pools, 2x2 with stride 3, and padded convolutions"
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
    """AlexNet of `network: {channels, hidden}`; a 32x32 window shrinks to 11, 4 and 1 pixels."""
    settings = config["network"]
    pools = [Pool(Geometry(2, stride=3))] * len(settings["channels"])
    network = WindowNet(WINDOW, settings["channels"], Geometry(3, padding=1), pools, [settings["hidden"]] * 2)
    return network.to(memory_format=torch.channels_last)
