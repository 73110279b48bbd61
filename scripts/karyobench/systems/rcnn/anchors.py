"""Anchors: the boxes that proposals are offsets from, one side per level of the pyramid."""

from collections.abc import Sequence

import torch


def anchors(
    height: int, width: int, strides: Sequence[int], sides: Sequence[float], ratios: Sequence[float]
) -> torch.Tensor:
    """Boxes (K, 4) of all levels, finest first; of a level by row, column and ratio of height to width.

    height, width: of the network's input. A level of stride s has ceil(height / s) x ceil(width / s) places, with an
    anchor of area side^2 for each ratio around the middle of each place.
    """
    return torch.cat([_level(height, width, *level, ratios) for level in zip(strides, sides, strict=True)])


def _level(height: int, width: int, stride: int, side: float, ratios: Sequence[float]) -> torch.Tensor:
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()
    half = side / 2 * torch.stack([root, 1 / root], dim=1)
    rows, columns = (torch.arange(-(-length // stride)) for length in (height, width))
    centres = (torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1) + 0.5) * stride
    return torch.cat([centres[:, :, None] - half, centres[:, :, None] + half], dim=-1).reshape(-1, 4)
