"""Tensors of a weights file as its publisher made it: safetensors, a torch state dict, or an ONNX graph."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from karyobench.errors import KaryobenchError

if TYPE_CHECKING:
    import onnx

Tensors = dict[str, torch.Tensor]

_DAMAGED = (RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError)


def read(path: str | Path, form: str) -> Tensors:
    """Tensors by name, floating point ones as float32.

    form: `safetensors` and `torch` keep the names of the file, in its order; `onnx` gives the convolutions alone, as
    `convolutions.{n}.weight` and `.bias` in the order in which the graph computes them: dense layers that follow a
    flattening depend on the order of axes of the library that wrote the graph. No form runs code from the file.
    Raises KaryobenchError on a file of another form, one that is damaged, and one that needs code to be read.
    """
    tensors = _READERS[form](Path(path))
    if not tensors:
        raise KaryobenchError(f"{path}: holds no weights")
    return {name: _plain(tensor) for name, tensor in tensors.items()}


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in memory of its own, as safetensors wants it."""
    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(kind).clone(memory_format=torch.contiguous_format)


def _safetensors(path: Path) -> Tensors:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise KaryobenchError(f"{path}: cannot be read as safetensors ({error}); correct its `format`") from None


def _torch(path: Path) -> Tensors:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise KaryobenchError(
            f"{path}: is no file of weights alone, or is damaged: {_first_line(error)} Such a file can run code when "
            "it is read, so it is not; take the weights as safetensors, or save their state dict anew where you trust "
            "the file"
        ) from None
    except _DAMAGED as error:
        raise KaryobenchError(f"{path}: cannot be read as a torch file ({_first_line(error)})") from None
    held = held.get("state_dict", held) if isinstance(held, dict) else held
    if not isinstance(held, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in held.values()):
        raise KaryobenchError(f"{path}: is no state dict (tensors by name), nor has one under 'state_dict'")
    return held


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _onnx(path: Path) -> Tensors:
    import onnx

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # whatever protobuf, which is not ours to import, raises on bytes that it cannot parse
        raise KaryobenchError(f"{path}: cannot be read as ONNX ({_first_line(error)}); correct its `format`") from None
    stored = {tensor.name: tensor for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    return {
        f"convolutions.{index}.{kind}": _stored(path, stored, name)
        for index, node in enumerate(convolutions)
        for kind, name in zip(("weight", "bias"), node.input[1:], strict=False)
    }


def _stored(path: Path, stored: "dict[str, onnx.TensorProto]", name: str) -> torch.Tensor:
    import onnx

    if name not in stored:
        raise KaryobenchError(f"{path}: the weights '{name}' of a convolution are computed, not stored")
    if stored[name].data_location == onnx.TensorProto.EXTERNAL:
        raise KaryobenchError(f"{path}: keeps its weights in a file beside it; save the graph with the weights inside")
    return torch.from_numpy(onnx.numpy_helper.to_array(stored[name]).copy())


_READERS: dict[str, Callable[[Path], Tensors]] = {"safetensors": _safetensors, "torch": _torch, "onnx": _onnx}
