"""Weights of other origin: every form is read without running code, and adapted to our input."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from safetensors.torch import load_file, save_file
from torch.nn import functional

from foreign_weights import CAFFE, graph, same, tensors
from karyobench.errors import KaryobenchError
from karyobench.systems.networks import imagenet_input
from karyobench.systems.pretrained import formats, inputs, layers


def test_safetensors_come_back_as_they_are(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "w.safetensors")
    assert same(formats.read(tmp_path / "w.safetensors", "safetensors"), tensors())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", [False, True])
def test_a_state_dict_comes_back_as_it_is(zipped: bool, inside: bool, tmp_path: Path) -> None:
    held = {"state_dict": tensors(), "epoch": 3} if inside else tensors()
    torch.save(held, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(formats.read(tmp_path / "w.pth", "torch"), tensors())


def test_halves_become_floats_and_counts_stay(tmp_path: Path) -> None:
    torch.save({"w": torch.tensor([0.5, 2.0]).half(), "n": torch.tensor(7)}, tmp_path / "w.pth")
    found = formats.read(tmp_path / "w.pth", "torch")
    assert found["w"].dtype == torch.float32 and found["w"].tolist() == [0.5, 2.0]
    assert found["n"].dtype == torch.int64 and found["n"].item() == 7


def test_parameters_and_views_of_one_memory_are_written_apart(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": torch.nn.Parameter(whole), "b": whole[:, ::2], "c": whole.T}, tmp_path / "w.pth")
    found = formats.read(tmp_path / "w.pth", "torch")
    save_file(found, tmp_path / "w.safetensors")
    assert same(load_file(tmp_path / "w.safetensors"), {"a": whole, "b": whole[:, ::2], "c": whole.T})


def test_convolutions_of_a_graph_come_in_the_order_of_computation(tmp_path: Path) -> None:
    given = tensors()
    graph(tmp_path / "g.onnx", given)
    expected = {
        "convolutions.0.weight": given["a.0.weight"],
        "convolutions.0.bias": given["a.0.bias"],
        "convolutions.1.weight": given["a.10.weight"],
    }
    assert same(formats.read(tmp_path / "g.onnx", "onnx"), expected)


class _Malicious:
    """What a pickle can do to its reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_none(zipped: bool, tmp_path: Path) -> None:
    held = {"w": torch.ones(2), "evil": _Malicious(tmp_path / "ran")}
    torch.save(held, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(KaryobenchError, match=r"evil\.pth: .*can run code.*safetensors"):
        formats.read(tmp_path / "evil.pth", "torch")
    assert not (tmp_path / "ran").exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(KaryobenchError, match="save their state dict"):
        formats.read(tmp_path / "module.pth", "torch")


@pytest.mark.parametrize("held", [[torch.ones(2)], {"a": 1}, {"state_dict": 3}, {"state_dict": {"a": "b"}}])
def test_what_is_no_state_dict_is_refused(held: object, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "w.pth")
    with pytest.raises(KaryobenchError, match="no state dict"):
        formats.read(tmp_path / "w.pth", "torch")


@pytest.mark.parametrize("form", ["safetensors", "torch", "onnx"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x00" * 100, b"PK\x03\x04" + b"\x01" * 40])
def test_other_bytes_are_told_with_the_file(form: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(content)
    with pytest.raises(KaryobenchError, match=r"w\.bin: "):
        formats.read(tmp_path / "w.bin", form)


@pytest.mark.parametrize("form", ["safetensors", "torch", "onnx"])
def test_a_cut_off_file_is_told(form: str, tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    if form == "onnx":
        graph(path, tensors())
    else:
        {"safetensors": save_file, "torch": torch.save}[form](tensors(), path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(KaryobenchError, match=r"w\.bin: "):
        formats.read(path, form)


def test_graphs_that_do_not_hold_their_weights(tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    graph(path, tensors(), first="computed")
    with pytest.raises(KaryobenchError, match="'computed' of a convolution are computed"):
        formats.read(path, "onnx")
    graph(path, tensors(), nodes=[helper.make_node("Relu", ["x"], ["o"])])
    with pytest.raises(KaryobenchError, match="holds no weights"):
        formats.read(path, "onnx")
    beside = {"save_as_external_data": True, "location": "g.data", "size_threshold": 0}
    graph(path, tensors(), save=beside)
    with pytest.raises(KaryobenchError, match="in a file beside it"):
        formats.read(path, "onnx")


# ---------------------------------------------------------------------- their input and ours


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 9, 11, 3)).astype(np.uint8)


def test_a_convolution_for_another_input_gives_for_ours_what_it_gave() -> None:
    given = tensors()
    theirs = torch.from_numpy(images()[..., ::-1] - np.array(CAFFE["mean"], np.float32)).permute(0, 3, 1, 2).float()
    before = functional.conv2d(theirs, given["a.0.weight"], given["a.0.bias"])
    adapted = inputs.adapted(given, CAFFE)
    after = functional.conv2d(imagenet_input(images()), adapted["a.0.weight"], adapted["a.0.bias"])
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-2)  # of values up to 1,000
    assert all(torch.equal(adapted[name], given[name]) for name in ("a.10.weight", "a.2.weight"))


def test_our_own_input_changes_nothing() -> None:
    ours = {"channels": "rgb", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
    adapted = inputs.adapted(tensors(), ours)
    torch.testing.assert_close(adapted["a.0.weight"], tensors()["a.0.weight"], rtol=1e-6, atol=0)
    assert torch.equal(adapted["a.0.bias"], tensors()["a.0.bias"])


def test_what_cannot_be_adapted() -> None:
    given = tensors()
    with pytest.raises(KaryobenchError, match="2 convolutions have three input channels"):
        inputs.adapted(given | {"b.weight": torch.ones(2, 3, 1, 1)}, CAFFE)
    del given["a.0.bias"]
    with pytest.raises(KaryobenchError, match=r"'a\.0\.weight', has no bias"):
        inputs.adapted(given, CAFFE)


def test_layers_come_in_the_order_of_their_numbers() -> None:
    found = layers.layers(tensors() | {"b.running_mean": torch.ones(2), "b.weight": torch.ones(2)})
    assert [(layer.name, layer.kind) for layer in found] == [
        ("a.0", "convolution"),
        ("a.2", "dense"),
        ("a.10", "convolution"),
        ("b", "norm"),
    ]
