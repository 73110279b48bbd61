"""What a training run stands on: network, optimiser, device, precision, deterministic kernels."""

import logging
import math
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import nn

from karyobench.allocator import keep_freed_memory
from karyobench.errors import KaryobenchError, nearest
from karyobench.systems import registry, weights
from karyobench.training import ranks
from karyobench.training.optimizers import optimizer_of

SETTINGS = (
    "augment",
    "batch",
    "checkpoint_every",
    "clip",
    "ema",
    "learning_rate",
    "momentum",
    "optimizer",
    "precision",
    "ranks",
    "schedule",
    "validate_every",
    "weight_decay",
)
_WAIT = timedelta(hours=6)


@dataclass(frozen=True)
class Run:
    """What stays the same from step to step.

    planned: training steps that the budget asks for; steps: those that `max_steps` leaves of them. model: the network
    as Fabric wraps it for its device, precision and ranks.
    """

    planned: int
    steps: int
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


def planned_steps(config: dict[str, Any], patches: int) -> int:
    """Training steps of the experiment's `budget`, {steps} or {epochs}, with so many training patches."""
    budget = config["budget"]
    return budget["steps"] if "steps" in budget else math.ceil(budget["epochs"] * patches / config["train"]["batch"])


def set_up(config: dict[str, Any], patches: int, init: str | Path | None = None) -> Run:
    """Network, optimiser and device of a run: CUDA where there is one, with the configured precision, else the CPU.

    patches: how many there are to train on. init: weights to start from. `budget: {max_steps}` caps the budget.
    """
    _check(config["train"])
    planned = planned_steps(config, patches)
    steps = min(planned, config["budget"].get("max_steps", planned))
    on_gpu = torch.cuda.is_available()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products are deterministic only so
    keep_freed_memory()
    torch.set_num_threads(config["threads"])
    torch.use_deterministic_algorithms(True, warn_only=on_gpu)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.manual_seed(config["seed"])
    system = registry.load(config["module"])
    network = system.build(config)
    check_normalisation(network, config["train"])
    if init is None:
        check_frozen(network, config["experiment"])
    else:
        _start_from(system, network, init, config)
    fabric = _fabric(config["train"], on_gpu)
    optimizer = optimizer_of(network, config["train"])
    model, _ = fabric.setup(network, optimizer)
    return Run(planned, steps, config, system, fabric, network, model, optimizer)


def _fabric(settings: dict[str, Any], on_gpu: bool) -> Fabric:
    """Fabric of one process, or of this rank among `train.ranks`, which has then met the others."""
    count = settings["ranks"]
    device = {"accelerator": "cuda" if on_gpu else "cpu", "precision": settings["precision"] if on_gpu else "32-true"}
    if count == 1:
        # A job of a cluster is one process; Fabric would otherwise take it for a part of a larger one.
        return Fabric(devices=1, plugins=[LightningEnvironment()], **device)
    here = ranks.on_this_machine(count)
    if on_gpu and torch.cuda.device_count() < here:
        seen = torch.cuda.device_count()
        raise KaryobenchError(f"{here} ranks need as many GPUs, and {seen} is here; CUDA_VISIBLE_DEVICES= hides it")
    # Detectors leave heads unused in steps without objects. Also, buckets of gradients then stay as they are from the
    # first step on, so that a run that goes on sums in the same order.
    # All ranks wait while the first one validates, for which half an hour, Fabric's own limit, may be too short. A rank
    # that fails needs no limit: whoever started the ranks ends them all.
    strategy = DDPStrategy(find_unused_parameters=True, timeout=_WAIT)
    fabric = Fabric(
        devices=here, num_nodes=count // here, strategy=strategy, plugins=[TorchElasticEnvironment()], **device
    )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric.launch()
    return fabric


def _start_from(system: ModuleType, network: nn.Module, init: str | Path, config: dict[str, Any]) -> None:
    """Fill a network with the weights of a file: as the system adopts them, or else only if all of them fit."""
    if not hasattr(system, "adopt"):
        weights.load(network, init, "init_from must name an experiment of the same system and `network`")
        return
    try:
        system.adopt(network, weights.read(init), config)
    except KaryobenchError as error:
        raise KaryobenchError(f"{init}: {error}") from None


def _check(settings: dict[str, Any]) -> None:
    for key in sorted(settings.keys() ^ set(SETTINGS)):
        hint = nearest(key, SETTINGS) if key in settings else ""
        raise KaryobenchError(
            f"the system's section `train`: the key '{key}' is {'unknown' if hint else 'missing'}{hint}"
        )
    if settings["batch"] % settings["ranks"]:
        raise KaryobenchError(f"train.batch: {settings['batch']} patches cannot be shared by {settings['ranks']} ranks")


def check_frozen(network: nn.Module, experiment: str) -> None:
    """Raise KaryobenchError where a network that starts from nothing freezes weights, or statistics, at random."""
    frozen = [name for name, weight in network.named_parameters() if not weight.requires_grad]
    if frozen:
        raise KaryobenchError(
            f"experiment '{experiment}': its network freezes {len(frozen)} tensors of weights or statistics (the first "
            f"is {frozen[0]}), and starts from nothing, so that no step would ever fit them; give the experiment "
            "`pretrained` or `init_from`, or a system that freezes nothing (VGG16: network.free: 13, as vgg16_scratch; "
            "Mask R-CNN: network.norm: batch or group)"
        )


def check_normalisation(network: nn.Module, settings: dict[str, Any]) -> None:
    """Raise KaryobenchError where a rank would normalise a batch of one. settings: the `train` section."""
    if settings["batch"] == settings["ranks"] and any(isinstance(m, nn.BatchNorm1d) for m in network.modules()):
        raise KaryobenchError(
            f"train.batch: {settings['batch']} on {settings['ranks']} ranks leaves each a single patch, and this "
            "network's batch normalisation needs two; raise train.batch"
        )
