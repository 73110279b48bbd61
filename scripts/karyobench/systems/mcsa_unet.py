"""MCSA-Unet: a U-Net with channel and spatial attention and a residual after each encoder stage, and its ablations.

The paper gives the blocks; where it is silent: 64 to 1024 channels, padded convolutions with biases, the attended
features as skips, nearest upsampling, two output maps, an MLP that reduces sixteenfold. Channel attention pools over
all that the network is given, so that a pixel's probability depends a little on the tile that it lies in.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError, nearest
from karyobench.systems.dense.attention import ChannelAttention, SpatialAttention
from karyobench.systems.dense.blocks import UpConvolution, doubling, two_convolutions
from karyobench.systems.dense.two_class import examples, instances, loss, measures, predict

__all__ = ["build", "examples", "instances", "loss", "measures", "predict"]

TASK = "U-Net with channel and spatial attention and residuals in its encoder, two classes"
PAPER = "MCSA-Unet paper, segmentation of mitotic nuclei (authors and year not known to us)"
OUTPUT = "maps"
TRAINED = True
KEYS = {
    "network": ("width", "depth", "channel", "spatial", "spatial_target", "residual", "reduction", "batch_norm"),
    "loss": ("class_weights",),
    "predict": ("tile", "overlap"),
    "instances": ("threshold", "min_area"),
}
FULL = {
    "network": {
        "width": 64,
        "depth": 5,
        "channel": True,
        "spatial": True,
        "spatial_target": "F",
        "residual": "features",
        "reduction": 16,
        "batch_norm": False,
    }
}

_TARGETS = ("F", "F_c")
_RESIDUALS = ("none", "features", "input", "everywhere")


class Stage(nn.Module):
    """Two convolutions 3x3 that give features F, then attention and a residual, each where it is wanted."""

    def __init__(self, before: int, after: int, options: dict[str, Any]) -> None:
        super().__init__()
        self.convolutions = two_convolutions(before, after, options["batch_norm"])
        self.channel = ChannelAttention(after, options["reduction"]) if options["channel"] else None
        self.spatial = SpatialAttention() if options["spatial"] else None
        self.shortcut = nn.Conv2d(before, after, 1) if options["residual"] in ("input", "everywhere") else None
        self.adds_features = options["residual"] == "features"
        self.target = options["spatial_target"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (N, after, H, W) of (N, before, H, W)."""
        features = self.convolutions(x)
        weighted = features if self.channel is None else self.channel(features) * features
        attended = weighted
        if self.spatial is not None:
            attended = self.spatial(weighted) * (features if self.target == "F" else weighted)
        if self.adds_features:
            return features + attended
        return attended if self.shortcut is None else attended + self.shortcut(x)


class McsaUnet(nn.Module):
    """`depth` levels from `width` channels; all but the lowest of the encoder may have attention."""

    def __init__(self, width: int, depth: int, classes: int = 2, **options: Any) -> None:
        super().__init__()
        channels = doubling(width, depth)
        plain = {**options, "channel": False, "spatial": False}
        plain["residual"] = "everywhere" if options["residual"] == "everywhere" else "none"
        levels = list(pairwise([3, *channels]))
        self.down = nn.ModuleList(Stage(i, o, options) for i, o in levels[:-1])
        self.bottom = Stage(*levels[-1], plain)
        upwards = list(pairwise(reversed(channels)))
        self.grow = nn.ModuleList(UpConvolution(below, here) for below, here in upwards)
        self.up = nn.ModuleList(Stage(2 * here, here, plain) for _, here in upwards)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W); H and W are multiples of 2^(depth - 1)."""
        skips: list[torch.Tensor] = []
        for stage in self.down:
            skips.append(stage(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for grow, stage, skip in zip(self.grow, self.up, reversed(skips), strict=True):
            x = stage(torch.cat([skip, grow(x)], dim=1))
        return self.head(x)


def build(config: dict[str, Any]) -> nn.Module:
    """Network of `network`; FULL is the paper's, and these are the rows of its tables.

    `channel`: features F become F_c, weighted per channel. `spatial`: weights per place, told from F_c (from F where
    `channel` is false), are laid on F as the paper's second formula has it (`spatial_target: F`), or on F_c as in CBAM
    (`F_c`). `residual`: `features` adds F itself, the whole network's third formula; `input` adds the stage's input
    through a convolution 1x1, the row "+Res"; `everywhere` does so in the lowest stage and in the decoder too, which
    makes a Res-Unet; `none`. With none of them it is a U-Net, its convolutions padded and its deconvolutions made of
    upsampling and a convolution 2x2. Raises KaryobenchError on an unknown word and on options that contradict.
    """
    options = config["network"]
    _check(options)
    return McsaUnet(**options).to(memory_format=torch.channels_last)


def _check(options: dict[str, Any]) -> None:
    for key, known in (("spatial_target", _TARGETS), ("residual", _RESIDUALS)):
        if options[key] not in known:
            raise KaryobenchError(f"network.{key}: there is no '{options[key]}'{nearest(str(options[key]), known)}")
    if options["residual"] == "features" and not (options["channel"] or options["spatial"]):
        raise KaryobenchError("network.residual: 'features' adds them to the attended ones; set channel or spatial")
