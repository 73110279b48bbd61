"""Learning and predicting classes of pixels, whatever the classes are."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.systems.networks import as_input, device_of

IGNORED = -100
"""Class of pixels of which the truth says nothing."""


def input_of(batch: Batch, depth: int) -> torch.Tensor:
    """Input float32 (N, 3, H, W) of patches for a network of `depth` levels, which halves its input depth - 1 times.

    Raises KaryobenchError on patches whose sides cannot be halved so often.
    """
    multiple = 2 ** (depth - 1)
    if any(side % multiple for side in batch.images.shape[1:3]):
        raise KaryobenchError(
            f"patches of {batch.images.shape[2]} px cannot be halved {depth - 1} times, as network.depth {depth} asks; "
            f"let the patch set's `crop` be a multiple of {multiple}"
        )
    return as_input(batch.images)


def ignored_of(batch: Batch) -> np.ndarray:
    """Pixels bool (N, H, W) of which a batch's truth says nothing."""
    return np.zeros(batch.instances.shape, bool) if batch.ignore is None else batch.ignore > 0


def cross_entropy(outputs: torch.Tensor, classes: torch.Tensor, class_weights: list[float]) -> torch.Tensor:
    """Weighted mean over the pixels that are not IGNORED; 0 where there are none.

    outputs: logits (N, C, H, W). classes: int64 (N, H, W). class_weights: one per class.
    """
    weights = torch.tensor(class_weights, dtype=outputs.dtype, device=outputs.device)
    # One row per pixel: torch has a deterministic kernel for this form on CUDA, but none for image-shaped classes.
    logits, wanted = outputs.permute(0, 2, 3, 1).reshape(-1, outputs.shape[1]), classes.reshape(-1)
    total = functional.cross_entropy(logits, wanted, weights, ignore_index=IGNORED, reduction="sum")
    # Where every pixel is ignored, the mean would be 0 / 0.
    return total / weights[wanted[wanted != IGNORED]].sum().clamp(min=torch.finfo(weights.dtype).tiny)


def probabilities(network: nn.Module, image: np.ndarray, depth: int) -> np.ndarray:
    """Class probabilities float32 (C, h, w) of an image uint8 (h, w, 3) of any size.

    A network of `depth` levels halves its input depth - 1 times: the image is reflected up to the next multiple.
    """
    height, width = image.shape[:2]
    multiple = 2 ** (depth - 1)
    whole = np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="symmetric")
    with torch.inference_mode():
        logits = network(as_input(whole[None]).to(device_of(network)))[0, :, :height, :width]
        return logits.float().softmax(dim=0).cpu().numpy()
