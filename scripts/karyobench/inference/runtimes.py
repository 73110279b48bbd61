"""Exported networks in the place of torch ones: graphs that OpenVINO runs, tensors in, tensors out."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch

from karyobench.errors import KaryobenchError
from karyobench.inference import exported, signal_stack

Tensors = torch.Tensor | tuple[torch.Tensor, ...]
Graph = Callable[..., Tensors]

# Left to itself, OpenVINO computes in bfloat16 wherever the processor can. What int8 leaves in floats is float32.
_ARITHMETIC = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class StandIn(SimpleNamespace):
    """Graphs by their names, which a system's `predict` calls as it calls the methods of a torch network."""

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        """The graph `forward`."""
        return self.forward(*inputs)

    def parameters(self) -> Iterator[torch.Tensor]:
        """An empty tensor where the inputs are wanted: systems ask a network for its device through its parameters."""
        yield torch.empty(0)


def load(path: str | Path, config: dict[str, Any]) -> StandIn:
    """The network that the step `export` wrote. config: the system's record, and `threads`.

    Raises KaryobenchError on a file that is missing or damaged, or was exported from another network or for another
    precision than the configuration's.
    """
    found = exported.read(path)
    precision = config["predict"]["runtime"]["precision"]
    wanted = {"module": config["module"], "network": config.get("network"), "precision": precision}
    unfit = [
        f"{key} {found.record.get(key)}, must be {value}"
        for key, value in wanted.items()
        if found.record.get(key) != value
    ]
    if unfit:
        raise KaryobenchError(f"{path}: was exported with {'; '.join(unfit)}; export it again")
    return StandIn(**{name: compiled(graph, precision, config["threads"]) for name, graph in found.graphs.items()})


def compiled(graph: tuple[bytes, bytes], precision: str, threads: int) -> Graph:
    """A graph ready to be called with float32 tensors; it gives a tensor, or a tuple where it has several outputs.

    graph: the bytes of its xml and its bin. precision: float32, bfloat16 or int8.
    Raises KaryobenchError where the processor has no such arithmetic, and on bytes that OpenVINO cannot read.
    """
    core = openvino().Core()
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise KaryobenchError("predict.runtime.precision: this processor has no bfloat16; choose float32 or int8")
    settings = {
        "INFERENCE_PRECISION_HINT": _ARITHMETIC[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # two jobs would be pinned to the same cores
    }
    try:
        with undisturbed():
            network = core.compile_model(core.read_model(graph[0], graph[1]), "CPU", settings)
    except RuntimeError as error:
        raise KaryobenchError(f"OpenVINO cannot load the exported network ({error}); export it again") from None

    def run(*inputs: torch.Tensor) -> Tensors:
        # An empty batch would bring back the results of the batch before it, so one of zeros takes its place.
        empty = len(inputs[0]) == 0
        arrays = (np.zeros((1, *t.shape[1:]), np.float32) if empty else np.ascontiguousarray(t.numpy()) for t in inputs)
        with undisturbed():
            found = network(list(arrays))
        outputs = tuple(torch.from_numpy(found[n][:0] if empty else found[n]) for n in range(len(network.outputs)))
        return outputs if len(outputs) > 1 else outputs[0]

    return run


def openvino() -> ModuleType:
    """The package, which is kept from telling its maker's servers that it is used."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino as package

    return package


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put back what OpenVINO changes of its process: the signal stack, and the level below which nothing is logged."""
    root = logging.getLogger()
    level = root.level
    try:
        with signal_stack.kept():
            yield
    finally:
        root.setLevel(level)
