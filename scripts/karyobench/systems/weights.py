"""Weights of a network on disk: safetensors, which hold tensors and run no code when they are read."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from karyobench import files
from karyobench.errors import KaryobenchError


def read(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file by name. Raises KaryobenchError on a file that cannot be read as such."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise KaryobenchError(f"{path}: cannot be read as safetensors ({error}); delete it and make it again") from None


def write(path: str | Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors as a safetensors file, atomically."""
    with files.atomic(path) as partial:
        partial.touch()
        mode = partial.stat().st_mode
        save_file(tensors, partial, metadata)
        partial.chmod(mode)  # safetensors closes its files to all but their owner, whatever the umask says


def load(network: nn.Module, path: str | Path, remedy: str) -> None:
    """Fill a network with the weights of a file.

    Raises KaryobenchError on a file that cannot be read, and, with `remedy`, on weights that are not this network's,
    naming the first tensors that are missing, unknown or of another shape.
    """
    given, wanted = read(path), network.state_dict()
    faults = [f"{name} is missing" for name in wanted if name not in given]
    faults += [f"{name} is not in the network" for name in given if name not in wanted]
    faults += [
        f"{name} is {tuple(given[name].shape)}, the network has {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise KaryobenchError(f"{path}: does not fit the network: {'; '.join(faults[:3])}{more}; {remedy}")
    network.load_state_dict(given)
