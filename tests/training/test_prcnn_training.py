"""P-RCNN in the training loop: its draws follow the seed of each step, so a stopped run ends as a whole one does."""

import csv

import pytest

NETWORK = {
    "blocks": [1, 1],
    "width": 8,
    "pyramid": 8,
    "rpn": 8,
    "hidden": 16,
    "norm": "batch",
    "sides": [8, 16, 32],
    "ratios": [0.5, 1, 2],
    "scale": 2,
}
TARGETS = {"anchors": 32, "proposals": 50, "boxes": 16, "positives": 0.33, "nuclei": 400}


@pytest.fixture
def prcnn(study):
    study.config |= {"module": "prcnn", "network": NETWORK, "targets": TARGETS, "budget": {"steps": 7}}
    study.config["train"] |= {"learning_rate": 0.001, "clip": 5.0}
    return study


def test_a_stopped_p_rcnn_goes_on_as_if_it_had_not_been(prcnn, stop_before):
    whole = prcnn.train("whole")
    stop_before(5)
    with pytest.raises(KeyboardInterrupt):
        prcnn.train("stopped")
    stopped = prcnn.train("stopped")
    assert whole.weights.read_bytes() == stopped.weights.read_bytes()
    assert whole.history.read_bytes() == stopped.history.read_bytes()


def test_the_history_has_the_five_losses(prcnn):
    with open(prcnn.train().history, newline="") as stream:
        last = list(csv.DictReader(stream))[-1]
    parts = [float(last[f"{name}_loss"]) for name in ("anchor_class", "anchor_box", "class", "box", "mask")]
    assert sum(parts) == pytest.approx(float(last["val_loss"]), rel=1e-4)
