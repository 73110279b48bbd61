"""Points, recognition rates and ROC AUC against slow twins, and their refusals."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.errors import KaryobenchError
from karyobench.metrics.classification import class_recalls, image_rate, patient_rate, roc_auc
from karyobench.metrics.points import centres, match_points

# A coarse grid, so that distances tie and equal the radius.
POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=5).map(
    lambda points: np.array(points, float).reshape(-1, 2)
)
WORDS = st.sampled_from("abc")


@settings(max_examples=200)
@given(POINTS, POINTS, st.sampled_from([1, math.sqrt(2), 2, 2.5, 5]))
def test_points_match_as_many_as_possible_and_then_as_near(truth, predicted, radius):
    best = (0, 0.0)
    for size in range(min(len(truth), len(predicted)) + 1):
        for rows in itertools.combinations(range(len(truth)), size):
            for columns in itertools.permutations(range(len(predicted)), size):
                apart = [math.dist(truth[i], predicted[j]) for i, j in zip(rows, columns, strict=True)]
                if all(distance <= radius for distance in apart):
                    best = max(best, (size, -sum(apart)))
    tp, fp, fn, distance = match_points(truth, predicted, radius)
    assert (tp, tp + fp, tp + fn) == (best[0], len(predicted), len(truth))
    assert distance == pytest.approx(-best[1])


@settings(max_examples=50)
@given(hnp.arrays(np.int32, (5, 6), elements=st.sampled_from([0, 0, 3, 7])))
def test_centres(labels):
    expected = [np.argwhere(labels == label).mean(axis=0).tolist() for label in (3, 7) if (labels == label).any()]
    assert centres(labels) == pytest.approx(np.array(expected).reshape(-1, 2))


@pytest.mark.parametrize(
    ("truth", "radius", "words"),
    [
        (np.zeros((3, 3)), 1, "truth: points must be"),
        (np.zeros(4), 1, "points must be"),
        (np.zeros((1, 2)), 0, "radius 0"),
    ],
)
def test_what_is_no_point_is_refused(truth, radius, words):
    with pytest.raises(KaryobenchError, match=words):
        match_points(truth, np.zeros((1, 2)), radius)


SCORED = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        hnp.arrays(bool, n),
        hnp.arrays(float, n, elements=st.sampled_from([0, 0.25, 0.5, 1])),
        hnp.arrays(bool, n),
    )
)


@settings(max_examples=200)
@given(SCORED)
def test_roc_auc_over_all_pairs(drawn):
    truth, scores, where = drawn
    positive, negative = scores[truth & where].tolist(), scores[~truth & where].tolist()
    wins = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    expected = sum(wins) / len(wins) if wins else math.nan
    assert roc_auc(truth, scores, where) == pytest.approx(expected, nan_ok=True)
    assert roc_auc(truth, scores * 3 - 1, where) == pytest.approx(expected, nan_ok=True)


def test_roc_auc_refusals():
    with pytest.raises(KaryobenchError, match=r"shapes differ \(truth \(2,\), scores \(3,\)\)"):
        roc_auc(np.zeros(2, bool), np.zeros(3))
    with pytest.raises(KaryobenchError, match="not a number"):
        roc_auc(np.array([True, False]), np.array([np.nan, 0]))
    assert roc_auc(np.array([True, False, True]), np.array([1, 0, np.nan]), np.array([1, 1, 0])) == 1


@settings(max_examples=100)
@given(st.lists(st.tuples(WORDS, WORDS, st.integers(0, 3)), min_size=1, max_size=12))
def test_recognition_rates(rows):
    truth, predicted, patients = zip(*rows, strict=True)

    def rate(kept):
        return sum(t == p for t, p, _ in kept) / len(kept)

    assert image_rate(truth, predicted) == pytest.approx(rate(rows))
    by_patient = [rate([row for row in rows if row[2] == patient]) for patient in set(patients)]
    assert patient_rate(truth, predicted, patients) == pytest.approx(sum(by_patient) / len(by_patient))
    recalls = {word: rate([row for row in rows if row[0] == word]) for word in sorted(set(truth))}
    assert class_recalls(truth, predicted) == pytest.approx(recalls)


def test_recognition_refusals():
    with pytest.raises(KaryobenchError, match="0 true and 0 predicted"):
        image_rate([], [])
    with pytest.raises(KaryobenchError, match="2 true and 1 predicted"):
        class_recalls(["a", "b"], ["a"])
    with pytest.raises(KaryobenchError, match="1 patients for 2 images"):
        patient_rate(["a", "b"], ["a", "b"], ["p"])
