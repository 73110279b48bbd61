"""Small records of every trained system, patches of squares and weights, for the tests of exported networks."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from karyobench.datasets.store import create_hdf5
from karyobench.patches.batch import Batch
from karyobench.patches.codecs import Writer
from karyobench.systems import registry
from karyobench.systems.base import Tile

WINDOWS = {"network": {"channels": [4, 4, 8], "hidden": 16}}
RCNN: dict[str, Any] = {
    "network": {
        "blocks": [1, 1, 1, 1],
        "width": 8,
        "pyramid": 16,
        "rpn": 16,
        "hidden": 16,
        "norm": "group",
        "sides": [8, 16, 32, 64, 128],
        "ratios": [0.5, 1, 2],
        "scale": 2,
    },
    "predict": {"tile": None, "resize": None, "proposals": 20, "confidence": 0, "nms": 0.3, "detections": 10},
}
RECORDS: dict[str, dict[str, Any]] = {
    "unet3": {"network": {"width": 4, "depth": 3}},
    "unetpp": {"network": {"width": 4, "depth": 3, "up": 2, "heads": 1, "batch_norm": False}},
    "unet3plus": {"network": {"width": 4, "depth": 3}},
    "mcsa_unet": {
        "network": {
            "width": 8,
            "depth": 3,
            "channel": True,
            "spatial": True,
            "spatial_target": "F",
            "residual": "features",
            "reduction": 4,
            "batch_norm": False,
        }
    },
    "alexnet": WINDOWS,
    "alexnet_literal": WINDOWS,
    "janowczyk_cnn": WINDOWS,
    "vgg16": {
        "network": {
            "width": 4,
            "hidden": 16,
            "free": 0,
            "norm": True,
            "dropout": 0.5,
            "pool": "flatten",
            "input": 32,
        },
        "predict": {"tile": None, "window": 48},
        "classes": ["round", "square"],
    },
    "prcnn": RCNN,
    "ms_rcnn": {**RCNN, "predict": {**RCNN["predict"], "overlap": 0}},
}
TRAINED = [name for name in registry.names() if registry.declared(name, "TRAINED")]


def record(module: str, precision: str = "float32") -> dict[str, Any]:
    """A system's record with a runtime, and one thread."""
    made = {"module": module, "threads": 1, **RECORDS[module]}
    return {**made, "predict": {**made.get("predict", {}), "runtime": {"name": "openvino", "precision": precision}}}


def without_runtime(config: dict[str, Any]) -> dict[str, Any]:
    """The same record for torch."""
    return {**config, "predict": {key: value for key, value in config["predict"].items() if key != "runtime"}}


def squares(side: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 (side, side, 3) of dark squares on light noise, and their instance map."""
    rng = np.random.default_rng(seed)
    image = rng.integers(170, 256, (side, side, 3)).astype(np.uint8)
    labels = np.zeros((side, side), np.int32)
    for number, (row, column) in enumerate(np.ndindex(side // 16, side // 16), 1):
        top, left = np.array([row, column]) * 16 + rng.integers(1, 5, 2)
        height, width = rng.integers(6, 11, 2)
        labels[top : top + height, left : left + width] = number
    image[labels > 0] //= 3
    return image, labels


def write_patches(path: Path, count: int = 8, side: int = 64) -> Path:
    """A patch file with training and validation patches."""
    with create_hdf5(path) as file:
        for name, first in (("train", 0), ("val", 1000)):
            writer = Writer(file.create_group(name), "zstd", count, side, ["instances"])
            for seed in range(count):
                image, labels = squares(side, first + seed)
                writer.add(image, instances=labels)
    return path


def write_weights(path: Path, module: str, steps: int = 0) -> Path:
    """Weights of a system after so many steps on squares; the first ones are random."""
    torch.manual_seed(0)
    system, config = registry.load(module), RECORDS[module] | TRAINING
    network = system.build(config).train()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(steps):
        pairs = [squares(64, 4 * step + number) for number in range(4)]
        batch = Batch(*map(np.stack, zip(*pairs, strict=True)))
        inputs, targets = system.examples(batch, np.random.default_rng(step), config)
        optimizer.zero_grad()
        system.loss(network(inputs), targets, config).backward()
        optimizer.step()
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return path


TRAINING = {
    "targets": {"boundary": 1, "anchors": 64, "proposals": 100, "boxes": 24, "positives": 0.33, "nuclei": 400},
    "loss": {"class_weights": [1, 1, 2]},
}


def tile(system: ModuleType, height: int, width: int, seed: int = 0) -> Tile:
    """A tile of squares with the system's context."""
    context = sum(getattr(system, "CONTEXT", (0, 0)))
    image, _ = squares(max(height, width) + context, seed)
    box = (0, 0, height, width)
    return Tile(image[: height + context, : width + context], "a", box, "a", box, "he")
