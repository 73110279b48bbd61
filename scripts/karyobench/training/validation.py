"""Validation: loss and measures on the same examples each time, and the weights that were best at it."""

import math
from types import ModuleType
from typing import Any

import numpy as np
import torch

from karyobench.errors import KaryobenchError
from karyobench.patches.reading import Patches
from karyobench.training import average, checkpoint, draws
from karyobench.training.checkpoint import Progress
from karyobench.training.optimizers import learning_rate
from karyobench.training.setup import Run


def validate(run: Run, patches: Patches, progress: Progress) -> None:
    """Add a row of history, and keep the weights when their validation loss is the lowest so far.

    The first rank alone validates; the others wait for its result. Raises KaryobenchError when the loss is not finite.
    """
    with average.in_place(run.network, progress.average):
        row = run.fabric.broadcast(_means(run, patches) if run.fabric.is_global_zero else {})
        loss = finite(row["val_loss"], run, progress.step - 1, "validation")
        progress.history.append({"step": progress.step, **row})
        if loss < progress.best_loss:
            progress.best_step, progress.best_loss = progress.step, loss
            progress.best_weights = checkpoint.weights(run.network)


def finite(loss: float, run: Run, step: int, kind: str) -> float:
    """The loss. Raises KaryobenchError, which says what to change, when it is not finite."""
    if math.isfinite(loss):
        return loss
    rate, base = learning_rate(step, run.steps, run.settings), run.settings["learning_rate"]
    raise KaryobenchError(
        f"experiment '{run.config['experiment']}': the {kind} loss is {loss} at step {step + 1}, learning rate "
        f"{rate:g}; lower the system's train.learning_rate (now {base:g}) or look for faulty patches"
    )


def measured(system: ModuleType, outputs: Any, targets: Any, config: dict[str, Any]) -> dict[str, float]:
    """The system's measures of a batch; none where it has no such function."""
    return system.measures(outputs, targets, config) if hasattr(system, "measures") else {}


def _means(run: Run, patches: Patches) -> dict[str, float]:
    """Mean `val_loss` and measures per patch, each batch's weighing as many as it has."""
    size, count = run.settings["batch"], len(patches)
    run.network.eval()
    totals: dict[str, float] = {}
    for start in range(0, count, size):
        indices = np.arange(start, min(start + size, count))
        for name, value in _told(run, patches, indices).items():
            totals[name] = totals.get(name, 0.0) + len(indices) * value
    return {name: total / count for name, total in totals.items()}


def _told(run: Run, patches: Patches, indices: np.ndarray) -> dict[str, float]:
    """Loss and measures of one batch."""
    rng = draws.seeded(run.config["seed"], draws.VALIDATION, int(indices[0]))
    batch = patches.batch(indices)
    with torch.no_grad():
        inputs, targets = run.fabric.to_device(run.system.examples(batch, rng, run.config))
        outputs = _outputs(run, inputs)
        loss = run.system.loss(outputs, targets, run.config).item()
        return {"val_loss": loss, **measured(run.system, outputs, targets, run.config)}


def _outputs(run: Run, inputs: Any) -> Any:
    """What the network gives, in the run's precision; not through Fabric's wrapper, which would wait for all ranks."""
    precision = run.fabric.strategy.precision
    with precision.forward_context():
        outputs = run.network(precision.convert_input(inputs))
    return precision.convert_output(outputs)
