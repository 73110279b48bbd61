"""The exponential moving average of a network's weights, which `train.ema` validates and keeps in their place."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


def started(network: nn.Module, kept: Tensors) -> Tensors:
    """The average before a step: what a checkpoint kept of it, or else the network's own weights, on its device."""
    own = network.state_dict()
    return {name: (kept or own)[name].to(tensor.device, copy=True) for name, tensor in own.items()}


def advance(average: Tensors, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the weights after a step, counted from 1; buffers (batch statistics) are copied.

    average = d average + (1 - d) weights with d = min(decay, (1 + step) / (10 + step)): without the second term, the
    random first weights would outweigh all that a short run learns.
    """
    decay = min(decay, (1 + step) / (10 + step))
    learned = {name for name, _ in network.named_parameters()}
    for name, tensor in network.state_dict().items():
        if name in learned:
            average[name].lerp_(tensor, 1 - decay)
        else:
            average[name].copy_(tensor)


@contextmanager
def in_place(network: nn.Module, average: Tensors) -> Iterator[None]:
    """The network with the average for weights; with its own where there is no average."""
    if not average:
        yield
        return
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(average)
    try:
        yield
    finally:
        network.load_state_dict(own)
