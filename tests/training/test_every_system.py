"""Each trained system: runs under one seed are equal bit by bit, also one that was stopped and went on."""

import pytest
import torch

import exporting
from karyobench.datasets.store import create_hdf5, write_attributes
from karyobench.patches.codecs import Writer
from karyobench.training import loop

UNETS = {"optimizer": "adam", "learning_rate": 0.01}
DETECTORS = {
    "optimizer": "adam",
    "learning_rate": 0.001,
    "clip": 5.0,
    "schedule": "thirds",
    "augment": {"perspective": 0.1},
}
WINDOWS = {"optimizer": "adagrad", "learning_rate": 0.01, "schedule": "constant", "weight_decay": 0.004}
TRAIN = {
    "alexnet": WINDOWS,
    "alexnet_literal": WINDOWS,
    "janowczyk_cnn": WINDOWS,
    "mcsa_unet": UNETS | {"ema": 0.9, "augment": {"crop": 0.5}},
    "unet3": UNETS | {"augment": {"jitter": 0.2, "stain": 0.2}},
    "unetpp": UNETS,
    "unet3plus": UNETS | {"clip": 1.0},
    "vgg16": UNETS | {"augment": {"crop": 0.9}},
    "prcnn": DETECTORS,
    "ms_rcnn": DETECTORS,
}
"""What each paper's training asks for, so that all that a checkpoint may hold is met by some system."""
WINDOW_TARGETS = {"positives": 12, "ring": 3, "elsewhere": 0.5, "stroma": None}
BOX_TARGETS = {"anchors": 32, "proposals": 50, "boxes": 16, "positives": 0.33, "nuclei": 400}
TARGETS = {
    **dict.fromkeys(("alexnet", "alexnet_literal", "janowczyk_cnn"), WINDOW_TARGETS),
    **dict.fromkeys(("prcnn", "ms_rcnn"), BOX_TARGETS),
    "unet3": {"boundary": 1},
}
NETWORK = {"vgg16": {"free": 5}, "prcnn": {"norm": "batch"}, "ms_rcnn": {"norm": "batch"}}
SIDE = 64
STEPS, STOPPED = 8, 7  # the checkpoint of step 6 follows the validation of step 4


def test_no_trained_system_is_left_out():
    assert set(TRAIN) == set(exporting.TRAINED)


@pytest.fixture(params=TRAIN)
def trained(request, study):
    """A study of the system's small network, on patches of squares or, where it tells classes, of light and dark."""
    name = request.param
    record = exporting.RECORDS[name]
    weights = {"class_weights": [1, 1, 2] if name == "unet3" else [1, 1]}
    study.config |= {"module": name, "targets": TARGETS.get(name, {}), "loss": weights, "budget": {"steps": STEPS}}
    study.config["network"] = record["network"] | NETWORK.get(name, {})
    study.config["train"] |= {"augment": {}} | TRAIN[name]
    # What freezes weights is trained from given ones alone.
    study.init = exporting.write_weights(study.folder / "start.safetensors", name) if name == "vgg16" else None
    if "classes" in record:
        study.config["classes"] = record["classes"]
        write_classes(study.patches, record["classes"])
    else:
        exporting.write_patches(study.patches, count=6, side=SIDE)
    return study


def write_classes(path, classes):
    with create_hdf5(path) as file:
        for name in ("train", "val"):
            group = file.create_group(name)
            writer = Writer(group, "zstd", 6, SIDE, [])
            for number in range(6):
                writer.add(exporting.squares(SIDE, number)[0] // (1 + number % 2))
            write_attributes(group, {"classes": classes})
            group["label"] = [number % 2 for number in range(6)]


@pytest.fixture
def ends(monkeypatch):
    """Last weights of each run, and their average: what is kept may be of an earlier step."""
    found, original = [], loop._finish

    def finish(run, progress):
        tensors = {**run.network.state_dict(), **{f"average/{name}": t for name, t in progress.average.items()}}
        found.append({name: tensor.clone() for name, tensor in tensors.items()})
        original(run, progress)

    monkeypatch.setattr(loop, "_finish", finish)
    return found


def test_equal_runs_are_equal_and_so_is_one_that_was_stopped(trained, stop_before, ends):
    whole, again = trained.train("whole", init=trained.init), trained.train("again", init=trained.init)
    stop_before(STOPPED)
    with pytest.raises(KeyboardInterrupt):
        trained.train("stopped", init=trained.init)
    assert trained.checkpoints.exists()
    stopped = trained.train("stopped", init=trained.init)
    for other, end in zip((again, stopped), ends[1:], strict=True):
        assert other.weights.read_bytes() == whole.weights.read_bytes()
        assert other.history.read_bytes() == whole.history.read_bytes()
        assert end.keys() == ends[0].keys()
        assert [name for name, tensor in end.items() if not torch.equal(tensor, ends[0][name])] == []
