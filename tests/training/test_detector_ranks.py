"""A detector on two ranks: where it learns what one process learns, what holds elsewhere, and that a kill is harmless.

Each of its losses is a mean over the boxes that a rank draws in its share of the batch; the ranks' means are averaged.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import exporting
from karyobench.datasets.store import create_hdf5
from karyobench.patches.codecs import Writer
from karyobench.systems import prcnn
from karyobench.training import draws

SIDE = 64
# All that may be drawn is drawn, so that ranks, which draw for themselves, learn from the same boxes as one process.
EVERYTHING = {"anchors": 10**6, "proposals": 1, "boxes": 10**6, "positives": 1.0, "nuclei": 400}
KILLED = """
import os
from pathlib import Path

_examples, _steps = examples, []


def examples(batch, rng, config):
    _steps.append(len(batch))
    mark = Path(__file__).with_name("killed")
    if os.environ["RANK"] == "1" and len(_steps) == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return _examples(batch, rng, config)
"""


@pytest.fixture
def detector(study):
    """A tiny P-RCNN, with normalisation by groups: what a patch gives does not depend on those beside it."""
    network = exporting.RCNN["network"] | {"blocks": [1, 1], "sides": [8, 16, 32], "scale": 1}
    study.config |= {"module": "prcnn", "network": network, "targets": EVERYTHING, "budget": {"steps": 3}}
    study.config["train"] |= {"learning_rate": 0.001, "augment": {"flips": False, "rotations": False}}
    return study


def write(path, patches):
    """A patch file of (image, labels), all for training: without validation the last weights are kept."""
    with create_hdf5(path) as file:
        for name, several in {"train": patches, "val": []}.items():
            writer = Writer(file.create_group(name), "zstd", len(several), SIDE, ["instances"])
            for image, labels in several:
                writer.add(image, instances=labels)


def patch(seed, truth_of=None):
    """Squares, by default those of the seed; noise as the seed has it."""
    image, labels = exporting.squares(SIDE, seed)
    if truth_of is not None:
        _, labels = exporting.squares(SIDE, truth_of)
        noise = np.random.default_rng(seed).integers(150, 256, (SIDE, SIDE, 3))
        image = (noise // np.where(labels, 3, 1)[..., None]).astype(np.uint8)
    return image, labels


def empty(seed):
    image, labels = patch(seed)
    return image, np.zeros_like(labels)


def on_ranks(study, name):
    """Outputs of the step with the ranks of its configuration."""
    done = subprocess.run(study.command(name), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return study.outputs(name)


def losses(outputs):
    return np.genfromtxt(outputs.history, delimiter=",", skip_header=1, ndmin=2)[:, 1]


def test_two_ranks_learn_what_one_learns_where_every_patch_gives_as_many_boxes(detector):
    write(detector.patches, [patch(seed, truth_of=0) for seed in range(4)])
    one = detector.train("one")
    detector.config["train"]["ranks"] = 2
    two = on_ranks(detector, "two")
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-4)
    weights = load_file(two.weights)
    for name, tensor in load_file(one.weights).items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-3, atol=1e-4)


def test_the_loss_of_ranks_is_the_mean_of_theirs_also_where_one_has_no_nuclei(detector):
    order = draws.batch_indices(0, 4, 4, detector.config["seed"])
    by_place = [patch(0), patch(1), empty(2), empty(3)]  # the second rank's have no nuclei in the first step
    write(detector.patches, [by_place[list(order).index(index)] for index in range(4)])
    detector.config["train"]["ranks"] = 2
    two = losses(on_ranks(detector, "two"))
    detector.config["train"] |= {"ranks": 1, "batch": 2}
    detector.config["budget"]["steps"] = 1
    halves = []
    for name, half in {"first": by_place[:2], "second": by_place[2:]}.items():
        write(detector.patches, half)
        halves.extend(losses(detector.train(name)))
    assert two[0] == pytest.approx(np.mean(halves), rel=1e-4)
    assert halves[0] > 2 * halves[1] > 0
    assert np.isfinite(two).all()


@pytest.mark.slow
def test_a_detector_killed_on_two_ranks_goes_on_bit_by_bit(detector):
    path = detector.folder / "killed.py"
    path.write_text(Path(prcnn.__file__).read_text() + KILLED)
    exporting.write_patches(detector.patches, count=8, side=SIDE)
    detector.config |= {"module": str(path), "targets": EVERYTHING | {"anchors": 32, "proposals": 50, "boxes": 16}}
    detector.config["train"] |= {"ranks": 2, "augment": {"jitter": 0.2, "perspective": 0.1}, "clip": 5.0}
    detector.config["budget"]["steps"] = 7
    died = subprocess.run(detector.command("stopped"), capture_output=True, text=True)
    assert "error: rank 1 of 2, counted from 0, was killed by signal 9" in died.stderr
    resumed = subprocess.run(detector.command("stopped"), capture_output=True, text=True)
    assert "going on from the checkpoint of step 3" in resumed.stderr
    whole, stopped = on_ranks(detector, "whole"), detector.outputs("stopped")
    assert whole.weights.read_bytes() == stopped.weights.read_bytes()
    assert whole.history.read_bytes() == stopped.history.read_bytes()
