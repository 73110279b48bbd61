"""The network of a trained system, ready to predict. Torch is imported only when there is one."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from karyobench.allocator import keep_freed_memory
from karyobench.errors import KaryobenchError

Network = Any  # torch.nn.Module or what stands in for it, or None for a system that is not trained


def load_network(system: ModuleType, config: dict[str, Any], weights: str | Path | None) -> Network:
    """A trained system's network in evaluation, or the one that was exported from it; None for an untrained system.

    weights: a safetensors file, or, where `predict.runtime` is set, the file that the step `export` made of it.
    config: the system's record, and `threads`, the numeric threads of torch and of the runtime.
    Raises KaryobenchError on a file that is missing, damaged, of another network, or given to an untrained system.
    """
    if not system.TRAINED:
        if weights is not None:
            raise KaryobenchError(f"system '{config['module']}' is not trained: leave out the weights {weights}")
        return None
    if weights is None:
        raise KaryobenchError(f"system '{config['module']}' is trained: name its weights file")
    if config["predict"].get("runtime"):
        from karyobench.inference import runtimes

        prepare_torch(config["threads"])
        return runtimes.load(weights, config)
    import torch

    return torch_network(system, config, weights).to("cuda" if torch.cuda.is_available() else "cpu")


def torch_network(system: ModuleType, config: dict[str, Any], weights: str | Path) -> Network:
    """Build a trained system's network, fill in its weights and set it to evaluation, on the CPU.

    Arguments and errors as for `load_network`; weights is a safetensors file.
    """
    prepare_torch(config["threads"])
    from karyobench.systems.weights import load

    network = system.build(config)
    load(network, weights, f"train it again with system '{config['module']}' as it is configured now")
    return network.eval()


def prepare_torch(threads: int) -> None:
    """Set torch's number of threads, hold its operations to deterministic ones, and keep the memory that they free."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products are deterministic only so
    import torch

    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)


def inference(system: ModuleType) -> AbstractContextManager:
    """Context in which a system predicts: without gradients where it has a network."""
    if not system.TRAINED:
        return nullcontext()
    import torch

    return torch.inference_mode()
