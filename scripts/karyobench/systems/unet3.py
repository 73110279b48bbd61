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

from karyobench.systems.base import Tile
from karyobench.systems.labels import without_small
from karyobench.systems.networks import as_input, device_of

TASK = "U-Net with a boundary class and marker-based flooding (Ronneberger et al. 2015, ternary)"
OUTPUT = "maps"
TRAINED = True
KEYS = {
    "network": ("width", "depth"),
    "targets": ("boundary",),
    "loss": ("class_weights",),
    "predict": ("tile", "overlap"),
    "instances": ("foreground", "inside", "erode", "min_marker", "min_area"),
}

BACKGROUND, INSIDE, BOUNDARY = 0, 1, 2


class UNet(nn.Module):
    """`depth` levels of two 3x3 convolutions each, `width` channels at full size and twice as many per level below."""

    def __init__(self, width: int, depth: int, classes: int = 3) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(depth)]
        self.down = nn.ModuleList(_two_convolutions(i, o) for i, o in pairwise([3, *channels]))
        upwards = pairwise(reversed(channels))
        self.up = nn.ModuleList(_two_convolutions(below + here, here) for below, here in upwards)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W); H and W are multiples of 2^(depth - 1)."""
        skips: list[torch.Tensor] = []
        for block in self.down:
            x = block(functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1))
        return self.head(x)


def _two_convolutions(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def build(config: dict[str, Any]) -> nn.Module:
    """U-Net of `network: {width, depth}`."""
    network = UNet(config["network"]["width"], config["network"]["depth"])
    return network.to(memory_format=torch.channels_last)


def examples(
    images: np.ndarray, instances: np.ndarray, rng: np.random.Generator, config: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Input float32 (N, 3, H, W) and class map int64 (N, H, W) of patches; nothing is drawn from `rng`."""
    classes = np.stack([class_map(labels, config["targets"]["boundary"]) for labels in instances])
    return as_input(images), torch.from_numpy(classes)


def class_map(instances: np.ndarray, thickness: int) -> np.ndarray:
    """int64 (H, W): background 0, inside 1, boundary 2.

    The boundary of a nucleus is its dilation minus its erosion by `thickness` pixels (4-neighbours); what lies
    outside the patch is not taken for background. A pixel is boundary when its neighbourhood holds two labels.
    """
    edge = np.zeros(instances.shape, bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = instances[here] != instances[there]
        edge[here] |= differs
        edge[there] |= differs
    if thickness > 1:
        edge = ndimage.binary_dilation(edge, iterations=thickness - 1)
    return np.where(edge, BOUNDARY, np.where(instances > 0, INSIDE, BACKGROUND)).astype(np.int64)


def loss(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Cross entropy over pixels, each class weighted by `loss: {class_weights}`."""
    weights = torch.tensor(config["loss"]["class_weights"], dtype=outputs.dtype, device=outputs.device)
    # One row per pixel: torch has a deterministic kernel for this form on CUDA, but none for image-shaped classes.
    return functional.cross_entropy(
        outputs.permute(0, 2, 3, 1).reshape(-1, outputs.shape[1]), targets.reshape(-1), weights
    )


def predict(network: nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Class probabilities float32 (3, h, w) of a tile of any size."""
    height, width = tile.image.shape[:2]
    multiple = 2 ** (config["network"]["depth"] - 1)
    padding = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    image = np.pad(tile.image, padding, mode="symmetric")
    with torch.inference_mode():
        logits = network(as_input(image[None]).to(device_of(network)))[0, :, :height, :width]
        return logits.float().softmax(dim=0).cpu().numpy()


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
