"""Checkpoints: all that a training run needs to go on as if it had never stopped, in one safetensors file.

Random numbers are no part of it: they are functions of seed and step.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from karyobench.systems.weights import write as write_tensors

log = logging.getLogger("karyobench")

Tensors = dict[str, torch.Tensor]

_NAME = "checkpoint.safetensors"
_TENSORS = {"losses", "measures", "best_weights", "average"}


@dataclass
class Progress:
    """How far a run is.

    seconds: spent in earlier processes and this one. clock: step and these seconds, about a hundred times. losses: of
    each step. measures: the system's, of each step. history: a row per validation, with `step`, `val_loss` and the
    system's measures. best_step: the step whose weights had the lowest validation loss, with these weights; 0 before
    there is one. average: the moving average of the weights; empty without `train.ema`.
    """

    step: int = 0
    seconds: float = 0.0
    clock: list[tuple[int, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    measures: dict[str, list[float]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = float("inf")
    best_weights: Tensors = field(default_factory=dict)
    average: Tensors = field(default_factory=dict)

    def add(self, loss: float, measures: dict[str, float]) -> None:
        """Count a step, with what it had."""
        self.step += 1
        self.losses.append(loss)
        for name, value in measures.items():
            self.measures.setdefault(name, []).append(value)


def save(
    folder: Path, identity: dict[str, Any], progress: Progress, network: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write the checkpoint of a run, in place of its earlier one."""
    tensors = {
        **_prefixed("network", weights(network)),
        **_prefixed("optimizer", dict(_state(optimizer))),
        **_prefixed("best", progress.best_weights),
        **_prefixed("average", {name: _stored(tensor) for name, tensor in progress.average.items()}),
        "losses": torch.tensor(progress.losses, dtype=torch.float64),
        **_prefixed("measures", {n: torch.tensor(of, dtype=torch.float64) for n, of in progress.measures.items()}),
    }
    kept = {name: value for name, value in vars(progress).items() if name not in _TENSORS}
    # One metadata key alone: safetensors writes several in no fixed order.
    write_tensors(folder / _NAME, tensors, {"karyobench": json.dumps({"identity": identity, "progress": kept})})


def resume(folder: Path, identity: dict[str, Any], network: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Progress of the run's checkpoint, its state put into network and optimiser; a fresh one where there is none.

    A checkpoint of another run (its identity differs in any entry) or one that cannot be read is removed.
    """
    path = folder / _NAME
    if not path.is_file():
        return Progress()
    try:
        with safe_open(path, "pt") as file:
            told = json.loads(file.metadata()["karyobench"])
        tensors = load_file(path)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        return _refuse(path, f"it cannot be read ({error})")
    differs = sorted(k for k in identity.keys() | told["identity"].keys() if identity.get(k) != told["identity"].get(k))
    if differs:
        return _refuse(path, f"it was made with another {' and another '.join(differs)}")
    network.load_state_dict(_under("network", tensors))
    _restore(optimizer, _under("optimizer", tensors))
    log.info("going on from the checkpoint of step %d", told["progress"]["step"])
    return Progress(
        **told["progress"],
        losses=tensors["losses"].tolist(),
        measures={name: tensor.tolist() for name, tensor in _under("measures", tensors).items()},
        best_weights=_under("best", tensors),
        average=_under("average", tensors),
    )


def weights(network: nn.Module) -> Tensors:
    """Copy of a network's weights and buffers in main memory, as safetensors keeps them."""
    return {name: _stored(tensor) for name, tensor in network.state_dict().items()}


def _state(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    for index, state in optimizer.state_dict()["state"].items():
        for name, tensor in state.items():
            yield f"{index}.{name}", _stored(tensor)


def _restore(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put an optimiser's tensors back, laid out in memory as its weights are: sums depend on the order of elements."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, entry = name.split(".")
        like = parameters[int(index)]
        if tensor.shape == like.shape:
            tensor = torch.empty_like(like, device="cpu").copy_(tensor)
        state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()


def _prefixed(part: str, tensors: Tensors) -> Tensors:
    return {f"{part}/{name}": tensor for name, tensor in tensors.items()}


def _under(part: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(f"{part}/"): t for name, t in tensors.items() if name.startswith(f"{part}/")}


def _refuse(path: Path, why: str) -> Progress:
    log.warning("checkpoint %s is not used: %s; training starts from step 0", path, why)
    path.unlink()
    return Progress()
