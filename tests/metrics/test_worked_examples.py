"""The worked examples, counted by hand: every score on two tiny maps, and each edge case of its definition."""

import numpy as np
import pandas as pd
import pytest

from karyobench.errors import KaryobenchError
from karyobench.metrics.contingency import contingency
from karyobench.metrics.counts import count_image
from karyobench.metrics.objects import aji_counts, match_counts
from karyobench.metrics.pixel import pixel_counts
from karyobench.metrics.scores import image_scores, macro, micro, thresholds

T10 = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
METRICS = {"iou_thresholds": T10, "f1_threshold": 0.5}


def labels(shape, *boxes):
    """Label map with rectangle (r0, r1, c0, c1) number i labelled i + 1."""
    made = np.zeros(shape, np.int32)
    for number, (r0, r1, c0, c1) in enumerate(boxes, start=1):
        made[r0:r1, c0:c1] = number
    return made


def scores_of(truth, predicted, metrics=METRICS):
    counts = pd.DataFrame([count_image(truth, predicted, thresholds(metrics))])
    return image_scores(counts, metrics).iloc[0]


@pytest.fixture
def example_a():
    truth = labels((10, 10), (0, 4, 0, 4), (0, 4, 5, 9), (6, 10, 0, 5))
    predicted = labels((10, 10), (0, 4, 0, 3), (1, 5, 5, 9), (6, 10, 3, 8), (9, 10, 9, 10))
    return truth, predicted


@pytest.fixture
def example_b():
    return labels((4, 8), (0, 4, 0, 4), (0, 4, 4, 8)), labels((4, 8), (0, 4, 0, 8))


def test_example_a_counts(example_a):
    table = contingency(*example_a)
    assert (table.n_true, table.n_pred) == (3, 4)
    assert pixel_counts(table) == (32, 17, 20, 31)
    assert match_counts(table, 0.5) == (2, 2, 1, pytest.approx(1.35))
    assert aji_counts(table) == (32, 69)


def test_example_a_pairs(example_a):
    pairs = contingency(*example_a).overlaps
    assert list(zip(pairs.truth, pairs.predicted, pairs.intersection, pairs.union, strict=True)) == [
        (1, 1, 12, 16),
        (2, 2, 12, 20),
        (3, 3, 8, 32),
    ]


@pytest.mark.parametrize(
    ("score", "value"),
    [
        ("pixel_accuracy", 0.63),
        ("mean_iu", 0.4598252344),
        ("dice", 0.6336633663),
        ("f1", 0.5714285714),
        ("ap", 0.13),
        ("sq", 0.675),
        ("dq", 0.5714285714),
        ("pq", 0.3857142857),
        ("aji", 0.4637681159),
    ],
)
def test_example_a_scores(example_a, score, value):
    assert scores_of(*example_a)[score] == pytest.approx(value, abs=5e-11)


def test_example_a_ap_over_nine_thresholds(example_a):
    metrics = {"iou_thresholds": T10[:9], "f1_threshold": 0.5}
    assert scores_of(*example_a, metrics)["ap"] == pytest.approx(0.1444444444, abs=5e-11)


def test_example_a_per_threshold_is_strict_and_exact(example_a):
    # IoU 0.6 and 0.75 are exactly 12/20 and 12/16: at these thresholds they must not count.
    table = contingency(*example_a)
    assert [match_counts(table, t).tp for t in T10] == [2, 2, 1, 1, 1, 0, 0, 0, 0, 0]
    assert match_counts(table, 0.7499).tp == 1
    assert match_counts(table, 0.5999).tp == 2


def test_example_b_scores(example_b):
    scores = scores_of(*example_b)
    assert scores["aji"] == 0.5
    assert scores[["f1", "ap", "pq", "sq", "dq"]].tolist() == [0] * 5
    assert scores[["pixel_accuracy", "mean_iu", "dice"]].tolist() == [1] * 3
    assert match_counts(contingency(*example_b), 0.5) == (0, 1, 2, 0)


@pytest.mark.parametrize(("first", "expected"), [("small", (2, 8 + 7)), ("large", (3, 12 + 2))])
def test_aji_tie_takes_the_lowest_label(first, expected):
    # Truth of 8 pixels; predictions with 2 of 8 and 3 of 12 in common: both IoU 1/4. The unused one adds its area.
    truth = labels((2, 8), (0, 1, 0, 8))
    predicted = np.zeros((2, 8), np.int32)
    small, large = (1, 2) if first == "small" else (2, 1)
    predicted[0, 0:2] = small
    predicted[0, 5:8] = large
    predicted[1, 4:8] = large
    assert aji_counts(contingency(truth, predicted)) == expected


def test_aji_prediction_may_serve_two_truths():
    truth = labels((4, 4), (0, 2, 0, 4), (2, 4, 0, 4))
    assert aji_counts(contingency(truth, np.ones((4, 4), np.int32))) == (16, 32)


OBJECT_SCORES = ["dice", "f1", "aji", "ap", "pq", "sq", "dq"]


def test_doubly_empty_image_scores_one():
    empty = labels((5, 7))
    assert (scores_of(empty, empty) == 1).all()
    assert (scores_of(empty, None) == 1).all()


@pytest.mark.parametrize("truth_is_empty", [True, False])
def test_one_empty_map_scores_zero(truth_is_empty):
    maps = labels((4, 4)), labels((4, 4), (0, 2, 0, 2))
    scores = scores_of(*(maps if truth_is_empty else maps[::-1]))
    assert scores[OBJECT_SCORES].tolist() == [0] * len(OBJECT_SCORES)
    assert scores["pixel_accuracy"] == 0.75
    assert scores["mean_iu"] == 0.375


def test_image_without_background_leaves_it_out_of_mean_iu():
    full = np.ones((3, 3), np.int32)
    assert scores_of(full, full)["mean_iu"] == 1
    assert scores_of(full, np.zeros((3, 3), np.int32))["mean_iu"] == 0


def test_missing_prediction_is_all_false_negatives(example_a):
    row = count_image(example_a[0], None, [0.5])
    assert (
        row.items()
        >= {
            **{"n_true": 3, "n_pred": 0, "missing": 1, "pixel_tp": 0, "pixel_fp": 0, "pixel_fn": 52, "pixel_tn": 48},
            **{"aji_intersection": 0, "aji_union": 52, "tp@0.50": 0, "fp@0.50": 0, "fn@0.50": 3, "iou@0.50": 0.0},
            **{"tp>=0.50": 0, "fn>=0.50": 3, "aji_plus_union": 52, "aji_union@0.50": 52, "glas_fn": 3},
            **{"missed": 3, "false": 0, "merges": 0, "splits": 0, "coelho_missing": 3, "coelho_added": 0},
        }.items()
    )
    assert row == {**count_image(example_a[0], np.zeros_like(example_a[0]), [0.5]), "missing": 1}


def test_macro_is_mean_of_images_and_micro_pools_counts(example_a, example_b):
    counts = pd.DataFrame([count_image(*maps, thresholds(METRICS)) for maps in (example_a, example_b)])
    assert macro(counts, METRICS)["f1"] == pytest.approx((4 / 7 + 0) / 2)
    assert macro(counts, METRICS)["aji"] == pytest.approx((32 / 69 + 0.5) / 2)
    pooled = micro(counts, METRICS)
    assert pooled["f1"] == pytest.approx(2 * 2 / (2 * 2 + 3 + 3))
    assert pooled["aji"] == pytest.approx(64 / 133)
    assert pooled["sq"] == pytest.approx(0.675)
    assert pooled["pixel_accuracy"] == pytest.approx((63 + 32) / (100 + 32))


def test_f1_threshold_moves_f1_but_not_panoptic_quality(example_a):
    scores = scores_of(*example_a, {"iou_thresholds": [0.5], "f1_threshold": 0.7})
    assert scores["f1"] == pytest.approx(2 / 7)
    assert scores["dq"] == pytest.approx(4 / 7)


@pytest.mark.parametrize(
    ("threshold", "words"),
    [(0.0, "outside"), (-0.5, "outside"), (1.0, "outside"), (0.5 + 2 * 0.05 + 1e-16, "six decimals")],
)
def test_threshold_refused(example_a, threshold, words):
    with pytest.raises(KaryobenchError, match=words):
        match_counts(contingency(*example_a), threshold)


@pytest.mark.parametrize(
    ("truth", "predicted", "words"),
    [
        (np.zeros((4, 4), int), np.zeros((4, 5), int), "truth is 4 x 4 pixels but the prediction is 4 x 5"),
        (np.zeros((4, 4)), np.zeros((4, 4), int), "truth: a label map holds integers, not float64"),
        (np.zeros((4, 4), int), np.full((4, 4), -1), "prediction: labels must lie in"),
        (np.zeros((4, 4), int), np.full((4, 4), 2**31), "prediction: labels must lie in"),
        (np.zeros((4, 4, 3), int), np.zeros((4, 4, 3), int), "truth: a label map must be"),
    ],
)
def test_not_label_maps(truth, predicted, words):
    with pytest.raises(KaryobenchError, match=words):
        contingency(truth, predicted)
