"""Weights for images of another scale or order of channels, changed so that they expect ours."""

from typing import Any

import torch

from karyobench.errors import KaryobenchError
from karyobench.systems.networks import IMAGENET_MEAN, IMAGENET_STD

_OURS = "rgb"


def adapted(tensors: dict[str, torch.Tensor], given: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Tensors whose first convolution gives for our input what it gave for its own.

    given: how the weights' own input is made of grey levels 0 to 255: `channels` (rgb or bgr), and `mean` and `std`
    per channel in that order. Ours is `networks.imagenet_input`. Padding is zero in both, so along the border of an
    image the result differs by what the means differ. Raises KaryobenchError where the first convolution is not
    certain, or has no bias to take up another mean.
    """
    name = _first_convolution(tensors)
    order = [given["channels"].index(channel) for channel in _OURS]
    mean, std = (torch.tensor(given[key], dtype=torch.float64)[order] for key in ("mean", "std"))
    ours = torch.tensor(IMAGENET_MEAN, dtype=torch.float64), torch.tensor(IMAGENET_STD, dtype=torch.float64)
    weight = tensors[name].double()[:, order] / std[:, None, None]
    shift = (weight * (ours[0] - mean)[:, None, None]).sum(dim=(1, 2, 3))
    changed = {name: (weight * ours[1][:, None, None]).float()}
    if shift.any():
        bias = name.removesuffix("weight") + "bias"
        if bias not in tensors:
            raise KaryobenchError(f"input.mean: the first convolution, '{name}', has no bias to take up another mean")
        changed[bias] = (tensors[bias].double() + shift).float()
    return tensors | changed


def _first_convolution(tensors: dict[str, torch.Tensor]) -> str:
    """The one convolution of three channels."""
    found = [name for name, tensor in tensors.items() if tensor.ndim == 4 and tensor.shape[1] == len(_OURS)]
    if len(found) != 1:
        raise KaryobenchError(f"input: {len(found)} convolutions have three input channels, not one; leave `input` out")
    return found[0]
