"""U-Net on three classes: background, inside, boundary; nuclei are flooded from their insides.

Ronneberger et al. 2015 (doi:10.1007/978-3-319-24574-4_28) with padded convolutions, batch normalisation and nearest
upsampling, so that a map is as large as its tile. The third class separates touching nuclei.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from skimage.segmentation import watershed
from torch import nn
from torch.nn import functional

from karyobench.patches.batch import Batch
from karyobench.systems.base import Tile
from karyobench.systems.dense.blocks import doubled, doubling, two_convolutions
from karyobench.systems.dense.semantic import IGNORED, cross_entropy, ignored_of, input_of, probabilities
from karyobench.systems.labels import without_small

TASK = "U-Net with a boundary class and marker-based flooding (Ronneberger et al. 2015, ternary)"
PAPER = "Ronneberger et al., U-Net: convolutional networks for biomedical image segmentation, MICCAI 2015"
OUTPUT = "maps"
TRAINED = True
KEYS = {
    "network": ("width", "depth"),
    "targets": ("boundary",),
    "loss": ("class_weights",),
    "predict": ("tile", "overlap"),
    "instances": ("foreground", "inside", "erode", "min_marker", "min_area"),
}

FULL = {"network": {"width": 64, "depth": 5}}

BACKGROUND, INSIDE, BOUNDARY = 0, 1, 2


class UNet(nn.Module):
    """`depth` levels of two 3x3 convolutions each, `width` channels at full size and twice as many per level below."""

    def __init__(self, width: int, depth: int, classes: int = 3) -> None:
        super().__init__()
        channels = doubling(width, depth)
        self.down = nn.ModuleList(two_convolutions(i, o) for i, o in pairwise([3, *channels]))
        upwards = pairwise(reversed(channels))
        self.up = nn.ModuleList(two_convolutions(below + here, here) for below, here in upwards)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W); H and W are multiples of 2^(depth - 1)."""
        skips: list[torch.Tensor] = []
        for block in self.down:
            x = block(functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([doubled(x), skip], dim=1))
        return self.head(x)


def build(config: dict[str, Any]) -> nn.Module:
    """U-Net of `network: {width, depth}`."""
    network = UNet(config["network"]["width"], config["network"]["depth"])
    return network.to(memory_format=torch.channels_last)


def examples(batch: Batch, rng: np.random.Generator, config: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Input float32 (N, 3, H, W) and class map int64 (N, H, W) of patches; nothing is drawn from `rng`.

    Pixels of which the truth says nothing have the class IGNORED.
    """
    thickness = config["targets"]["boundary"]
    pairs = zip(batch.instances, ignored_of(batch), strict=True)
    maps = [class_map(labels, thickness, ignored) for labels, ignored in pairs]
    return input_of(batch, config["network"]["depth"]), torch.from_numpy(np.stack(maps))


def class_map(instances: np.ndarray, thickness: int, ignored: np.ndarray | None = None) -> np.ndarray:
    """int64 (H, W): background 0, inside 1, boundary 2; IGNORED where `ignored`, bool (H, W), is set.

    The boundary of a nucleus is its dilation minus its erosion by `thickness` pixels (4-neighbours); what lies
    outside the patch, or is ignored, is not taken for background. A pixel is boundary when its neighbourhood holds
    two labels.
    """
    known = np.ones(instances.shape, bool) if ignored is None else ~ignored
    edge = np.zeros(instances.shape, bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = (instances[here] != instances[there]) & known[here] & known[there]
        edge[here] |= differs
        edge[there] |= differs
    if thickness > 1:
        edge = ndimage.binary_dilation(edge, iterations=thickness - 1)
    classes = np.where(edge, BOUNDARY, np.where(instances > 0, INSIDE, BACKGROUND))
    return np.where(known, classes, IGNORED).astype(np.int64)


def loss(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Cross entropy over pixels that are not ignored, each class weighted by `loss: {class_weights}`."""
    return cross_entropy(outputs, targets, config["loss"]["class_weights"])


def predict(network: nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Class probabilities float32 (3, h, w) of a tile of any size."""
    return probabilities(network, tile.image, config["network"]["depth"])


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Nuclei int32 (H, W) of class probabilities (3, H, W).

    Markers are the components of `inside` probability above its threshold that have `min_marker` pixels. They are
    flooded over the foreground, most certain insides first; foreground is what is background with a probability below
    1 - `foreground`, eroded by `erode` pixels (the thickness of `targets.boundary`), as the boundary class reaches
    beyond the nuclei. Foreground without a marker is dropped, and so are nuclei of fewer than `min_area` pixels.
    """
    settings = config["instances"]
    inside = maps[INSIDE] > settings["inside"]
    foreground = maps[BACKGROUND] < 1 - settings["foreground"]
    if settings["erode"]:
        foreground = ndimage.binary_erosion(foreground, iterations=settings["erode"], border_value=1)
    markers, _ = ndimage.label(inside)
    markers = without_small(markers, settings["min_marker"])
    nuclei = watershed(-maps[INSIDE], markers, mask=foreground | inside)
    return without_small(nuclei, settings["min_area"])
