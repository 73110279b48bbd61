"""Nucleus or background for every pixel: what systems of two classes teach, lose and make of their maps."""

from typing import Any

import numpy as np
import torch
from skimage.measure import label
from torch import nn

from karyobench.patches.batch import Batch
from karyobench.systems.base import Tile
from karyobench.systems.dense.semantic import IGNORED, cross_entropy, ignored_of, input_of, probabilities
from karyobench.systems.labels import without_small

NUCLEUS = 1


def examples(batch: Batch, rng: np.random.Generator, config: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Input float32 (N, 3, H, W) and class int64 (N, H, W): nucleus 1, background 0, IGNORED where nothing is known."""
    classes = np.where(ignored_of(batch), IGNORED, (batch.instances > 0).astype(np.int64))
    return input_of(batch, config["network"]["depth"]), torch.from_numpy(classes)


def loss(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Cross entropy over pixels that are not ignored, each class weighted by `loss: {class_weights}`."""
    return cross_entropy(outputs, targets, config["loss"]["class_weights"])


def measures(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> dict[str, float]:
    """Mean IU of the two classes and Dice of the nuclei over the known pixels of a batch together.

    A class that is neither true nor predicted counts as 1.
    """
    known = targets != IGNORED
    true, predicted = (targets == NUCLEUS) & known, (outputs.argmax(dim=1) == NUCLEUS) & known
    both, either = (true & predicted).sum().item(), (true | predicted).sum().item()
    neither, pixels = known.sum().item() - either, known.sum().item()
    iu = [both / either if either else 1.0, neither / (pixels - both) if pixels > both else 1.0]
    return {"mean_iu": sum(iu) / 2, "dice": 2 * both / (both + either) if either else 1.0}


def predict(network: nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Probability of nucleus float32 (1, h, w) of a tile of any size."""
    return probabilities(network, tile.image, config["network"]["depth"])[NUCLEUS:]


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Nuclei int (H, W): 8-connected components above `threshold`, without those of fewer than `min_area` pixels.

    Nuclei that touch are one, as two classes cannot tell them apart.
    """
    settings = config["instances"]
    return without_small(label(maps[0] > settings["threshold"], connectivity=2), settings["min_area"])
