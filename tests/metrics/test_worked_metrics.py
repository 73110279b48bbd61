"""Every score on the two worked examples, whose values were counted by hand, and the worked numbers of other kinds."""

import math

import numpy as np
import pytest

from karyobench.metrics import classification, clustering, glas, mistakes, objects, points
from karyobench.metrics.boundary import count_boundaries
from karyobench.metrics.boxes import Objects, find_boxes
from karyobench.metrics.contingency import contingency
from karyobench.metrics.counts import count_image
from karyobench.metrics.definitions import every_score
from karyobench.metrics.distances import mismatch_distances, surface_distances
from karyobench.metrics.scores import all_scores, thresholds
from karyobench.metrics.thresholds import TEN

METRICS = {"iou_thresholds": list(TEN), "f1_threshold": 0.5}


def labels(shape, *boxes):
    """Label map with rectangle (r0, r1, c0, c1) number i labelled i + 1."""
    made = np.zeros(shape, np.int32)
    for number, (r0, r1, c0, c1) in enumerate(boxes, start=1):
        made[r0:r1, c0:c1] = number
    return made


A = (
    labels((10, 10), (0, 4, 0, 4), (0, 4, 5, 9), (6, 10, 0, 5)),
    labels((10, 10), (0, 4, 0, 3), (1, 5, 5, 9), (6, 10, 3, 8), (9, 10, 9, 10)),
)
B = labels((4, 8), (0, 4, 0, 4), (0, 4, 4, 8)), labels((4, 8), (0, 4, 0, 8))
NOTHING = labels((5, 7))
SQUARE = labels((5, 7), (1, 3, 2, 4))


def scores_of(truth, predicted, metrics=METRICS):
    return all_scores(count_image(truth, predicted, thresholds(metrics)) | count_boundaries(truth, predicted), metrics)


# fmt: off
WORKED_A = {
    "pixel_accuracy": 0.63, "mean_accuracy": 0.6306089744, "mean_iu": 0.4598252344, "precision": 0.6530612245,
    "recall": 0.6153846154, "specificity": 0.6458333333, "mpa_precision": 0.6304521809, "mpa_recall": 0.6306089744,
    "dice": 0.6336633663, "dice_two_class": 0.6299629963, "mean_dice_literal": 0.9196504689, "jaccard": 0.4637681159,
    "f1": 0.5714285714, "f1_at_least": 0.5714285714, "object_precision": 2 / 4, "object_recall": 2 / 3,
    "ap": 0.13, "ap_at_least": 0.17, "ap_t9": 0.1444444444, "ap_t9_at_least": 0.1888888889,
    "pq": 0.3857142857, "sq": 0.675, "dq": 0.5714285714, "pq_at_least": 0.3857142857,
    "aji": 0.4637681159, "aji_plus": 0.4637681159, "aji_0.50": 0.3116883117, "aji_0.50_at_least": 0.3116883117,
    "object_dice": 0.6332137251, "glas_f1": 0.5714285714, "count_error": 1, "count_bias": 1,
    "ari": 0.2353795156, "ari_truth": 0.4502727471, "ari_union": 406904 / 1007480,
    "rand": 0.6648484848, "rand_mask": 0.5290909091, "rand_jaccard": 0.7882634731,
    "rand_jaccard_mask": (1287 + 1332) / (1164 + 1167 + 1332),
    "f1_area_0": 4 / 7, "f1_area_64": math.nan, "f1_area_256": math.nan, "f1_area_1024": math.nan,
    "f1_area_4096": math.nan,
    "abd": 0.7337662338, "abd_mom": 0.7317460317, "hd95": (1 + 1 + 3) / 3, "object_hausdorff": 1.8793789865,
    "foreground_hausdorff": 5, "foreground_hd95": 3,
    # G1/S1: 4 of 30; G2/S2: 6 of 22 within G2 and 4 of 4 outside it; S3 and S4 vote for the background.
    "coelho_nsd": (4 / 30 + 10 / 26 + 1 + 1) / 4, "coelho_hausdorff": (1 + 2) / 2,
}
WORKED_B = {
    "f1": 0, "f1_at_least": 0.6666666667, "ap": 0, "ap_at_least": 1 / 2 / 10, "ap_t9_at_least": 1 / 2 / 9,
    "pq": 0, "sq": 0, "dq": 0, "pq_at_least": 0.5 * 2 / 3,
    "aji": 0.5, "aji_plus": 0.3333333333, "aji_0.50": 0, "aji_0.50_at_least": 0.5,
    "pixel_accuracy": 1, "mean_iu": 1, "dice": 1, "jaccard": 1, "precision": 1, "recall": 1, "specificity": math.nan,
    "glas_f1": 2 / 3, "object_dice": 2 * 16 / 48, "count_error": 1, "count_bias": -1,
}
# fmt: on


@pytest.mark.parametrize("name", every_score(METRICS))
def test_example_a(name):
    assert scores_of(*A)[name] == pytest.approx(WORKED_A[name], abs=5e-11, nan_ok=True)


@pytest.mark.parametrize(("name", "value"), WORKED_B.items())
def test_example_b(name, value):
    assert scores_of(*B)[name] == pytest.approx(value, abs=5e-11, nan_ok=True)


def test_example_a_matches_at_least_each_threshold():
    table = contingency(*A)
    assert [objects.match_counts(table, t, at_least=True).tp for t in TEN] == [2, 2, 2, 1, 1, 1, 0, 0, 0, 0]


def test_example_a_below_one_half():
    table = contingency(*A)
    assert [objects.match_counts(table, t).tp for t in (0.2499, 0.25, 0.4)] == [3, 2, 2]
    assert objects.match_counts(table, 0.25, at_least=True) == (3, 1, 0, 0.75 + 0.6 + 0.25)


def test_example_b_has_one_match_though_two_pairs_reach_the_threshold():
    assert objects.match_counts(contingency(*B), 0.5, at_least=True) == (1, 0, 1, 0.5)


def test_example_a_areas_of_aji():
    table = contingency(*A)
    assert objects.aji_counts(table) == objects.aji_plus_counts(table) == (32, 69)
    assert objects.aji_counts(table, 0.5, at_least=True) == (24, 16 + 20 + 20 + 20 + 1)
    assert objects.aji_plus_counts(contingency(*B)) == (16, 48)


def test_example_a_object_dice_and_glas_counts():
    table = contingency(*A)
    sums = glas.object_dice_sums(table)
    assert (sums.truth / 52, sums.predicted / 49) == pytest.approx((0.6483516484, 0.6180758017), abs=5e-11)
    assert glas.glas_counts(table) == (2, 2, 1)


def test_two_halves_of_one_truth_object_are_one_detection():
    halves = labels((4, 8), (0, 4, 0, 4), (0, 4, 4, 8))
    assert glas.glas_counts(contingency(labels((4, 8), (0, 4, 0, 8)), halves)) == (1, 1, 0)


def test_example_a_pixel_pairs():
    pairs = clustering.pixel_pairs(contingency(*A))
    assert pairs == (775, 1558, 1651, 4950, 1558 * 1651 / 4950)


def test_example_a_boundary_distances_of_each_pair():
    table = contingency(*A)
    sides = [
        Objects(m, known, find_boxes(m, known))
        for m, known in zip(A, (table.truth_labels, table.predicted_labels), strict=True)
    ]
    pairs = np.array([(1, 1), (2, 2), (3, 3)])
    found = surface_distances(*sides, pairs)
    assert found[:, 0] == pytest.approx([0.2727272727, 0.5, 1.4285714286], abs=5e-11)
    assert found[:, 1] == pytest.approx([0.2666666667, 0.5, 1.4285714286], abs=5e-11)
    assert mismatch_distances(*sides, pairs)[0].tolist() == [4, 30, 1]


def test_example_a_object_hausdorff_of_each_side():
    counts = count_boundaries(*A)
    assert counts["hausdorff_truth"] / 52 == pytest.approx(1.7692307692, abs=5e-11)
    assert counts["hausdorff_predicted"] / 49 == pytest.approx(1.9895272037, abs=5e-11)


def test_example_a_kinds_of_errors():
    table = contingency(*A)
    assert mistakes.mistake_counts(table) == (1, 2, 0, 0)
    assert mistakes.coelho_counts(table) == (0, 0, 2, 1)
    found = mistakes.mistakes(table)
    assert np.flatnonzero(found.missed).tolist() == [3]
    assert np.flatnonzero(found.false).tolist() == [3, 4]


def test_merge_and_split_name_their_objects():
    merge = mistakes.mistakes(contingency(*B))
    assert (merge.merging.tolist(), merge.merged.tolist()) == ([False, True], [False, True, True])
    assert mistakes.mistake_counts(contingency(*B)) == (0, 0, 1, 0)
    assert mistakes.coelho_counts(contingency(*B)) == (0, 1, 0, 0)
    split = mistakes.mistakes(contingency(*B[::-1]))
    assert (split.split.tolist(), split.fragment.tolist()) == ([False, True], [False, True, True])
    assert mistakes.mistake_counts(contingency(*B[::-1])) == (0, 0, 0, 1)
    assert mistakes.coelho_counts(contingency(*B[::-1])) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["f1", "f1_at_least", "ap", "ap_t9_at_least", "pq", "sq", "dq", "pq_at_least"], (1, 0, 0)),
        (["aji", "aji_plus", "aji_0.50", "aji_0.50_at_least", "object_dice", "glas_f1"], (1, 0, 0)),
        (["object_precision", "object_recall", "dice", "jaccard"], (1, 0, 0)),
        (["precision"], (math.nan, 0, 0)),
        (["recall"], (math.nan, math.nan, 0)),
        (["specificity"], (1, 31 / 35, 1)),
        (["mean_iu"], (1, 31 / 35 / 2, 31 / 35 / 2)),
        (["mpa_precision"], (1, 1 / 2, 31 / 35 / 2)),
        (["mean_accuracy", "mpa_recall"], (1, 31 / 35, 1 / 2)),
        (["dice_two_class"], (1, 31 / 33 / 2, 31 / 33 / 2)),
        (["mean_dice_literal"], (2, 31 / 35, 31 / 35)),
        (["ari", "ari_truth", "ari_union"], (1, 0, 0)),
        (["rand", "rand_mask"], (1, 1 - 4 * 31 / 595, 1 - 4 * 31 / 595)),
        (["abd", "abd_mom", "hd95", "coelho_hausdorff"], (math.nan, math.nan, math.nan)),
        (["object_hausdorff", "foreground_hausdorff", "foreground_hd95"], (0, math.hypot(5, 7), math.hypot(5, 7))),
        (["coelho_nsd"], (0, 1, 1)),
        (["f1_area_0"], (math.nan, 0, 0)),
    ],
)
def test_empty_maps(names, values):
    """Both maps empty; then only the truth; then only the prediction."""
    cases = [scores_of(*maps) for maps in ((NOTHING, NOTHING), (NOTHING, SQUARE), (SQUARE, NOTHING))]
    for name in names:
        assert [case[name] for case in cases] == pytest.approx(list(values), nan_ok=True), name


def test_adjusted_rand_of_one_cluster_on_both_sides():
    full = np.ones((3, 4), np.int32)
    assert {name: scores_of(full, full)[name] for name in ("ari", "ari_truth", "ari_union", "rand")} == dict.fromkeys(
        ("ari", "ari_truth", "ari_union", "rand"), 1
    )
    assert math.isnan(scores_of(full, full)["rand_jaccard"])


def test_point_detection_rules_out_before_it_assigns():
    truth = np.array([(10, 10), (20, 20), (30, 30)], float)
    predicted = np.array([(12, 10), (23, 24), (50, 50), (11, 11)], float)
    assert points.match_points(truth, predicted, 6) == (2, 2, 1, pytest.approx(math.sqrt(2) + 5))
    assert points.match_points(truth, predicted, 5).tp == 2
    assert points.match_points(truth, predicted, 4.999).tp == 1


def test_roc_auc_counts_ties_one_half():
    truth, scores = np.array([1, 1, 1, 0, 0, 0], bool), np.array([0.9, 0.6, 0.4, 0.6, 0.3, 0.1])
    assert classification.roc_auc(truth, scores) == pytest.approx(0.8333333333, abs=5e-11)
    assert classification.roc_auc(truth, scores) == 7.5 / 9
    assert math.isnan(classification.roc_auc(truth, scores, truth))


def test_recognition_rates():
    right = {"a": (4, 5), "b": (9, 10), "c": (1, 2)}
    patients = [name for name, (_, images) in right.items() for _ in range(images)]
    predicted = [word for good, images in right.values() for word in ["m"] * good + ["b"] * (images - good)]
    truth = ["m"] * 17
    assert classification.image_rate(truth, predicted) == pytest.approx(0.8235294118, abs=5e-11)
    assert classification.patient_rate(truth, predicted, patients) == pytest.approx(0.7333333333, abs=5e-11)
    assert classification.class_recalls(["m", "m", "b"], ["m", "b", "x"]) == {"m": 0.5, "b": 0.0}
