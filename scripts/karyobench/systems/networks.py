"""What the torch systems share: images as network input, and where a network lives."""

import numpy as np
import torch
from torch import nn

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
"""Of red, green and blue in grey levels: 255 times what weights trained on ImageNet in torch commonly expect."""


def as_input(images: np.ndarray) -> torch.Tensor:
    """float32 (N, 3, H, W) in [-1, 1] from uint8 (N, H, W, 3); memory stays channels last, as convolutions like it."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def imagenet_input(images: np.ndarray) -> torch.Tensor:
    """float32 (N, 3, H, W) from uint8 (N, H, W, 3), each channel less its mean over ImageNet and over its deviation."""
    scaled = (images - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def device_of(network: nn.Module) -> torch.device:
    """Device that holds the network's weights."""
    return next(network.parameters()).device
