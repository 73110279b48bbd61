"""What the torch systems share: images as network input, and where a network lives."""

import numpy as np
import torch
from torch import nn


def as_input(images: np.ndarray) -> torch.Tensor:
    """float32 (N, 3, H, W) in [-1, 1] from uint8 (N, H, W, 3); memory stays channels last, as convolutions like it."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def device_of(network: nn.Module) -> torch.device:
    """Device that holds the network's weights."""
    return next(network.parameters()).device
