"""Every score against a slow twin written out over sets of pixels, on random small maps; and closed forms."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.metrics import contingency as module
from karyobench.metrics.contingency import contingency
from karyobench.metrics.counts import count_image
from karyobench.metrics.scores import SCORES, image_scores, thresholds

METRICS = {"iou_thresholds": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95], "f1_threshold": 0.6}
# Gaps and a label near the limit; few labels, so that large overlaps, ties and empty maps all occur.
LABELS = st.sampled_from([0, 0, 1, 2, 5, 2**31 - 1])


def blocky(shape):
    """Random label maps of that shape, coarse enough to hold overlaps above 0.5."""
    return hnp.arrays(np.int32, shape, elements=LABELS, fill=st.just(0) | st.just(2))


MAP_PAIRS = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6).flatmap(
    lambda shape: st.tuples(blocky(shape), blocky(shape))
)


def near(maps):
    """A prediction that is the truth but for a few pixels: many high IoU values."""
    truth, noise = maps
    return truth, np.where(noise == 5, noise, truth)


def objects(label_map):
    """Pixel sets of the objects, by ascending label."""
    return [set(map(tuple, np.argwhere(label_map == v))) for v in sorted(set(label_map.ravel().tolist()) - {0})]


def ratio(a, b, undefined):
    return Fraction(a) / b if b else undefined


def slow_f1(truth, predicted, threshold):
    hits = slow_matches(truth, predicted, threshold)
    return ratio(2 * len(hits), len(truth) + len(predicted), 1)


def slow_matches(truth, predicted, threshold):
    iou = [Fraction(len(g & s), len(g | s)) for g in truth for s in predicted]
    return [v for v in iou if v > threshold]


def slow_ap(truth, predicted):
    values = []
    for k in range(10, 20):
        hits = len(slow_matches(truth, predicted, Fraction(k, 20)))
        values.append(ratio(hits, len(truth) + len(predicted) - hits, 1))
    return sum(values) / 10


def slow_aji(truth, predicted):
    inter, union, used = 0, 0, set()
    for g in truth:
        best, found = Fraction(0), None
        for number, s in enumerate(predicted):
            if Fraction(len(g & s), len(g | s)) > best:
                best, found = Fraction(len(g & s), len(g | s)), number
        inter += 0 if found is None else len(g & predicted[found])
        union += len(g if found is None else g | predicted[found])
        used |= {found}
    union += sum(len(s) for number, s in enumerate(predicted) if number not in used)
    return ratio(inter, union, 1)


def slow_pixels(truth_map, predicted_map):
    g, s = truth_map > 0, predicted_map > 0
    accuracy = Fraction(int((g == s).sum()), g.size)
    ious = [ratio(int((a & b).sum()), int((a | b).sum()), None) for a, b in ((g, s), (~g, ~s))]
    ious = [v for v in ious if v is not None]
    dice = ratio(2 * int((g & s).sum()), int(g.sum() + s.sum()), 1)
    return accuracy, sum(ious) / len(ious), dice


def slow_scores(truth_map, predicted_map):
    truth, predicted = objects(truth_map), objects(predicted_map)
    accuracy, mean_iu, dice = slow_pixels(truth_map, predicted_map)
    hits = slow_matches(truth, predicted, Fraction(1, 2))
    sq = ratio(sum(hits), len(hits), 0 if truth or predicted else 1)
    dq = slow_f1(truth, predicted, Fraction(1, 2))
    f1 = slow_f1(truth, predicted, Fraction(3, 5))
    made = {"pixel_accuracy": accuracy, "mean_iu": mean_iu, "dice": dice, "f1": f1, "sq": sq, "dq": dq}
    made |= {"aji": slow_aji(truth, predicted), "ap": slow_ap(truth, predicted), "pq": sq * dq}
    return {name: float(value) for name, value in made.items()}


def fast_scores(truth, predicted):
    counts = pd.DataFrame([count_image(truth, predicted, thresholds(METRICS))])
    return image_scores(counts, METRICS).iloc[0].to_dict()


@settings(max_examples=150, deadline=None)
@given(MAP_PAIRS | MAP_PAIRS.map(near))
def test_every_score_equals_its_twin(maps):
    assert fast_scores(*maps) == pytest.approx(slow_scores(*maps), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(MAP_PAIRS, st.integers(1, 9))
def test_table_does_not_depend_on_the_bands(maps, band):
    whole = contingency(*maps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BAND_PIXELS", band)
        banded = contingency(*maps)
    for name in ("truth", "predicted", "pixels"):
        assert getattr(whole, name).tolist() == getattr(banded, name).tolist()
    assert whole.pixels.sum() == maps[0].size


@settings(max_examples=50, deadline=None)
@given(MAP_PAIRS, st.permutations([1, 2, 3, 4]))
def test_renaming_truth_labels_changes_no_score(maps, names):
    truth, predicted = maps
    renamed = np.zeros_like(truth)
    for old, new in zip([1, 2, 5, 2**31 - 1], names, strict=True):
        renamed[truth == old] = new
    assert fast_scores(renamed, predicted) == fast_scores(truth, predicted)


def squares(side, gap, n=3):
    """N x n squares of that side, with that many pixels between them and around them."""
    made = np.zeros((n * (side + gap) + gap,) * 2, np.int32)
    for number in range(n * n):
        r, c = (gap + k * (side + gap) for k in divmod(number, n))
        made[r : r + side, c : c + side] = number + 1
    return made


def test_truth_as_prediction_scores_one():
    truth = squares(5, 2)
    assert fast_scores(truth, truth) == dict.fromkeys(SCORES, 1.0)


def test_empty_prediction_scores_zero_for_objects():
    scores = fast_scores(squares(5, 2), np.zeros((23, 23), np.int32))
    assert {scores[name] for name in ("dice", "f1", "aji", "ap", "pq", "sq", "dq")} == {0.0}
    assert scores["pixel_accuracy"] == pytest.approx(1 - 9 * 25 / 23**2)


@pytest.mark.parametrize(("side", "shift"), [(6, 1), (8, 2), (9, 3), (12, 3)])
def test_shifted_squares(side, shift):
    truth = squares(side, side)
    scores = fast_scores(truth, np.roll(truth, shift, axis=0))
    iou = Fraction(side - shift, side + shift)
    hit = {t: float(iou > Fraction(str(t))) for t in METRICS["iou_thresholds"]}
    assert scores["aji"] == pytest.approx(float(iou))
    assert scores["f1"] == hit[0.6]
    assert scores["ap"] == pytest.approx(np.mean(list(hit.values())))
    assert scores["pq"] == pytest.approx(float(iou) * hit[0.5])


def test_merged_pairs_of_equal_touching_squares():
    truth = np.kron(np.arange(1, 9, dtype=np.int32).reshape(2, 4), np.ones((5, 5), np.int32))
    scores = fast_scores(truth, (truth + 1) // 2)
    assert scores["aji"] == 0.5
    assert {scores[name] for name in ("f1", "ap", "pq", "sq", "dq")} == {0.0}


def test_split_halves():
    truth = squares(6, 2)
    right = np.arange(truth.shape[1]) % 8 >= 5
    scores = fast_scores(truth, np.where(truth > 0, 2 * truth - right, 0).astype(np.int32))
    assert scores["aji"] == pytest.approx(1 / 3)
    assert {scores[name] for name in ("f1", "ap", "pq", "sq", "dq")} == {0.0}
