"""Layers that the U-Nets share; module and parameter names are part of the weights on disk."""

import torch
from torch import nn
from torch.nn import functional


def doubling(width: int, depth: int) -> list[int]:
    """Channels of `depth` levels: `width` at full size, twice as many per level below."""
    return [width * 2**level for level in range(depth)]


def two_convolutions(before: int, after: int, batch_norm: bool = True) -> nn.Sequential:
    """Twice convolution 3x3 and ReLU, padded, with batch normalisation in between or with biases instead of it."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += convolution(channels, after, batch_norm)
    return nn.Sequential(*layers)


def convolution(before: int, after: int, batch_norm: bool = True) -> list[nn.Module]:
    """Convolution 3x3, batch normalisation where it is wanted, ReLU.

    Without normalisation the weights are drawn as He et al. (ICCV 2015) do, which keeps the signal's variance through
    many layers; torch's own draw, a sixth of that variance, would leave the deep ones next to nothing.
    """
    layer = nn.Conv2d(before, after, 3, padding=1, bias=not batch_norm)
    if batch_norm:
        return [layer, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return [layer, nn.ReLU(inplace=True)]


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Map (N, C, 2 H, 2 W) of (N, C, H, W), each pixel repeated."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class UpConvolution(nn.Conv2d):
    """Nearest upsampling by two, then a convolution 2x2, padded on the right and below."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, after, 2 H, 2 W) of (N, before, H, W)."""
        return super().forward(functional.pad(doubled(x), (0, 1, 0, 1)))
