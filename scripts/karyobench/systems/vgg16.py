"""VGG16 as a classifier of whole images, from ImageNet weights: its head trained first, then its last convolutions too.

Simonyan and Zisserman 2015 (arXiv:1409.1556), as taken to BreakHis. Stage A freezes all convolutions and trains a plain
head; stage B starts from it, frees the last five, and adds batch normalisation and dropout to the head. The paper does
not say how its images become squares of 224 pixels: here squares of the image's full height (`predict: {window}`) are
scaled to `network: {input}`, which keeps their aspect, and the squares of an image vote by their mean probability.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.patches.sampling import cut
from karyobench.systems.base import Tile
from karyobench.systems.networks import device_of, imagenet_input
from karyobench.systems.pretrained.layers import Layer, copy, layers

TASK = "VGG16 classifier of images, by transfer from ImageNet (BreakHis)"
PAPER = (
    "VGG16 on BreakHis paper, transfer learning (authors and year not known to us); Simonyan and Zisserman, "
    "Very deep convolutional networks for large-scale image recognition, ICLR 2015"
)
OUTPUT = "classes"
TRAINED = True
KEYS = {
    "network": ("width", "hidden", "free", "norm", "dropout", "pool", "input"),
    "targets": (),
    "loss": (),
    "predict": ("tile", "window"),
}
FULL = {
    "network": {
        "width": 64,
        "hidden": 4096,
        "free": 0,
        "norm": False,
        "dropout": 0.0,
        "pool": "flatten",
        "input": 224,
    },
    "classes": ["benign", "malignant"],
}

_BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""Channels, in units of `width`, and number of convolutions of each block; a 2x2 maximum follows each."""
_COUNT = sum(count for _, count in _BLOCKS)
_SHRINKS = 2 ** len(_BLOCKS)
_AT_ONCE = 32


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions in five blocks, and a head of dense layers on their maps."""

    def __init__(self, convolutions: nn.Sequential, head: nn.Sequential, average: bool) -> None:
        super().__init__()
        self.convolutions, self.head, self.average = convolutions, head, average

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of images (N, 3, input, input)."""
        x = self.convolutions(x)
        return self.head(x.mean(dim=(2, 3)) if self.average else x.flatten(1))


def build(config: dict[str, Any]) -> nn.Module:
    """VGG16 of `network` for the classes of the dataset, with random weights; all but the last `free` are frozen.

    width: channels of the first block, 64 in the paper. hidden: units of the dense layers: two after `pool: flatten`
    (the paper's), one after `pool: average`. free: number of convolutions, counted from the last, that are trained.
    norm: batch normalisation in the head, before each ReLU. dropout: after each ReLU of the head. input: side of the
    images. Raises KaryobenchError on values that make no network.
    """
    network = config["network"]
    _check(network)
    average, channels = network["pool"] == "average", _BLOCKS[-1][0] * network["width"]
    inputs = channels if average else channels * (network["input"] // _SHRINKS) ** 2
    sizes = [inputs, network["hidden"]] if average else [inputs, network["hidden"], network["hidden"]]
    head = _head([*sizes, len(config["classes"])], network["norm"], network["dropout"])
    made = VGG16(_convolutions(network["width"]), head, average)
    frozen = [module for module in made.convolutions if isinstance(module, nn.Conv2d)][: _COUNT - network["free"]]
    for layer in frozen:
        layer.requires_grad_(False)
    return made.to(memory_format=torch.channels_last)


def _check(network: dict[str, Any]) -> None:
    faults = {
        "free": network["free"] not in range(_COUNT + 1) and f"must be 0 to {_COUNT}",
        "pool": network["pool"] not in ("flatten", "average") and "must be flatten or average",
        "input": (network["input"] < _SHRINKS or network["input"] % _SHRINKS) and f"must be a multiple of {_SHRINKS}",
    }
    for key, fault in faults.items():
        if fault:
            raise KaryobenchError(f"the system's network.{key} is {network[key]!r}; it {fault}")


def _convolutions(width: int) -> nn.Sequential:
    made: list[nn.Module] = []
    before = 3
    for factor, count in _BLOCKS:
        for _ in range(count):
            layer = nn.Conv2d(before, factor * width, 3, padding=1)
            made += [_initialised(layer), nn.ReLU(inplace=True)]
            before = factor * width
        made.append(nn.MaxPool2d(2))
    return nn.Sequential(*made)


def _head(sizes: list[int], norm: bool, dropout: float) -> nn.Sequential:
    made: list[nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        made.append(_initialised(nn.Linear(before, after)))
        made += [nn.BatchNorm1d(after)] if norm else []
        made += [nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*made, _initialised(nn.Linear(*sizes[-2:])))


def _initialised(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """He et al. 2015 (doi:10.1109/ICCV.2015.123): without it thirteen convolutions from scratch do not learn."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def adopt(network: nn.Module, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Fill the network from another's weights, known by their order and shapes, since libraries name them otherwise.

    All convolutions must fit. Of the dense and batch normalisation layers those are taken that have the shape of ours
    in the same place: the whole head of stage A with stage B, and from a network for other classes all but the last
    layer. The others keep their random start. Raises KaryobenchError where the convolutions are not VGG16's of this
    width, or have batch normalisation between them, which ours have not.
    """
    theirs, ours = layers(tensors), layers(network.state_dict())
    _check_convolutions(theirs, ours)
    for kind in ("convolution", "dense", "norm"):
        pairs = zip(*([layer for layer in of if layer.kind == kind] for of in (theirs, ours)), strict=False)
        for given, wanted in pairs:
            if given.shapes == wanted.shapes:
                copy(given, wanted)


def _check_convolutions(theirs: list[Layer], ours: list[Layer]) -> None:
    given, wanted = ([layer for layer in of if layer.kind == "convolution"] for of in (theirs, ours))
    if len(given) != len(wanted):
        raise KaryobenchError(f"the weights have {len(given)} convolutions, VGG16 has {len(wanted)}")
    for place, (one, other) in enumerate(zip(given, wanted, strict=True), 1):
        if one.shapes != other.shapes:
            raise KaryobenchError(
                f"convolution {place}, '{one.name}', has {one.shapes} and the network {other.shapes}; take the "
                "weights of a VGG16, and network.width 64 for those of the paper"
            )
    if any(layer.kind == "norm" for layer in theirs[theirs.index(given[0]) : theirs.index(given[-1])]):
        raise KaryobenchError(
            "the weights have batch normalisation between their convolutions, which are nothing without it; take "
            "those of a VGG16 without"
        )


def examples(batch: Batch, rng: np.random.Generator, config: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Input float32 (N, 3, input, input) and class int64 (N,) of patches of any side; nothing is drawn from `rng`."""
    return _as_input(batch.images, config), torch.from_numpy(batch.labels.astype(np.int64))


def loss(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Cross entropy of the classes."""
    return functional.cross_entropy(outputs, targets)


def measures(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> dict[str, float]:
    """Recognition rate of a batch."""
    return {"rate": (outputs.argmax(dim=1) == targets).float().mean().item()}


def predict(network: nn.Module, tile: Tile, config: dict[str, Any]) -> np.ndarray:
    """Class probabilities float32 (C,) of a tile of any size: the mean over the squares that cover it."""
    squares = list(_squares(tile.image, config["predict"]["window"]))
    device, found = device_of(network), []
    with torch.inference_mode():
        for start in range(0, len(squares), _AT_ONCE):
            inputs = _as_input(np.stack(squares[start : start + _AT_ONCE]), config).to(device)
            found.append(network(inputs).float().softmax(dim=1).cpu().numpy())
    return np.concatenate(found).mean(axis=0, dtype=np.float32)


def _squares(image: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """The fewest squares that cover an image, evenly spread; an image narrower than a square is reflected."""
    rows, columns = (_starts(length, side) for length in image.shape[:2])
    return (cut(image, row, column, side) for row in rows for column in columns)


def _starts(length: int, side: int) -> list[int]:
    return np.linspace(0, max(length - side, 0), -(-length // side)).round().astype(int).tolist()


def _as_input(images: np.ndarray, config: dict[str, Any]) -> torch.Tensor:
    side = config["network"]["input"]
    if images.shape[1] != side:
        how = cv2.INTER_AREA if images.shape[1] > side else cv2.INTER_LINEAR
        images = np.stack([cv2.resize(image, (side, side), interpolation=how) for image in images])
    return imagenet_input(images)
