"""A patch file and a system with all that makes resuming hard: dropout, batch statistics, channels-last weights."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from karyobench.datasets.store import create_hdf5
from karyobench.patches.codecs import Writer
from karyobench.training import loop
from karyobench.training.record import Outputs

STEP = Path(__file__).resolve().parents[2] / "scripts" / "train.py"
SYSTEM = """
import numpy as np
import torch
from torch import nn

TASK, OUTPUT, TRAINED, KEYS = "pixel classifier of a test", "maps", True, {"network": ("width",)}

def build(config):
    width = config["network"]["width"]
    layers = [nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Conv2d(width, 2, 3)).to(memory_format=torch.channels_last)

def examples(batch, rng, config):
    shift = rng.integers(0, 3)
    inputs = torch.from_numpy(np.roll(batch.images, shift, axis=1)).permute(0, 3, 1, 2) / 255
    return inputs, torch.from_numpy(np.roll(batch.instances, shift, axis=1)[:, 1:-1, 1:-1] > 0).long()

def loss(outputs, targets, config):
    return nn.functional.cross_entropy(outputs, targets)

def predict(network, tile, config): ...
def instances(maps, config): ...
"""


class Study:
    """A patch file, a configuration slice, and the outputs and checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.patches = folder / "patches.h5"
        self.checkpoints = folder / "checkpoints"
        (folder / "tiny.py").write_text(SYSTEM)
        self.write_patches(train=10, val=4)
        self.config = {
            "module": str(folder / "tiny.py"),
            "network": {"width": 8},
            "targets": {},
            "loss": {},
            "train": {
                "batch": 4,
                "optimizer": "adam",
                "learning_rate": 0.05,
                "schedule": "cosine",
                "momentum": 0,
                "weight_decay": 0.0,
                "clip": None,
                "ema": None,
                "precision": "32-true",
                "ranks": 1,
                "validate_every": 4,
                "checkpoint_every": 3,
                "augment": {"flips": True, "rotations": True, "jitter": 0.2},
            },
            "budget": {"steps": 11},
            "experiment": "tiny-discs",
            "seed": 5,
            "threads": 1,
            "initial": "scratch",
            "data": {"patches": "discs", "stain": "none"},
        }

    def write_patches(self, **counts: int) -> None:
        """Patches of 16 pixels with a bright square each, in groups `train` and `val`."""
        rng = np.random.default_rng(1)
        with create_hdf5(self.patches) as file:
            for name, count in counts.items():
                images = rng.integers(0, 80, (count, 16, 16, 3)).astype(np.uint8)
                instances = np.zeros((count, 16, 16), np.int32)
                writer = Writer(file.create_group(name), "zstd", count, 16, ["instances"])
                for image, labels in zip(images, instances, strict=True):
                    row, column = rng.integers(0, 10, 2)
                    image[row : row + 6, column : column + 6] += 120
                    labels[row : row + 6, column : column + 6] = 1
                    writer.add(image, instances=labels)

    def outputs(self, name: str = "model") -> Outputs:
        """Where a run writes."""
        files = ("weights.safetensors", "history.csv", "run.json", "card.md", "curve.svg")
        return Outputs(*(self.folder / name / file for file in files))

    def command(self, name: str = "model") -> list[str | Path]:
        """Command line of the step, which runs the training loop in a process of its own, or in several."""
        outputs = self.outputs(name)
        command = [sys.executable, STEP, "--config", json.dumps(self.config), "--patches", self.patches]
        command += ["--fingerprint", "code:1", "--checkpoints", self.checkpoints, "--init"]
        for option, path in vars(outputs).items():
            command += [f"--{option}", path]
        return command

    def train(self, name: str = "model", fingerprint: str = "code:1", init: Path | None = None) -> Outputs:
        """Run the training loop."""
        outputs = self.outputs(name)
        loop.train(self.patches, self.config, outputs, self.checkpoints, fingerprint, init)
        return outputs


@pytest.fixture
def study(tmp_path):
    threads = torch.get_num_threads()
    yield Study(tmp_path)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def stop_before(monkeypatch):
    """Let the run that is started next meet `how`, once, before the given step: an interrupt stands for SIGKILL."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    def stop(step: int, how: Callable[[], object] = interrupt) -> None:
        original = loop._step

        def stopping(run, training, number):
            if number == step:
                monkeypatch.setattr(loop, "_step", original)
                how()
            return original(run, training, number)

        monkeypatch.setattr(loop, "_step", stopping)

    return stop
