"""Weights of another origin laid into Mask R-CNN: a whole network of ours, or a ResNet that classified images."""

from typing import Any

import torch
from torch import nn

from karyobench.errors import KaryobenchError

_CLASSIFIER = "fc."
_COUNTERS = "num_batches_tracked"
_NAMED = 3


def adopt(network: nn.Module, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Fill the whole network from one of the same make, or its backbone from a ResNet with torch's common names.

    A ResNet's classifier is left out; its convolutions have no biases, and ours stay 0. Raises KaryobenchError,
    naming the first tensors that are missing, unknown or of another shape.
    """
    whole = any(name.startswith("rpn.") for name in tensors)
    target = network if whole else network.backbone
    ours = target.state_dict()
    given = {name: t for name, t in tensors.items() if whole or not name.startswith(_CLASSIFIER)}
    optional = {name for name in ours if name.endswith(_COUNTERS) or (not whole and _is_bias(name, ours))}
    faults = [f"{name} is missing" for name in ours if name not in given and name not in optional]
    faults += [f"{name} is not in the network" for name in given if name not in ours and not name.endswith(_COUNTERS)]
    faults += [
        f"{name} is {tuple(tensor.shape)}, the network has {tuple(ours[name].shape)}"
        for name, tensor in given.items()
        if name in ours and tensor.shape != ours[name].shape
    ]
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise KaryobenchError(
            f"the weights to start from do not fit: {'; '.join(faults[:_NAMED])}{more}; `network` must be theirs in "
            "blocks and width, and a ResNet's needs norm: frozen or batch"
        )
    target.load_state_dict({name: tensor for name, tensor in given.items() if name in ours}, strict=False)


def _is_bias(name: str, ours: dict[str, torch.Tensor]) -> bool:
    """Whether a tensor is the bias of a convolution."""
    weight = ours.get(name.removesuffix("bias") + "weight")
    return name.endswith("bias") and weight is not None and weight.ndim > 1
