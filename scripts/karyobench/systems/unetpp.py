"""UNet++: a U-Net whose skips are themselves a grid of nodes, each of all nodes before it in its row and one below.

As in its paper: 32 to 512 channels, transposed convolutions 2x2, biases and no batch normalisation. `up: 4` and
`width: 64` are a known port's. Taught by cross entropy on two classes, as in the comparison with MCSA-Unet.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.systems.dense.blocks import doubling, two_convolutions
from karyobench.systems.dense.two_class import examples, instances, loss, measures, predict

__all__ = ["build", "examples", "instances", "loss", "measures", "predict"]

TASK = "UNet++: nested skip connections, two classes"
PAPER = "Zhou et al., UNet++: a nested U-Net architecture for medical image segmentation, DLMIA 2018"
OUTPUT = "maps"
TRAINED = True
KEYS = {
    "network": ("width", "depth", "up", "heads", "batch_norm"),
    "loss": ("class_weights",),
    "predict": ("tile", "overlap"),
    "instances": ("threshold", "min_area"),
}
FULL = {"network": {"width": 32, "depth": 5, "up": 2, "heads": 1, "batch_norm": False}}


class UnetPlusPlus(nn.Module):
    """Nodes X(i, j) of level i and column j: X(i, 0) is the encoder, X(0, depth - 1) the deepest network's last node.

    up: side of the transposed convolutions, 2 or 4. heads: over how many of the last nodes of level 0 the logits are
    the mean of 1x1 heads; 1 for the last one alone, depth - 1 for deep supervision.
    """

    def __init__(self, width: int, depth: int, up: int, heads: int, batch_norm: bool, classes: int = 2) -> None:
        super().__init__()
        channels = doubling(width, depth)
        self.encoder = nn.ModuleList(two_convolutions(i, o, batch_norm) for i, o in pairwise([3, *channels]))
        columns = range(1, depth)
        self.grow = nn.ModuleList(
            nn.ModuleList(_growing(channels[i + 1], channels[i], up) for i in range(depth - j)) for j in columns
        )
        self.nodes = nn.ModuleList(
            nn.ModuleList(two_convolutions((j + 1) * channels[i], channels[i], batch_norm) for i in range(depth - j))
            for j in columns
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, classes, 1) for _ in range(heads))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W); H and W are multiples of 2^(depth - 1)."""
        rows: list[list[torch.Tensor]] = []
        for level, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            rows.append([x])
        for grow, nodes in zip(self.grow, self.nodes, strict=True):
            for level, (up, node) in enumerate(zip(grow, nodes, strict=True)):
                rows[level].append(node(torch.cat([*rows[level], up(rows[level + 1][-1])], dim=1)))
            rows.pop()
        last = rows[0][-len(self.heads) :]
        return torch.stack([head(node) for head, node in zip(self.heads, last, strict=True)]).mean(dim=0)


def _growing(before: int, after: int, side: int) -> nn.Module:
    """Transposed convolution that doubles height and width."""
    return nn.ConvTranspose2d(before, after, side, stride=2, padding=side // 2 - 1)


def build(config: dict[str, Any]) -> nn.Module:
    """UNet++ of `network`; FULL is the paper's without deep supervision, which `heads: 4` adds.

    Raises KaryobenchError on another `up` than 2 and 4 and on more heads than there are nodes for them.
    """
    options = config["network"]
    if options["up"] not in (2, 4):
        raise KaryobenchError(
            f"network.up: {options['up']} is neither 2 nor 4, the sides of the transposed convolution"
        )
    if not 1 <= options["heads"] < options["depth"]:
        raise KaryobenchError(f"network.heads: {options['heads']} is not from 1 to {options['depth'] - 1}, depth - 1")
    return UnetPlusPlus(**options).to(memory_format=torch.channels_last)
