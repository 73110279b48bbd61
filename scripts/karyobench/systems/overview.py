"""What the library's systems are: task, paper, size, stages."""

from dataclasses import asdict, dataclass
from typing import Any

from karyobench.systems import registry

_STAGES = ("predict", "merge", "evaluate")
_TRAINED = ("patch", "train", "export", *_STAGES)


@dataclass(frozen=True)
class Overview:
    """One system. parameters, trainable: of the paper's own network, None for a system that is not trained.

    stages: those that an experiment with the system can have. `pretrained` fetches weights to start from, `export`
    makes a network for a second runtime.
    """

    name: str
    task: str
    paper: str
    output: str
    parameters: int | None
    trainable: int | None
    stages: tuple[str, ...]


def overview(name: str) -> Overview:
    """Describe a system of the library. Raises KaryobenchError when its module lacks a declaration (base.py)."""
    task, paper, output, trained = (registry.declared(name, key) for key in ("TASK", "PAPER", "OUTPUT", "TRAINED"))
    counts = _parameters(name) if trained else (None, None)
    return Overview(name, task, paper, output, *counts, _stages(name) if trained else _STAGES)


def records() -> list[dict[str, Any]]:
    """All systems of the library, sorted by name, as records for JSON."""
    return [asdict(overview(name)) for name in registry.names()]


def page() -> str:
    """All systems of the library as a Markdown table."""
    rows = ["| system | task | paper | parameters | stages |", "|---|---|---|---|---|"]
    for name in registry.names():
        about = overview(name)
        told = "" if about.parameters is None else size(about.parameters, about.trainable)
        rows.append(f"| `{name}` | {about.task} | {about.paper} | {told} | {', '.join(about.stages)} |")
    return "\n".join(rows) + "\n"


def size(parameters: int, trainable: int) -> str:
    """A number of parameters, and how many of them are frozen where some are."""
    frozen = parameters - trainable
    return f"{parameters:,}" + (f" ({frozen:,} frozen)" if frozen else "")


def _stages(name: str) -> tuple[str, ...]:
    """Stages of a trained system; pretrained weights are for those that can take weights of another origin in."""
    return ("pretrained", *_TRAINED) if registry.defines(name, "adopt") else _TRAINED


def _parameters(name: str) -> tuple[int, int]:
    """Parameters of a system's FULL network, and those of them that are trained; it is built without memory."""
    import torch

    with torch.device("meta"):
        network = registry.load(name).build(registry.declared(name, "FULL"))
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)
