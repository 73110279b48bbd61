"""What a training run leaves behind: weights, history, run record, model card with its curve."""

import csv
import io
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from karyobench import VERSION, files
from karyobench.systems.weights import write as write_tensors
from karyobench.training.card import card
from karyobench.training.checkpoint import Progress, weights
from karyobench.training.curve import drawn
from karyobench.training.optimizers import learning_rate
from karyobench.training.setup import Run

_COLUMNS = ("step", "loss", "val_loss", "learning_rate")


@dataclass(frozen=True)
class Outputs:
    """Files that a training run writes."""

    weights: Path
    history: Path
    run: Path
    card: Path
    curve: Path


def write(outputs: Outputs, run: Run, progress: Progress, facts: dict[str, Any]) -> None:
    """Write all outputs of a finished run. facts: further entries of the run record."""
    told = run_record(run, progress) | facts
    write_tensors(outputs.weights, weights(run.network))
    files.write_text(outputs.history, history_csv(run, progress))
    files.write_json(outputs.run, told)
    files.write_text(outputs.curve, drawn(progress.losses, progress.measures, progress.history))
    files.write_text(outputs.card, card(run.system.TASK, told, outputs.curve.name))


def run_record(run: Run, progress: Progress) -> dict[str, Any]:
    """How the weights came to be: budget, device, versions, configuration. `minutes` is the time spent in steps.

    clock: step and seconds until its end, about a hundred times. parameters, trainable: of all, those that are trained,
    as in `describe.py systems`. measures: those of the weights kept, on the validation
    patches; empty where there are none.
    """
    device, config = run.fabric.device, run.config
    on_gpu = device.type == "cuda"
    kept = next((row for row in progress.history if row["step"] == progress.best_step), {})
    return {
        "experiment": config["experiment"],
        "seed": config["seed"],
        "steps": progress.step,
        "planned_steps": run.planned,
        "initial": config["initial"],
        "kept_step": progress.best_step,
        "kept": "lowest validation loss" if progress.best_weights else "last step: no validation patches",
        "val_loss": kept.get("val_loss"),
        "measures": {name: value for name, value in kept.items() if name not in _COLUMNS},
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "trainable": sum(p.numel() for p in run.network.parameters() if p.requires_grad),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "precision": config["train"]["precision"] if on_gpu else "32-true",
        "ranks": run.fabric.world_size,
        "threads": config["threads"],
        "minutes": progress.seconds / 60,
        "clock": progress.clock,
        "software": _versions(),
        "config": config,
    }


def history_csv(run: Run, progress: Progress) -> str:
    """CSV text with a row per step.

    Validation loss and the system's measures of validation, under their names, are blank where they were not taken.
    The same measures of each step's own batch, before its change of the weights, have the prefix `train_`.
    """
    validated = {row["step"]: row for row in progress.history}
    measures = sorted({name for row in progress.history for name in row} - set(_COLUMNS))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    training = sorted(progress.measures)
    writer.writerow([*_COLUMNS, *measures, *(f"train_{name}" for name in training)])
    for step, loss in enumerate(progress.losses, start=1):
        row = validated.get(step, {})
        rate = learning_rate(step - 1, run.steps, run.settings)
        values = [loss, row.get("val_loss"), rate, *(row.get(name) for name in measures)]
        values += [progress.measures[name][step - 1] for name in training]
        writer.writerow([step, *("" if value is None else format(value, ".6g") for value in values)])
    return stream.getvalue()


def _versions() -> dict[str, str]:
    packages = {"numpy": "numpy", "torch": "torch", "fabric": "lightning-fabric", "safetensors": "safetensors"}
    found = {name: version(package) for name, package in packages.items()}
    return {"python": platform.python_version(), "karyobench": VERSION, **found}
