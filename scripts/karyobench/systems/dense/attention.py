"""Attention over channels, then over places (CBAM: Woo et al., ECCV 2018), as the MCSA-Unet paper writes it."""

import torch
from torch import nn


class ChannelAttention(nn.Module):
    """A weight in (0, 1) per channel, sigmoid(MLP(mean) + MLP(maximum)) with one MLP for both."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weights (N, C, 1, 1) of features (N, C, H, W)."""
        weights = self.mlp(x.mean(dim=(2, 3))) + self.mlp(x.amax(dim=(2, 3)))
        return weights.sigmoid()[:, :, None, None]


class SpatialAttention(nn.Module):
    """A weight in (0, 1) per place: sigmoid of a convolution 7x7 over the channels' mean and maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weights (N, 1, H, W) of features (N, C, H, W)."""
        told = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return self.convolution(told).sigmoid()
