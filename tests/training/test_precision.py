"""Arithmetic of training: half precision is for GPUs, and nothing of it reaches the weights that a CPU trains."""

import json

import pytest
import yaml

import smoke
from karyobench.training import setup

SYSTEMS = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))["systems"]
ON_GPU = [name for name, record in SYSTEMS.items() if record.get("resources", {}).get("gpu")]


@pytest.mark.parametrize("name", ON_GPU)
def test_every_system_that_asks_for_a_gpu_trains_there_in_bfloat16(name):
    assert SYSTEMS[name]["train"]["precision"] == "bf16-mixed"


def test_a_cpu_trains_the_same_weights_whatever_the_precision_of_a_gpu(study, monkeypatch):
    monkeypatch.setattr(setup.torch.cuda, "is_available", lambda: False)
    full = study.train("full")
    study.config["train"]["precision"] = "bf16-mixed"
    mixed = study.train("mixed", fingerprint="code:2")
    assert mixed.weights.read_bytes() == full.weights.read_bytes()
    assert json.loads(mixed.run.read_text())["precision"] == "32-true"
