"""Optimisers and learning-rate schedules, as the `train` section of a system names them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from karyobench.errors import KaryobenchError, nearest

_OPTIMIZERS = {"adagrad": torch.optim.Adagrad, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
_WARM_UP = 0.1


def optimizer_of(network: nn.Module, settings: dict[str, Any]) -> torch.optim.Optimizer:
    """Optimiser `train.optimizer` over all weights that are not frozen, with `weight_decay` as an L2 penalty.

    `momentum` is for sgd alone.
    """
    made = _named(_OPTIMIZERS, settings["optimizer"], "optimizer")
    free = [weight for weight in network.parameters() if weight.requires_grad]
    options = {"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"]}
    if settings["optimizer"] == "sgd":
        options["momentum"] = settings["momentum"]
    elif settings["momentum"]:
        raise KaryobenchError(f"train.momentum: '{settings['optimizer']}' has none; remove it, or take sgd")
    return made(free, **options)


def learning_rate(step: int, steps: int, settings: dict[str, Any]) -> float:
    """Learning rate of a step, counted from 0: `train.learning_rate` shaped by `train.schedule`."""
    return settings["learning_rate"] * _named(_SCHEDULES, settings["schedule"], "schedule")(step, steps)


def _constant(step: int, steps: int) -> float:
    return 1.0


def _cosine(step: int, steps: int) -> float:
    """A line up over the first tenth of the steps, then half a cosine down to 0."""
    warm = max(1, round(_WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


def _thirds(step: int, steps: int) -> float:
    """A tenth of it after each third of the steps."""
    return 0.1 ** (3 * step // steps)


_SCHEDULES: dict[str, Callable[[int, int], float]] = {"constant": _constant, "cosine": _cosine, "thirds": _thirds}


def _named(known: dict[str, Any], name: str, key: str) -> Any:
    if name not in known:
        raise KaryobenchError(f"train.{key}: there is no '{name}'{nearest(name, known)}")
    return known[name]
