"""What a training run stands on: network, optimiser, device, precision, deterministic kernels."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import nn

from karyobench.errors import KaryobenchError, nearest
from karyobench.systems import registry, weights
from karyobench.training.optimizers import optimizer_of

SETTINGS = (
    "augment",
    "batch",
    "checkpoint_every",
    "learning_rate",
    "optimizer",
    "precision",
    "schedule",
    "validate_every",
    "weight_decay",
)


@dataclass(frozen=True)
class Run:
    """What stays the same from step to step. model: the network as Fabric wraps it for its device and precision."""

    config: dict[str, Any]
    system: ModuleType
    fabric: Fabric
    network: nn.Module
    model: nn.Module
    optimizer: torch.optim.Optimizer

    @property
    def settings(self) -> dict[str, Any]:
        """The `train` section."""
        return self.config["train"]

    @property
    def steps(self) -> int:
        """Budget of training steps."""
        return self.config["budget"]["steps"]


def set_up(config: dict[str, Any], init: str | Path | None = None) -> Run:
    """Network, optimiser and device of a run: CUDA where there is one, with the configured precision, else the CPU."""
    _check(config["train"])
    on_gpu = torch.cuda.is_available()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products are deterministic only so
    torch.set_num_threads(config["threads"])
    torch.use_deterministic_algorithms(True, warn_only=on_gpu)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.manual_seed(config["seed"])
    system = registry.load(config["module"])
    network = system.build(config)
    if init is not None:
        weights.load(network, init, "init_from must name an experiment of the same system and `network`")
    precision = config["train"]["precision"] if on_gpu else "32-true"
    # A job of a cluster is one process; Fabric would otherwise take it for a part of a larger one.
    accelerator = "cuda" if on_gpu else "cpu"
    fabric = Fabric(accelerator=accelerator, devices=1, precision=precision, plugins=[LightningEnvironment()])
    optimizer = optimizer_of(network, config["train"])
    model, _ = fabric.setup(network, optimizer)
    return Run(config, system, fabric, network, model, optimizer)


def _check(settings: dict[str, Any]) -> None:
    for key in sorted(settings.keys() ^ set(SETTINGS)):
        hint = nearest(key, SETTINGS) if key in settings else ""
        raise KaryobenchError(
            f"the system's section `train`: the key '{key}' is {'unknown' if hint else 'missing'}{hint}"
        )
