"""What a training run leaves behind: weights, history, run record, model card."""

import csv
import io
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import nn

from karyobench import VERSION, files
from karyobench.training.checkpoint import Progress, weights

_COLUMNS = ("step", "loss", "val_loss", "learning_rate")


@dataclass(frozen=True)
class Outputs:
    """Files that a training run writes."""

    weights: Path
    history: Path
    run: Path
    card: Path


def write(
    outputs: Outputs,
    config: dict[str, Any],
    system: ModuleType,
    network: nn.Module,
    fabric: Fabric,
    progress: Progress,
    facts: dict[str, Any],
) -> None:
    """Write all outputs of a finished run. facts: further entries of the run record."""
    run = run_record(config, network, fabric, progress) | facts
    with files.atomic(outputs.weights) as partial:
        save_file(weights(network), partial)
    files.write_text(outputs.history, history_csv(progress.history))
    files.write_json(outputs.run, run)
    files.write_text(outputs.card, card(system.TASK, run))


def run_record(config: dict[str, Any], network: nn.Module, fabric: Fabric, progress: Progress) -> dict[str, Any]:
    """How the weights came to be: budget, device, versions, configuration. `minutes` is the time spent in steps."""
    on_gpu = fabric.device.type == "cuda"
    return {
        "experiment": config["experiment"],
        "seed": config["seed"],
        "steps": progress.step,
        "kept_step": progress.best_step,
        "kept": "lowest validation loss" if progress.best_weights else "last step: no validation patches",
        "val_loss": progress.best_loss if progress.best_weights else None,
        "parameters": sum(p.numel() for p in network.parameters()),
        "device": torch.cuda.get_device_name(fabric.device) if on_gpu else "cpu",
        "precision": config["train"]["precision"] if on_gpu else "32-true",
        "threads": config["threads"],
        "minutes": progress.seconds / 60,
        "software": _versions(),
        "config": config,
    }


def history_csv(rows: list[dict[str, Any]]) -> str:
    """CSV text of the history; a validation loss that was not measured is blank."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        values = (row[name] for name in _COLUMNS[1:])
        writer.writerow([row["step"], *("" if value is None else format(value, ".6g") for value in values)])
    return stream.getvalue()


def card(task: str, run: dict[str, Any]) -> str:
    """Model card in Markdown."""
    config = run["config"]
    val_loss = "" if run["val_loss"] is None else f", validation loss {run['val_loss']:.4f}"
    lines = [
        f"# {run['experiment']}, seed {run['seed']}",
        "",
        f"{task}. {run['parameters']:,} parameters.",
        "",
        "| | |",
        "|---|---|",
        *(f"| data: {key} | {files.canonical(value)} |" for key, value in sorted(config["data"].items())),
        f"| budget | {run['steps']} steps of {config['train']['batch']} patches |",
        f"| weights kept | step {run['kept_step']} ({run['kept']}{val_loss}) |",
        f"| trained on | {run['device']}, {run['precision']}, {run['minutes']:.1f} minutes |",
        f"| software | {', '.join(f'{name} {number}' for name, number in sorted(run['software'].items()))} |",
        "",
        "For research: comparisons between methods, not diagnosis. The weights know only the stain, the scale and the "
        "tissue of the data above. The whole configuration, the code's fingerprint and the hash of the training data "
        "stand in `run.json` beside this card.",
        "",
    ]
    return "\n".join(lines)


def _versions() -> dict[str, str]:
    packages = {"numpy": "numpy", "torch": "torch", "fabric": "lightning-fabric", "safetensors": "safetensors"}
    found = {name: version(package) for name, package in packages.items()}
    return {"python": platform.python_version(), "karyobench": VERSION, **found}
