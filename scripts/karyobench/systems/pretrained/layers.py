"""Layers of a set of weights, known by their order and their shapes, since every library names them otherwise."""

import re
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Layer:
    """Tensors of one layer under their last names, such as weight and bias. name: what they have in common."""

    name: str
    tensors: dict[str, torch.Tensor]

    @property
    def kind(self) -> str:
        """Kind of the layer: convolution, dense, norm, or other."""
        if "running_mean" in self.tensors:
            return "norm"
        weight = self.tensors.get("weight")
        return {4: "convolution", 2: "dense"}.get(0 if weight is None else weight.ndim, "other")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def layers(tensors: dict[str, torch.Tensor]) -> list[Layer]:
    """Layers in the order of their names, numbers by their value; a file of safetensors keeps no other order."""
    grouped: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, last = name.rpartition(".")
        grouped.setdefault(layer, {})[last] = tensor
    return [Layer(name, grouped[name]) for name in sorted(grouped, key=_natural)]


def copy(source: Layer, target: Layer) -> None:
    """Fill a layer of a network, in place, with another layer of the same shapes."""
    with torch.no_grad():
        for name, tensor in target.tensors.items():
            tensor.copy_(source.tensors[name])


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(int(part) if part.isdigit() else -1, part) for part in parts]
