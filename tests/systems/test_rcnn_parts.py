"""Boxes, anchors, suppression and RoIAlign against twins that go one box, one pair, one point at a time."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.errors import KaryobenchError
from karyobench.systems.rcnn import nms as nms_module
from karyobench.systems.rcnn.anchors import anchors
from karyobench.systems.rcnn.backbone import Pyramid, ResNet, norm_of
from karyobench.systems.rcnn.boxes import area, clip, decode, encode, iou
from karyobench.systems.rcnn.nms import nms
from karyobench.systems.rcnn.roi_align import level_of, pyramid_align, roi_align


def random_boxes(rng, count, extent=40.0, least=0.5):
    low = rng.uniform(0, extent, (count, 2))
    return torch.from_numpy(np.concatenate([low, low + rng.uniform(least, extent / 2, (count, 2))], axis=1)).float()


def iou_of(a, b):
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(height, 0) * max(width, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0.0


# ---------------------------------------------------------------------- boxes


@given(st.integers(0, 10**6), st.integers(0, 5), st.integers(0, 5))
def test_overlaps_are_those_of_each_pair(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = random_boxes(rng, n), random_boxes(rng, m)
    expected = [[iou_of(x, y) for y in b.tolist()] for x in a.tolist()]
    np.testing.assert_allclose(iou(a, b), np.array(expected).reshape(n, m), atol=1e-5)


def test_boxes_without_an_area_overlap_nothing():
    point = torch.tensor([[3.0, 3, 3, 3]])
    assert iou(point, torch.tensor([[0.0, 0, 9, 9], [3, 3, 3, 3]])).tolist() == [[0, 0]]


@given(st.integers(0, 10**6))
def test_decoding_undoes_encoding(seed):
    rng = np.random.default_rng(seed)
    boxes, references = random_boxes(rng, 6), random_boxes(rng, 6)
    torch.testing.assert_close(decode(encode(boxes, references), references), boxes, atol=1e-3, rtol=1e-4)


def test_an_offset_in_its_units():
    reference = torch.tensor([[10.0, 20, 30, 60]])  # centre 20, 40; sides 20, 40
    moved = decode(torch.tensor([[1.0, -1.0, 5 * math.log(2), 0.0]]), reference)
    torch.testing.assert_close(moved, torch.tensor([[22.0 - 20, 36.0 - 20, 22.0 + 20, 36.0 + 20]]))


def test_wild_offsets_stay_finite():
    assert decode(torch.full((1, 4), 1e4), torch.tensor([[0.0, 0, 8, 8]])).isfinite().all()


def test_boxes_are_cut_at_the_border():
    boxes = torch.tensor([[-3.0, 2, 50, 9], [5, -7, 6, 70]])
    assert clip(boxes, 20, 30).tolist() == [[0, 2, 20, 9], [5, 0, 6, 30]]


# ---------------------------------------------------------------------- anchors


@pytest.mark.parametrize("shape", [(64, 64), (33, 70)])
def test_anchors_lie_around_the_middle_of_each_place(shape):
    found = anchors(*shape, [4, 8], [16, 40], [0.5, 1, 2])
    expected = []
    for stride, side in ((4, 16), (8, 40)):
        rows, columns = (math.ceil(length / stride) for length in shape)
        for row, column, ratio in itertools.product(range(rows), range(columns), (0.5, 1, 2)):
            height, width = side * math.sqrt(ratio), side / math.sqrt(ratio)
            y, x = (row + 0.5) * stride, (column + 0.5) * stride
            expected.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_paper_s_anchors_of_an_input_of_512_pixels():
    found = anchors(512, 512, [4, 8, 16, 32, 64], [8, 16, 32, 64, 128], [0.5, 1, 2])
    assert len(found) == 3 * (128**2 + 64**2 + 32**2 + 16**2 + 8**2)
    assert area(found).sqrt().round().unique().tolist() == [8, 16, 32, 64, 128]


# ---------------------------------------------------------------------- suppression


def slow_nms(boxes, scores, threshold, limit):
    """Greedy, one box at a time."""
    kept = []
    for index in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if len(kept) < limit and all(iou_of(boxes[index], boxes[k]) <= threshold for k in kept):
            kept.append(index)
    return kept


@settings(max_examples=200)
@given(
    st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 12), st.sampled_from([0.1, 0.3, 0.7]), st.integers(1, 9)
)
def test_suppression_is_the_greedy_one(seed, count, limit, threshold, block):
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, count, extent=12).round()
    scores = torch.from_numpy(rng.integers(0, 6, count)).float()  # many ties
    before, nms_module._BLOCK = nms_module._BLOCK, block
    try:
        kept = nms(boxes, scores, threshold, limit)
    finally:
        nms_module._BLOCK = before
    assert kept.tolist() == slow_nms(boxes.tolist(), scores.tolist(), threshold, limit)


def test_a_chain_of_boxes_leaves_every_second():
    # Each overlaps its neighbours alone; the greedy choice settles one box after another.
    starts = torch.arange(30).float()
    boxes = torch.stack([torch.zeros(30), starts, torch.ones(30), starts + 1.9], dim=1)
    assert nms(boxes, -starts, 0.3, 99).tolist() == list(range(0, 30, 2))


# ---------------------------------------------------------------------- RoIAlign


def slow_point(features, y, x):
    """Bilinear value between the middles of cells, constant beyond the outermost ones."""
    height, width = features.shape[1:]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    low_y, low_x = math.floor(y), math.floor(x)
    total = 0
    for row, weight_y in ((low_y, 1 - (y - low_y)), (min(low_y + 1, height - 1), y - low_y)):
        for column, weight_x in ((low_x, 1 - (x - low_x)), (min(low_x + 1, width - 1), x - low_x)):
            total = total + features[:, row, column] * weight_y * weight_x
    return total


def slow_roi_align(features, boxes, stride, size, samples):
    made = torch.zeros(len(boxes), features.shape[0], size, size, dtype=features.dtype)
    for index, (r0, c0, r1, c1) in enumerate(boxes.tolist()):
        for i, j, u, v in itertools.product(range(size), range(size), range(samples), range(samples)):
            y = r0 + (r1 - r0) * (i + (u + 0.5) / samples) / size
            x = c0 + (c1 - c0) * (j + (v + 0.5) / samples) / size
            made[index, :, i, j] += slow_point(features, y / stride - 0.5, x / stride - 0.5) / samples**2
    return made


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 3), st.sampled_from([1, 2, 4]), st.integers(1, 4), st.integers(1, 3))
def test_features_are_those_of_each_point(seed, count, stride, size, samples):
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.normal(size=(2, 5, 7)))
    boxes = clip(random_boxes(rng, count, extent=20.0), 5 * stride, 7 * stride).double()
    expected = slow_roi_align(features, boxes, stride, size, samples)
    torch.testing.assert_close(roi_align(features, boxes, stride, size, samples), expected, atol=1e-6, rtol=1e-5)


def test_the_gradient_of_roi_align_is_right():
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(2, 6, 5))).requires_grad_()
    boxes = torch.tensor([[1.3, 2.1, 15.0, 9.7], [0.0, 0.0, 24.0, 20.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda maps: roi_align(maps, boxes, 4, 3), features)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_ramp_comes_back_as_the_middles_of_the_bins(precision):
    ramp = ((torch.arange(16.0) + 0.5).repeat(16, 1)[None] * 4).to(precision)  # each cell holds its column in pixels
    pooled = roi_align(ramp, torch.tensor([[8.0, 12, 40, 40]]), 4, 7)
    np.testing.assert_allclose(pooled[0, 0, 0], 12 + 28 * (np.arange(7) + 0.5) / 7, rtol=1e-5)


def test_boxes_take_their_features_from_the_level_of_their_side():
    sides = torch.tensor([1.0, 8, 60, 79, 80, 128, 158, 159, 300, 1000])
    boxes = torch.stack([sides * 0, sides * 0, sides, sides], dim=1)
    assert level_of(boxes, 4).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
    assert level_of(boxes, 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_a_pyramid_is_pooled_box_by_box():
    rng = np.random.default_rng(1)
    pyramid = [torch.from_numpy(rng.normal(size=(3, 2, 64 // 2**k, 64 // 2**k))).float() for k in range(3)]
    boxes, images = random_boxes(rng, 12, extent=250.0), torch.from_numpy(rng.integers(0, 3, 12))
    boxes = clip(boxes, 256, 256)
    pooled = pyramid_align(pyramid, boxes, images, 3)
    for box, image, level, found in zip(boxes, images, level_of(boxes, 3), pooled, strict=True):
        torch.testing.assert_close(found, roi_align(pyramid[level][image], box[None], 4 * 2**level, 3)[0])
    assert pyramid_align(pyramid, boxes[:0], images[:0], 3).shape == (0, 2, 3, 3)


# ---------------------------------------------------------------------- backbone


def test_a_pyramid_adds_the_coarser_level_to_the_finer():
    torch.manual_seed(0)
    resnet = ResNet([1, 2, 1], 8, norm_of("batch"))
    stages = resnet(torch.randn(2, 3, 48, 80))
    assert [tuple(x.shape) for x in stages] == [(2, 32, 12, 20), (2, 64, 6, 10), (2, 128, 3, 5)]
    pyramid = Pyramid(resnet.channels, 16)
    levels = pyramid(stages)
    assert [tuple(x.shape[1:]) for x in levels] == [(16, 12, 20), (16, 6, 10), (16, 3, 5)]
    merged = pyramid.lateral[2](stages[2])
    torch.testing.assert_close(levels[2], pyramid.smooth[2](merged))
    merged = pyramid.lateral[1](stages[1]) + merged.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(levels[1], pyramid.smooth[1](merged))


def test_frozen_statistics_never_change_but_their_scale_learns():
    layer = norm_of("frozen")(4).train()
    x = torch.randn(5, 4, 3, 3) * 3 + 2
    torch.testing.assert_close(layer(x), x / math.sqrt(1 + 1e-5))
    layer(x).sum().backward()
    assert [name for name, p in layer.named_parameters() if p.grad is not None] == ["weight", "bias"]
    assert layer.running_mean.tolist() == [0] * 4


@pytest.mark.parametrize(
    ("kind", "channels", "message"), [("bach", 8, "did you mean 'batch'"), ("group", 12, "12 chan")]
)
def test_a_normalisation_that_cannot_be_is_refused(kind, channels, message):
    with pytest.raises(KaryobenchError, match=message):
        norm_of(kind)(channels)
