"""Pretrained weights in the configuration: who may start from them, and what is made anew when their record changes."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from snakemake.utils import validate

import smoke
from karyobench.errors import KaryobenchError
from karyobench.workflow import start

CONFIG = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))
VGG = SimpleNamespace(experiment="vgg16_a-breakhis", seed="1")


def read(**changes: Any) -> start.Catalogue:
    """The catalogue of the project's configuration, with keys such as `section__name__key` set to new values."""
    config = copy.deepcopy(CONFIG) | {"study": "breakhis"}
    for path, value in changes.items():
        *above, last = path.split("__")
        record = config
        for key in above:
            record = record[key]
        record[last] = value
    start.read(config, smoke.ROOT, validate)
    return start.Catalogue(config)


def test_an_experiment_starts_from_its_weights_and_says_so() -> None:
    catalogue = read()
    assert catalogue.pretrained == ["vgg16-imagenet"]
    assert catalogue.initial_weights(VGG) == ["results/pretrained/vgg16-imagenet.safetensors"]
    assert json.loads(catalogue.slice("train")(VGG))["initial"] == "pretrained vgg16-imagenet"
    second = SimpleNamespace(experiment="vgg16_b-breakhis", seed="1")
    assert catalogue.initial_weights(second) == ["results/models/vgg16_a-breakhis/1/weights.safetensors"]
    assert json.loads(catalogue.slice("train")(second))["initial"] == "experiment vgg16_a-breakhis"
    scratch = SimpleNamespace(experiment="vgg16_scratch-breakhis", seed="1")
    assert catalogue.initial_weights(scratch) == []


def test_the_record_reaches_its_own_step_and_no_wording_does() -> None:
    job = SimpleNamespace(pretrained="vgg16-imagenet")
    record = read().config["pretrained"]["vgg16-imagenet"]
    told = json.loads(read().slice("pretrained")(job))
    assert told == {"pretrained": "vgg16-imagenet", **{key: record[key] for key in ("source", "format", "input")}}
    other = read(**{"pretrained__vgg16-imagenet__citation": "another"})
    assert json.loads(other.slice("pretrained")(job)) == told
    assert other.slice("train")(VGG) == read().slice("train")(VGG)


def test_a_local_file_is_an_input_of_the_step(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    mine = {"source": {"local": str(tmp_path / "w.pth")}, "format": "torch", "licence": "", "citation": ""}
    catalogue = read(pretrained__mine=mine)
    assert catalogue.raw_weights(SimpleNamespace(pretrained="mine")) == [str(tmp_path / "w.pth")]
    assert catalogue.raw_weights(SimpleNamespace(pretrained="vgg16-imagenet")) == []


LOCAL = {"source": {"local": "no/such.pth"}, "format": "torch", "licence": "", "citation": ""}
UNET = "experiments__unet3-hgsc__pretrained"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({UNET: "vgg16-imagnet"}, "did you mean 'vgg16-imagenet'?"),
        ({UNET: "vgg16-imagenet"}, "system 'unet3-he' cannot start from weights of another origin"),
        ({"experiments__vgg16_b-breakhis__pretrained": "vgg16-imagenet"}, "remove one of them"),
        ({"experiments__otsu__pretrained": "vgg16-imagenet"}, "experiments.otsu.pretrained: nothing is trained here"),
        ({"pretrained__vgg16-imagenet__source": LOCAL["source"]}, "there is no 'no/such.pth'"),
        (
            {  # of the training that the leaderboard's experiment starts from
                "studies__breakhis": ["breakhis"],
                "leaderboards__breakhis__experiments": ["vgg16_b-breakhis"],
                "pretrained__vgg16-imagenet__source": LOCAL["source"],
            },
            "pretrained.vgg16-imagenet.source.local: there is no 'no/such.pth'",
        ),
        ({"pretrained__vgg16-imagenet__source": {"ulr": "x"}}, "pretrained.vgg16-imagenet.source"),
        ({"pretrained__vgg16-imagenet__format": "h5"}, "'h5' is not one of safetensors, torch, onnx"),
        ({"pretrained__vgg16-imagenet__input": {"channels": "bgr"}}, "the key 'mean' is missing"),
    ],
)
def test_faults_are_told_with_their_key(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(KaryobenchError) as caught:
        read(**changes)
    assert told in str(caught.value)
