"""No experiment that starts from nothing has a network that freezes weights, with and without the small overlay."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from snakemake.utils import update_config, validate

import smoke
from karyobench.errors import KaryobenchError
from karyobench.systems import registry
from karyobench.training.setup import check_frozen
from karyobench.workflow import start

CONFIG = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))
SMALL = yaml.safe_load((smoke.ROOT / "profiles/small/small.yaml").read_text(encoding="utf-8"))
WITHOUT = {"experiments": {"vgg16_a-breakhis": {"pretrained": None}, "prcnn-pooled": {"pretrained": None}}}


def frozen_starts(overlay: dict[str, Any]) -> dict[str, str]:
    """What training says of each experiment whose frozen weights nothing fills."""
    config = copy.deepcopy(CONFIG)
    update_config(config, overlay)
    start.read(config, smoke.ROOT, validate)
    catalogue, refused = start.Catalogue(config), {}
    for name, record in config["experiments"].items():
        if "patches" not in record or catalogue.initial_weights(SimpleNamespace(experiment=name, seed="1")):
            continue
        system = catalogue.system(name)
        with torch.device("meta"):
            network = registry.load(system["module"]).build({**system, "classes": ["a", "b"]})
        try:
            check_frozen(network, name)
        except KaryobenchError as error:
            refused[name] = str(error)
    return refused


@pytest.mark.parametrize("overlay", [{}, SMALL])
def test_no_experiment_of_ours_starts_so(overlay: dict[str, Any]) -> None:
    assert frozen_starts(overlay) == {}


def test_an_overlay_that_takes_the_weights_away_is_refused() -> None:
    refused = frozen_starts(WITHOUT)
    assert set(refused) == {"vgg16_a-breakhis", "prcnn-pooled"}
    assert "convolutions.0.weight" in refused["vgg16_a-breakhis"]
    assert "running_mean" in refused["prcnn-pooled"]
