"""The network of a trained system, ready to predict. Torch is imported only when there is one."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from karyobench.errors import KaryobenchError

Network = Any  # torch.nn.Module, or None for a system that is not trained


def load_network(system: ModuleType, config: dict[str, Any], weights: str | Path | None) -> Network:
    """Build a system's network, fill in its weights and set it to evaluation; None for an untrained system.

    weights: a safetensors file. config: the system's record, and `threads`, the numeric threads of torch.
    The network lies on the CUDA device when there is one; operations are held to deterministic ones.
    Raises KaryobenchError on weights that are missing, damaged, of another network, or given to an untrained system.
    """
    if not system.TRAINED:
        if weights is not None:
            raise KaryobenchError(f"system '{config['module']}' is not trained: leave out the weights {weights}")
        return None
    if weights is None:
        raise KaryobenchError(f"system '{config['module']}' is trained: name its weights file")

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products are deterministic only so
    import torch

    from karyobench.systems.weights import load

    torch.set_num_threads(config["threads"])
    torch.use_deterministic_algorithms(True)
    network = system.build(config)
    load(network, weights, f"train it again with system '{config['module']}' as it is configured now")
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def inference(system: ModuleType) -> AbstractContextManager:
    """Context in which a system predicts: without gradients where it has a network."""
    if not system.TRAINED:
        return nullcontext()
    import torch

    return torch.inference_mode()
