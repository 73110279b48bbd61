"""Improved AlexNet: a 32x32 window around each pixel is classified as nucleus or not, for all pixels at once.

The layers are those of the paper in AlexNet's usual order (convolutions 3x3, pools 3x3 with stride 2). No convolution
is padded: a padded window would see zeros at its own border where the image has neighbours, and only without them is
the dense evaluation exactly the window by window one.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_objects
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.systems.base import Tile
from karyobench.systems.labels import without_small
from karyobench.systems.networks import as_input, device_of

TASK = "Improved AlexNet: nucleus or not for the 32x32 window around each pixel"
OUTPUT = "maps"
TRAINED = True
CONTEXT = (16, 15)
KEYS = {
    "network": ("channels", "hidden"),
    "targets": ("positives", "ring", "elsewhere", "stroma"),
    "loss": (),
    "predict": ("tile", "overlap"),
    "instances": ("threshold", "min_area"),
}

_BEFORE, _AFTER = CONTEXT
_WINDOW = _BEFORE + 1 + _AFTER
_STRIP_PIXELS = 2**15


class AlexNet(nn.Module):
    """Three times convolution 3x3, ReLU, max pool 3x3 with stride 2; then three fully connected layers.

    A 32x32 window shrinks to 30, 14, 12, 5, 3 and 1 pixels. The fully connected layers are 1x1 convolutions, so that
    they serve one window and a whole map alike.
    """

    def __init__(self, channels: list[int], hidden: int, classes: int = 2) -> None:
        super().__init__()
        self.features = nn.ModuleList(nn.Conv2d(i, o, 3) for i, o in pairwise([3, *channels]))
        widths = [channels[-1], hidden, hidden, classes]
        self.classifier = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in pairwise(widths))

    def forward(self, x: torch.Tensor, dense: bool = False) -> torch.Tensor:
        """Logits (N, 2, 1, 1) of windows (N, 3, 32, 32), or, when dense, of every window of larger images.

        A pool of stride 2 becomes one of stride 1, and all layers after it look at every second pixel (dilation), so
        that each window of the image meets the very numbers that it would meet alone.
        """
        dilation = 1
        for convolution in self.features:
            x = functional.conv2d(x, convolution.weight, convolution.bias, dilation=dilation)
            x = functional.relu(functional.max_pool2d(x, 3, stride=1 if dense else 2, dilation=dilation))
            dilation *= 2 if dense else 1
        for layer in self.classifier[:-1]:
            x = functional.relu(layer(x))
        return self.classifier[-1](x)


def build(config: dict[str, Any]) -> nn.Module:
    """AlexNet of `network: {channels, hidden}`; the paper's reading is [32, 32, 64] and 1024."""
    network = AlexNet(config["network"]["channels"], config["network"]["hidden"])
    return network.to(memory_format=torch.channels_last)


def examples(
    images: np.ndarray, instances: np.ndarray, rng: np.random.Generator, config: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows float32 (K, 3, 32, 32) that lie wholly within the patches, and the class int64 (K,) of their pixel 16.

    Drawn without repetition from all patches together: `targets.positives` pixels inside nuclei, as many from the
    ring of `targets.ring` pixels around them, and `targets.elsewhere` times `positives` from the background beyond
    the ring; fewer where there are fewer. `targets.stroma`: null where the truth is dense; where only part of the
    nuclei are annotated, {window, blob}, and that background is likely stroma alone (see `likely_stroma`).
    Raises KaryobenchError on patches smaller than a window.
    """
    if min(images.shape[1:3]) < _WINDOW:
        raise KaryobenchError(f"patches of {images.shape[2]} px hold no window of {_WINDOW} px; raise `crop`")
    settings = config["targets"]
    inside = instances > 0
    distance = np.stack([_distance_to(nuclei) for nuclei in inside])
    ring = ~inside & (distance <= settings["ring"])
    positives = _draw(inside, settings["positives"], rng)
    near = _draw(ring, len(positives), rng)
    background = distance > settings["ring"]
    if settings["stroma"]:
        background &= np.stack([likely_stroma(image, **settings["stroma"]) for image in images])
    far = _draw(background, round(settings["elsewhere"] * settings["positives"]), rng)
    centres = np.concatenate([positives, near, far])
    classes = (np.arange(len(centres)) < len(positives)).astype(np.int64)
    return as_input(_windows(images, centres)), torch.from_numpy(classes)


def likely_stroma(image: np.ndarray, window: int, blob: int) -> np.ndarray:
    """Pixels bool (H, W) that no nucleus is near, annotated or not.

    image: uint8 (H, W, 3), H&E. True where the square of `window` pixels around a pixel touches no blob of more than
    `blob` pixels that are dark in red (at most Otsu's threshold), where hematoxylin absorbs and eosin does not. After
    the data set's own recipe (Janowczyk and Madabhushi, 2016), which has windows of 50 and blobs of 100 pixels.
    """
    red = image[..., 0]
    if red.min() == red.max():
        return np.ones(red.shape, bool)
    blobs = remove_small_objects(red <= threshold_otsu(red), max_size=blob)
    return ~ndimage.maximum_filter(blobs, size=window, mode="constant")


def _distance_to(nuclei: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest nucleus, infinite where there is none."""
    return ndimage.distance_transform_edt(~nuclei) if nuclei.any() else np.full(nuclei.shape, np.inf)


def _draw(wanted: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most `count` places int (K, 3) (patch, row, column) of the mask whose windows lie within the patch."""
    within = np.s_[:, _BEFORE : wanted.shape[1] - _AFTER, _BEFORE : wanted.shape[2] - _AFTER]
    places = np.argwhere(wanted[within]) + np.array([0, _BEFORE, _BEFORE])
    return places[rng.choice(len(places), min(count, len(places)), replace=False, shuffle=False)]


def _windows(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """uint8 (K, 32, 32, 3) whose pixel 16, 16 is the centre."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (_WINDOW, _WINDOW), axis=(1, 2))
    patch, row, column = centres.T
    return windows[patch, row - _BEFORE, column - _BEFORE].transpose(0, 2, 3, 1)


def loss(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Cross entropy over windows."""
    return functional.cross_entropy(outputs.flatten(1), targets)


def predict(network: nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Probability of nucleus float32 (1, h, w): each pixel's is that of the window around it.

    Evaluated in strips of rows, so that memory does not grow with the tile.
    """
    context = _BEFORE + _AFTER
    height, width = (side - context for side in tile.image.shape[:2])
    rows = max(1, _STRIP_PIXELS // width)
    strips = (tile.image[top : min(top + rows, height) + context] for top in range(0, height, rows))
    return np.concatenate([_strip(network, strip) for strip in strips])[None]


def _strip(network: nn.Module, image: np.ndarray) -> np.ndarray:
    """Probabilities float32 (h, w) of a strip uint8 (h + 31, w + 31, 3)."""
    height, width = (side - _BEFORE - _AFTER for side in image.shape[:2])
    with torch.inference_mode():
        logits = network(as_input(image[None]).to(device_of(network)), dense=True)
        # The pools leave the last pixels of a window unseen, so the map is a few pixels larger than the tile.
        return logits[0, :, :height, :width].float().softmax(dim=0)[1].cpu().numpy()


def instances(maps: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Nuclei int32 (H, W): components above `threshold` with their holes filled, of at least `min_area` pixels."""
    nuclei = ndimage.binary_fill_holes(maps[0] > config["instances"]["threshold"])
    labels, _ = ndimage.label(nuclei)
    return without_small(labels, config["instances"]["min_area"])
