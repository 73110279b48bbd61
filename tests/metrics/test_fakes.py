"""The permanent fakes, whose scores are known in closed form: truth, empty, shifted, merged and split predictions."""

import math

import numpy as np
import pytest

from karyobench.metrics.boundary import count_boundaries
from karyobench.metrics.counts import count_image
from karyobench.metrics.definitions import HIGHER, LOWER, every_score
from karyobench.metrics.scores import all_scores, thresholds
from karyobench.metrics.thresholds import TEN

METRICS = {"iou_thresholds": list(TEN), "f1_threshold": 0.5}
SIDE, GAP, COUNT = 8, 8, 9


def squares():
    """Nine squares, as far apart as they are wide."""
    made = np.zeros((152, 152), np.int32)
    for number in range(COUNT):
        r, c = (GAP + k * 48 for k in divmod(number, 3))
        made[r : r + SIDE, c : c + SIDE] = number + 1
    return made


def scores_of(truth, predicted):
    counts = count_image(truth, predicted, thresholds(METRICS)) | count_boundaries(truth, predicted)
    return all_scores(counts, METRICS) | {name: counts[name] for name in ("missed", "false", "merges", "splits")}


@pytest.mark.parametrize("name", every_score(METRICS))
def test_truth_is_perfect(name):
    scores = scores_of(squares(), squares())
    score = every_score(METRICS)[name]
    if name.startswith("f1_area"):
        assert scores[name] == 1 if name == "f1_area_64" else math.isnan(scores[name])
    elif "jaccard_mask" in name or name == "rand_jaccard":
        assert scores[name] > 1
    else:
        assert scores[name] == {HIGHER: 1, LOWER: 0}.get(score.better, 0) * (2 if name == "mean_dice_literal" else 1)


def test_empty_finds_nothing():
    scores = scores_of(squares(), None)
    zero = ("f1", "f1_at_least", "ap", "pq", "aji", "aji_plus", "object_dice", "glas_f1", "ari", "ari_truth", "recall")
    assert {scores[name] for name in zero} == {0.0}
    assert (scores["missed"], scores["false"], scores["merges"], scores["splits"]) == (COUNT, 0, 0, 0)
    assert scores["count_bias"] == -COUNT
    assert scores["object_hausdorff"] == scores["foreground_hausdorff"] == math.hypot(152, 152)
    assert scores["coelho_nsd"] == 1
    assert math.isnan(scores["abd"])


@pytest.mark.parametrize("shift", [1, 2, 3, 4])
def test_shifted_squares(shift):
    scores = scores_of(squares(), np.roll(squares(), shift, axis=0))
    kept = SIDE - shift
    iou = kept / (SIDE + shift)
    assert scores["aji"] == scores["aji_plus"] == pytest.approx(iou)
    assert scores["aji_0.50"] == pytest.approx(iou if iou > 0.5 else 0)
    assert scores["object_dice"] == pytest.approx(kept / SIDE)
    assert scores["f1"] == (iou > 0.5)
    assert scores["glas_f1"] == (2 * kept >= SIDE)
    assert scores["object_hausdorff"] == scores["foreground_hausdorff"] == shift
    # At a shift of half the side no object lies in another by more than half, and the background wins the votes.
    most = 2 * kept > SIDE
    assert (scores["missed"], scores["merges"], scores["splits"]) == (0 if most else COUNT, 0, 0)
    assert scores["coelho_hausdorff"] == pytest.approx(shift if most else math.nan, nan_ok=True)
    assert scores["hd95"] == shift
    assert scores["abd"] == pytest.approx(scores["abd_mom"])


def test_merged_pairs_of_equal_touching_squares():
    truth = np.kron(np.arange(1, 9, dtype=np.int32).reshape(2, 4), np.ones((6, 6), np.int32))
    scores = scores_of(truth, (truth + 1) // 2)
    assert scores["aji"] == 0.5
    assert scores["aji_plus"] == pytest.approx(4 * 36 / (4 * 72 + 4 * 36))
    assert scores["f1"] == scores["aji_0.50"] == 0
    assert scores["f1_at_least"] == pytest.approx(2 * 4 / (8 + 4))
    assert scores["aji_0.50_at_least"] == 0.5
    assert scores["object_dice"] == pytest.approx(2 / 3)
    assert scores["glas_f1"] == pytest.approx(2 * 4 / (8 + 4))
    assert (scores["missed"], scores["false"], scores["merges"], scores["splits"]) == (0, 0, 4, 0)
    assert scores["count_bias"] == -4
    # Both of a merged pair are six columns wide: the far column of one lies six from the other.
    assert scores["object_hausdorff"] == 6


def test_split_halves():
    truth = squares()
    right = np.arange(truth.shape[1]) % 48 >= GAP + SIDE // 2
    scores = scores_of(truth, np.where(truth > 0, 2 * truth - right, 0).astype(np.int32))
    half = SIDE * SIDE / 2
    assert scores["aji"] == scores["aji_plus"] == pytest.approx(half / (SIDE * SIDE + half))
    assert scores["f1"] == 0
    assert scores["f1_at_least"] == pytest.approx(2 / 3)
    assert scores["object_dice"] == pytest.approx(2 / 3)
    assert scores["glas_f1"] == pytest.approx(2 / 3)
    assert (scores["missed"], scores["false"], scores["merges"], scores["splits"]) == (0, 0, 0, COUNT)
    assert scores["count_error"] == COUNT
    assert scores["object_hausdorff"] == SIDE / 2
    assert scores["dice"] == scores["pixel_accuracy"] == 1
