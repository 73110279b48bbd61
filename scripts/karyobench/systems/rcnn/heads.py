"""The heads that look at one box each: what it holds, how to correct it, and the mask within it."""

import torch
from torch import nn
from torch.nn import functional

from karyobench.systems.rcnn.backbone import Norm

CLASSES = 2  # background and nucleus
BOX_POOL, MASK_POOL, MASK_SIDE = 7, 14, 28


class BoxHead(nn.Module):
    """Two fully connected layers, written as convolutions, then logits and offsets per class."""

    def __init__(self, before: int, hidden: int, norm: Norm) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, hidden, BOX_POOL), norm(hidden)
        self.conv2, self.bn2 = nn.Conv2d(hidden, hidden, 1), norm(hidden)
        self.logits = nn.Conv2d(hidden, CLASSES, 1)
        self.offsets = nn.Conv2d(hidden, 4 * CLASSES, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (R, 2) and offsets (R, 2, 4) of pooled boxes (R, C, 7, 7)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        return self.logits(x).flatten(1), self.offsets(x).flatten(1).unflatten(1, (CLASSES, 4))


class MaskHead(nn.Module):
    """Four 3x3 convolutions, a doubling in size, one map per class."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4))
        self.norms = nn.ModuleList(norm(channels) for _ in range(4))
        self.enlarge = nn.ConvTranspose2d(channels, channels, 2, 2)
        self.logits = nn.Conv2d(channels, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (R, 2, 28, 28) of pooled boxes (R, C, 14, 14)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = functional.relu(norm(convolution(x)))
        return self.logits(functional.relu(self.enlarge(x)))


class OverlapHead(nn.Module):
    """Foretells the IoU of each mask with the truth (Huang et al., Mask Scoring R-CNN, CVPR 2019)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        sides = [(channels + 1, 1), (channels, 1), (channels, 1), (channels, 2)]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, channels, 3, stride, padding=1) for i, stride in sides)
        self.dense1 = nn.Conv2d(channels, hidden, MASK_POOL // 2)
        self.dense2 = nn.Conv2d(hidden, hidden, 1)
        self.overlaps = nn.Conv2d(hidden, CLASSES, 1)

    def forward(self, x: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """IoU (R, 2) per class of masks (R, 1, 28, 28), probabilities, in pooled boxes (R, C, 14, 14)."""
        x = torch.cat([x, functional.max_pool2d(masks, 2).to(x.dtype)], dim=1)
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        x = functional.relu(self.dense2(functional.relu(self.dense1(x))))
        return self.overlaps(x).flatten(1)
