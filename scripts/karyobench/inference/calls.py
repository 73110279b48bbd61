"""What a system's `predict` asks of its network, recorded on training patches."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from karyobench.errors import KaryobenchError
from karyobench.inference.networks import inference
from karyobench.inference.runtimes import Graph, StandIn, Tensors
from karyobench.systems.base import Tile


@dataclass(frozen=True)
class Call:
    """What a graph was given while a system predicted, and what torch made of it: float32 arrays."""

    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Calls:
    """The calls of one graph while the system predicts images; each pass predicts anew, so that none stays in memory.

    images: uint8 (H, W, 3). Calls without content, such as those on no objects, are left out.
    """

    system: ModuleType
    network: nn.Module
    graph: str
    images: list[np.ndarray]
    config: dict[str, Any]

    def __iter__(self) -> Iterator[Call]:
        made: list[Call] = []
        graphs = {name: getattr(self.network, name) for name in graph_names(self.system)}
        graphs[self.graph] = _recording(graphs[self.graph], made)
        for image in self.images:
            with inference(self.system):
                self.system.predict(StandIn(**graphs), _tile(image, self.system), self.config)
            yield from (call for call in made if all(array.size for array in call.inputs))
            made.clear()


def graph_names(system: ModuleType) -> tuple[str, ...]:
    """Methods of a system's network that its `predict` calls."""
    return getattr(system, "GRAPHS", ("forward",))


def arrays(tensors: Tensors) -> tuple[np.ndarray, ...]:
    """Copies of one or several tensors."""
    several = (tensors,) if isinstance(tensors, torch.Tensor) else tensors
    return tuple(tensor.detach().numpy().copy() for tensor in several)


def _recording(graph: Graph, made: list[Call]) -> Graph:
    def call(*inputs: torch.Tensor) -> Tensors:
        given = arrays(inputs)
        outputs = graph(*inputs)
        made.append(Call(given, arrays(outputs)))
        return outputs

    return call


def _tile(image: np.ndarray, system: ModuleType) -> Tile:
    """A training patch as a tile, its margin taken for the context that the system sees."""
    height, width = (side - sum(getattr(system, "CONTEXT", (0, 0))) for side in image.shape[:2])
    if min(height, width) < 1:
        raise KaryobenchError(f"patches of {image.shape[1]} px are smaller than the system's window; raise `crop`")
    box = (0, 0, height, width)
    return Tile(image, "training patch", box, "training patch", box, image_type="he")
