"""UNet3+: each decoder node sees all levels of the encoder down to its own and all decoder nodes below it.

Without the paper's classification gate and deep supervision, and taught by cross entropy on two classes, as in the
comparison with MCSA-Unet. Convolutions before batch normalisation have no biases, which it would take away.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from karyobench.systems.dense.blocks import convolution, doubling, two_convolutions
from karyobench.systems.dense.two_class import examples, instances, loss, measures, predict

__all__ = ["build", "examples", "instances", "loss", "measures", "predict"]

TASK = "UNet3+: full-scale skip connections, two classes"
PAPER = "Huang et al., UNet 3+: a full-scale connected UNet for medical image segmentation, ICASSP 2020"
OUTPUT = "maps"
TRAINED = True
KEYS = {
    "network": ("width", "depth"),
    "loss": ("class_weights",),
    "predict": ("tile", "overlap"),
    "instances": ("threshold", "min_area"),
}
FULL = {"network": {"width": 64, "depth": 5}}


class Node(nn.Module):
    """A decoder node: one branch of `width` channels per level, together and convolved."""

    def __init__(self, level: int, sources: list[int], width: int) -> None:
        super().__init__()
        self.level = level
        self.branches = nn.ModuleList(nn.Sequential(*convolution(source, width)) for source in sources)
        together = width * len(sources)
        self.fuse = nn.Sequential(*convolution(together, together))

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Features (N, width * levels, H, W) of this level, of one map per level, each half as large as the last."""
        fitted = [branch(_resized(maps[i], self.level - i)) for i, branch in enumerate(self.branches)]
        return self.fuse(torch.cat(fitted, dim=1))


class Unet3Plus(nn.Module):
    """Encoder of `depth` levels from `width` channels; branches of `width` channels."""

    def __init__(self, width: int, depth: int, classes: int = 2) -> None:
        super().__init__()
        channels = doubling(width, depth)
        together = width * depth
        self.down = nn.ModuleList(two_convolutions(i, o) for i, o in pairwise([3, *channels]))
        below = [[together] * (depth - 2 - level) + channels[-1:] for level in range(depth - 1)]
        self.up = nn.ModuleList(
            Node(level, channels[: level + 1] + below[level], width) for level in reversed(range(depth - 1))
        )
        self.head = nn.Conv2d(together, classes, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W); H and W are multiples of 2^(depth - 1)."""
        maps: list[torch.Tensor] = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            maps.append(x)
        for node in self.up:
            maps[node.level] = node(maps)
        return self.head(maps[0])


def _resized(x: torch.Tensor, halvings: int) -> torch.Tensor:
    """A map pooled by its maximum, `halvings` times by two, or enlarged bilinearly where that is negative."""
    if halvings > 0:
        return functional.max_pool2d(x, 2**halvings)
    if halvings < 0:
        return functional.interpolate(x, scale_factor=2**-halvings, mode="bilinear", align_corners=False)
    return x


def build(config: dict[str, Any]) -> nn.Module:
    """UNet3+ of `network: {width, depth}`."""
    return Unet3Plus(**config["network"]).to(memory_format=torch.channels_last)
