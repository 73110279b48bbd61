"""What a step of Mask R-CNN learns from, and detections on one map, against the definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.systems.rcnn.boxes import decode, iou
from karyobench.systems.rcnn.detection import detections, paste
from karyobench.systems.rcnn.rpn import proposals
from karyobench.systems.rcnn.sampling import Truth, mask_targets, sample_anchors, sample_boxes


def truth_of(instances, ignore=None):
    """Truth of one image with all its nuclei."""
    labels = np.unique(instances[instances > 0])
    boxes = []
    for label in labels:
        rows, columns = np.nonzero(instances == label)
        boxes.append([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
    ignore = np.zeros(instances.shape, bool) if ignore is None else ignore
    return Truth(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.from_numpy(labels.astype(np.int64)),
        torch.from_numpy(instances.astype(np.int64)),
        torch.from_numpy(ignore),
    )


def two_nuclei():
    instances = np.zeros((48, 64), np.int32)
    instances[4:20, 8:24], instances[30:37, 40:60] = 5, 2
    return instances


def lattice(side=16.0):
    """Overlapping squares all over the image."""
    rows, columns = torch.meshgrid(torch.arange(0, 40, 2.0), torch.arange(0, 56, 2.0), indexing="ij")
    low = torch.stack([rows.flatten(), columns.flatten()], dim=1)
    return torch.cat([low, low + side], dim=1)


# ---------------------------------------------------------------------- sampling


def test_anchors_are_positive_by_overlap_or_as_a_nucleus_s_best():
    torch.manual_seed(0)
    around, truth = lattice(), truth_of(two_nuclei())
    drawn = sample_anchors(around, truth, count=10**6)
    overlaps = iou(around, truth.boxes)
    positive = set((overlaps.amax(dim=1) >= 0.7).nonzero()[:, 0].tolist()) | set(overlaps.argmax(dim=0).tolist())
    assert overlaps[:, 0].max() < 0.7  # label 2, whose best anchor is positive all the same
    assert set(drawn.places[drawn.classes == 1].tolist()) == positive
    assert (
        set(drawn.places[drawn.classes == 0].tolist())
        == set((overlaps.amax(dim=1) < 0.3).nonzero()[:, 0].tolist()) - positive
    )
    assert drawn.classes.tolist() == sorted(drawn.classes.tolist(), reverse=True)


def test_a_nucleus_that_no_anchor_overlaps_has_no_best_one():
    instances = np.zeros((48, 64), np.int32)
    instances[40, 50], instances[9, 9] = 1, 2
    around = torch.tensor([[0.0, 0, 8, 8], [2, 2, 10, 10], [20, 20, 28, 28]])
    drawn = sample_anchors(around, truth_of(instances), 9)
    assert drawn.boxes[drawn.classes == 1].tolist() == [[2, 2, 10, 10]]
    assert drawn.labels.tolist() == [2]


def test_offsets_lead_from_each_positive_to_its_nucleus():
    torch.manual_seed(0)
    truth = truth_of(two_nuclei())
    drawn = sample_boxes(lattice(), truth, 40, 0.5)
    reached = decode(drawn.offsets, drawn.boxes[: len(drawn.offsets)])
    wanted = dict(zip(truth.labels.tolist(), truth.boxes, strict=True))
    torch.testing.assert_close(
        reached, torch.stack([wanted[label] for label in drawn.labels.tolist()]), atol=1e-3, rtol=0
    )
    assert set(drawn.labels.tolist()) == {2, 5}


@pytest.mark.parametrize(("count", "fraction"), [(20, 0.33), (8, 0.5), (300, 0.1)])
def test_numbers_of_drawn_boxes(count, fraction):
    torch.manual_seed(0)
    candidates, truth = lattice(), truth_of(two_nuclei())
    best = iou(torch.cat([candidates, truth.boxes]), truth.boxes).amax(dim=1)
    drawn = sample_boxes(candidates, truth, count, fraction)
    positives = int(drawn.classes.sum())
    assert positives == len(drawn.labels) == min(int(count * fraction), int((best >= 0.5).sum()))
    assert len(drawn.boxes) == len(set(drawn.places.tolist())) == min(count, positives + int((best < 0.5).sum()))
    assert ((best[drawn.places] >= 0.5).long() == drawn.classes).all()


def test_anchors_of_one_image_are_half_positive_at_most():
    torch.manual_seed(0)
    drawn = sample_anchors(lattice(), truth_of(two_nuclei()), 8)
    assert (len(drawn.places), int(drawn.classes.sum())) == (8, 4)


def test_without_nuclei_everything_is_background():
    torch.manual_seed(0)
    truth = truth_of(np.zeros((48, 64), np.int32))
    for drawn in (sample_anchors(lattice(), truth, 30), sample_boxes(lattice(), truth, 30, 0.33)):
        assert drawn.classes.tolist() == [0] * 30
        assert drawn.offsets.shape == (0, 4)
        assert drawn.labels.shape == (0,)


def test_where_the_truth_says_nothing_nothing_is_background():
    torch.manual_seed(0)
    ignore = np.zeros((48, 64), bool)
    ignore[:, 32:] = True
    truth = truth_of(two_nuclei(), ignore)
    for drawn in (sample_anchors(lattice(), truth, 10**6), sample_boxes(lattice(), truth, 10**6, 0.5)):
        middle = (drawn.boxes[:, 1] + drawn.boxes[:, 3]) / 2
        assert (middle[drawn.classes == 0] < 32).all()
        assert (middle[drawn.classes == 1] > 32).any()


def test_the_draw_depends_on_the_seed_alone():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(sample_anchors(lattice(), truth_of(two_nuclei()), 12).places.tolist())
    assert drawn[0] == drawn[1] != drawn[2]


# ---------------------------------------------------------------------- masks


def slow_mask(instances, box, label, side):
    made = np.zeros((side, side), np.float32)
    padded = np.pad(instances, 1, mode="edge") == label
    for i, j in np.ndindex(side, side):
        y = box[0] + (box[2] - box[0]) * (i + 0.5) / side + 0.5
        x = box[1] + (box[3] - box[1]) * (j + 0.5) / side + 0.5
        r, c = int(y), int(x)
        corners = padded[r : r + 2, c : c + 2].astype(float)
        rows = corners[0] * (1 - (y - r)) + corners[1] * (y - r)
        made[i, j] = rows[0] * (1 - (x - c)) + rows[1] * (x - c) >= 0.5
    return made


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_masks_are_sampled_in_the_middle_of_each_cell(seed):
    rng = np.random.default_rng(seed)
    instances = rng.integers(0, 3, (10, 12))
    # Quarters are exact in binary, so that no rounding decides at one half.
    boxes = np.array([[r, c, r + h, c + w] for r, c, h, w in rng.integers(1, 17, (4, 4)) / 4 + [0, 0, 2, 2]])
    labels = rng.integers(1, 3, 4)
    made = mask_targets(torch.from_numpy(instances), torch.from_numpy(boxes).float(), torch.from_numpy(labels), 8)
    for mask, box, label in zip(made, boxes, labels, strict=True):
        np.testing.assert_array_equal(mask, slow_mask(instances, box, label, 8))


def test_a_nucleus_of_one_pixel_fills_its_box():
    instances = torch.zeros(20, 20, dtype=torch.int64)
    instances[7, 9] = 3
    mask = mask_targets(instances, torch.tensor([[7.0, 9, 8, 10]]), torch.tensor([3]), 28)
    assert mask[0, 7:21, 7:21].all()
    assert mask[0, 14].sum() == 28


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_a_mask_pasted_into_its_own_box_is_the_nucleus(seed):
    rng = np.random.default_rng(seed)
    instances = np.zeros((40, 50), np.int64)
    r, c, h, w = (int(v) for v in rng.integers([0, 0, 4, 4], [10, 20, 28, 28]))
    y, x = np.ogrid[:40, :50]
    inside = ((y + 0.5 - r - h / 2) / h) ** 2 + ((x + 0.5 - c - w / 2) / w) ** 2 <= 0.25
    instances[inside] = 1
    truth = truth_of(instances)
    mask = mask_targets(truth.instances, truth.boxes, truth.labels, 28)
    pasted = paste(mask.numpy(), truth.boxes.numpy(), 40, 50)
    assert np.count_nonzero((pasted > 0) ^ inside) <= 0.1 * inside.sum()
    assert iou(truth.boxes, truth_of(pasted).boxes).item() > 0.8


def test_the_better_nucleus_has_the_pixels_of_both():
    masks = np.ones((2, 4, 4), np.float32)
    where = np.array([[2.0, 2, 6, 6], [0, 0, 4, 4]], np.float32)
    pasted = paste(masks, where, 7, 8)
    assert pasted.dtype == np.int32
    expected = np.zeros((7, 8), int)
    expected[0:4, 0:4] = 2
    expected[2:6, 2:6] = 1
    np.testing.assert_array_equal(pasted, expected)


def test_boxes_between_pixels_and_beyond_the_border():
    masks = np.ones((3, 4, 4), np.float32)
    where = np.array([[0.6, 0, 1.4, 9], [1.5, 1.5, 3.5, 3.5], [4.4, -3, 12, 1.4]], np.float32)
    pasted = paste(masks, where, 6, 5)
    expected = np.zeros((6, 5), int)  # the first holds no pixel's middle
    expected[1:3, 1:3] = 0
    rows, columns = np.mgrid[:6, :5] + 0.5
    for number, (r0, c0, r1, c1) in ((3, where[2]), (2, where[1]), (1, where[0])):
        expected[(rows >= r0) & (rows < r1) & (columns >= c0) & (columns < c1)] = number
    np.testing.assert_array_equal(pasted, expected)
    assert paste(masks[:0], where[:0], 3, 4).tolist() == [[0] * 4] * 3


# ---------------------------------------------------------------------- proposals and detections


def test_proposals_are_moved_cut_and_sorted():
    around = torch.tensor([[0.0, 0, 8, 8], [20, 20, 28, 28], [40, 4, 48, 12], [60, 60, 68, 68]])
    logits = torch.tensor([[0.0, 1], [0, 3], [0, 2], [0, 9]])
    offsets = torch.zeros(4, 4)
    offsets[2, 0] = 10  # one side downwards: beyond the image
    found = proposals(logits, offsets, around, (46, 50), limit=5)
    assert found.tolist() == [[20, 20, 28, 28], [0, 0, 8, 8]]
    assert len(proposals(logits, offsets, around, (46, 50), limit=1)) == 1


def test_detections_are_confident_apart_and_few():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 1, 10, 11], [20, 20, 30, 30], [40, 40, 50, 50], [60, 60, 70, 70]])
    odds = torch.tensor([0.9, 0.95, 0.8, 0.6, 0.75])
    logits = torch.stack([torch.zeros(5), torch.log(odds / (1 - odds))], dim=1)
    offsets = torch.zeros(5, 2, 4)
    offsets[:, 0] = 50  # the background's own, which nothing reads
    settings = {"confidence": 0.7, "nms": 0.3, "detections": 9}
    found = detections(logits, offsets, boxes, (65, 100), settings)
    assert found.boxes.tolist() == [[0, 1, 10, 11], [20, 20, 30, 30], [60, 60, 65, 70]]
    torch.testing.assert_close(found.scores, torch.tensor([0.95, 0.8, 0.75]))
    assert len(detections(logits, offsets, boxes, (65, 100), {**settings, "detections": 2}).scores) == 2
