"""Weights as other libraries write them."""

from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper

CAFFE = {"channels": "bgr", "mean": [103.939, 116.779, 123.68], "std": [1.0, 1.0, 1.0]}


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    """Two convolutions and a dense layer."""
    draw = torch.Generator().manual_seed(seed)
    shapes = {"a.0.weight": (4, 3, 3, 3), "a.0.bias": (4,), "a.10.weight": (5, 4, 3, 3), "a.2.weight": (6, 5)}
    return {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}


def graph(path: Path, given: dict[str, torch.Tensor], **changes: Any) -> None:
    """Write a graph of two convolutions, the second without bias, and a dense layer, stored last layer first."""
    stored = [numpy_helper.from_array(tensor.numpy(), name) for name, tensor in reversed(given.items())]
    nodes = [
        helper.make_node("Conv", ["x", changes.get("first", "a.0.weight"), "a.0.bias"], ["y"], pads=[1] * 4),
        helper.make_node("Conv", ["y", "a.10.weight"], ["z"]),
        helper.make_node("GlobalAveragePool", ["z"], ["p"]),
        helper.make_node("Gemm", ["p", "a.2.weight"], ["o"], transB=1),
    ]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", "o")]
    made = helper.make_graph(changes.get("nodes", nodes), "g", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(made), path, **changes.get("save", {}))


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    """Whether the names and the very tensors are the same."""
    return found.keys() == expected.keys() and all(torch.equal(found[name], t) for name, t in expected.items())
