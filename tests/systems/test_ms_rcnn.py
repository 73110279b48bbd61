"""Mask Scoring R-CNN: its size, the overlaps that it learns, and nuclei ranked by them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from karyobench.patches.batch import Batch
from karyobench.systems import ms_rcnn
from karyobench.systems.base import Tile
from karyobench.systems.rcnn import sampling

CONFIG = {
    "network": {
        "blocks": [1, 1],
        "width": 8,
        "pyramid": 16,
        "rpn": 16,
        "hidden": 32,
        "norm": "group",
        "sides": [16, 32, 64],
        "ratios": [0.5, 1, 2],
        "scale": 1,
    },
    "targets": {"anchors": 64, "proposals": 100, "boxes": 24, "positives": 0.33, "nuclei": 400},
    "predict": {
        "tile": 512,
        "resize": None,
        "proposals": 100,
        "confidence": 0.1,
        "nms": 0.3,
        "detections": 400,
        "overlap": 0.0,
    },
}


def built():
    torch.manual_seed(0)
    return ms_rcnn.build(CONFIG)


def batch(nuclei=True):
    truth = np.zeros((2, 64, 64), np.int32)
    if nuclei:
        truth[:, 6:26, 8:28], truth[:, 40:60, 30:50] = 3, 1
    image = np.where(truth[..., None] > 0, (90, 60, 140), (230, 190, 220)).astype(np.uint8)
    return Batch(image, truth)


def outputs_of(network, given):
    inputs, targets = ms_rcnn.examples(given, np.random.default_rng(0), CONFIG)
    torch.manual_seed(1)
    return network(inputs), targets


def test_the_head_adds_exactly_its_weights_to_mask_rcnn():
    with torch.device("meta"):
        network = ms_rcnn.build(ms_rcnn.FULL)
    convolutions = 9 * 257 * 256 + 3 * 9 * 256 * 256 + 4 * 256
    dense = 7 * 7 * 256 * 1024 + 1024 * 1024 + 1024 * 2 + 1024 + 1024 + 2
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert trained == 44_603_678 + convolutions + dense == 60_864_032


@pytest.mark.parametrize("nuclei", [True, False])
def test_the_loss_has_a_sixth_part_and_reaches_every_weight(nuclei):
    network = built()
    outputs, targets = outputs_of(network, batch(nuclei))
    parts = ms_rcnn.measures(outputs, targets, CONFIG)
    assert len(parts) == 6
    assert (parts["overlap_loss"] > 0) == nuclei
    ms_rcnn.loss(outputs, targets, CONFIG).backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    assert all(grad is not None for grad in gradients.values())
    assert not nuclei or [name for name, grad in gradients.items() if not grad.abs().sum() > 0] == []


def test_the_score_does_not_move_the_mask():
    network = built()
    outputs, _ = outputs_of(network, batch())
    torch.nn.functional.mse_loss(outputs.overlaps, outputs.overlaps_wanted).backward()
    assert all(p.grad is None for p in network.mask_head.parameters())
    assert all(p.grad is not None for p in network.overlap_head.parameters())


@given(st.integers(0, 10**6))
def test_overlaps_count_what_lies_outside_the_box(seed):
    rng = np.random.default_rng(seed)
    # Cells are pixels here: boxes of 8 x 8 pixels, masks of 8 x 8 cells.
    instances = rng.integers(0, 3, (20, 20))
    found = rng.random((4, 8, 8)) < 0.5
    corners, labels = rng.integers(0, 12, (4, 2)), rng.integers(1, 3, 4)
    boxes = torch.from_numpy(np.concatenate([corners, corners + 8], axis=1)).float()
    parts = [instances[r : r + 8, c : c + 8] == label for (r, c), label in zip(corners, labels, strict=True)]
    areas = sampling.areas(torch.from_numpy(instances), torch.from_numpy(labels))
    made = sampling.overlaps(torch.from_numpy(found), torch.from_numpy(np.stack(parts)), boxes, areas)
    for value, (r, c), label, mask in zip(made, corners, labels, found, strict=True):
        whole = np.zeros((20, 20), bool)
        whole[r : r + 8, c : c + 8] = mask
        nucleus = instances == label
        assert value.item() == pytest.approx((whole & nucleus).sum() / max(1, (whole | nucleus).sum()))


def test_nuclei_are_ranked_by_probability_times_overlap():
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    tile = Tile(image, "a", (0, 0, 64, 64), "a", (0, 0, 64, 64), "he")
    network = built().eval()

    def predicted(overlap, least=0.0):
        network.overlap_head.forward = overlap
        config = {**CONFIG, "predict": {**CONFIG["predict"], "overlap": least}}
        return ms_rcnn.predict(network, tile, config)

    def equal(x, masks):
        return torch.ones(len(x), 2)

    def reverse(x, masks):
        return torch.arange(1.0, len(x) + 1)[:, None].repeat(1, 2) ** 8

    first = predicted(equal)
    count = first.max()
    assert count > 3
    assert not np.array_equal(first, predicted(reverse))
    assert set(np.unique(predicted(lambda x, masks: equal(x, masks) * 0.0, least=0.01))) == {0}
