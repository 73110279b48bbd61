"""The counts of objects against slow twins written out over sets of pixels, on random small maps."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.metrics import mistakes, objects
from karyobench.metrics.contingency import contingency
from karyobench.metrics.counts import count_table
from karyobench.metrics.definitions import every_score
from karyobench.metrics.formulas import AREAS
from karyobench.metrics.sizes import area_counts

METRICS = {"iou_thresholds": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95], "f1_threshold": 0.5}
LABELS = st.sampled_from([0, 0, 1, 2, 5, 2**31 - 1])


def blocky(shape):
    """Random label maps of that shape, coarse enough to hold large overlaps."""
    return hnp.arrays(np.int32, shape, elements=LABELS, fill=st.just(0) | st.just(2))


def near(maps):
    """A prediction that is the truth but for a few pixels: many high IoU values."""
    truth, noise = maps
    return truth, np.where(noise == 5, noise, truth)


MAP_PAIRS = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6).flatmap(
    lambda shape: st.tuples(blocky(shape), blocky(shape))
)
MAP_PAIRS = MAP_PAIRS | MAP_PAIRS.map(near)


def pixel_sets(label_map):
    """Pixel sets of the objects, by ascending label."""
    return [set(map(tuple, np.argwhere(label_map == v))) for v in sorted(set(label_map.ravel().tolist()) - {0})]


def iou(g, s):
    return Fraction(len(g & s), len(g | s))


def ratio(a, b, undefined):
    return float(Fraction(a) / Fraction(b)) if b else undefined


def assignments(n_true, n_pred):
    """Every one-to-one assignment of some truth objects to predicted ones."""
    for size in range(min(n_true, n_pred) + 1):
        for rows in itertools.combinations(range(n_true), size):
            for columns in itertools.permutations(range(n_pred), size):
                yield list(zip(rows, columns, strict=True))


def scores_of(maps, names):
    counts = {name: np.atleast_1d(n) for name, n in count_table(contingency(*maps), METRICS["iou_thresholds"]).items()}
    return {name: every_score(METRICS)[name].of(counts)[0] for name in names}


@settings(max_examples=150)
@given(MAP_PAIRS, st.integers(1, 19), st.booleans())
def test_matches_at_any_threshold(maps, twentieths, at_least):
    truth, predicted = (pixel_sets(label_map) for label_map in maps)
    limit, best = Fraction(twentieths, 20), (0, Fraction(0))
    for pairs in assignments(len(truth), len(predicted)):
        values = [iou(truth[i], predicted[j]) for i, j in pairs]
        if all(v >= limit if at_least else v > limit for v in values):
            best = max(best, (len(values), sum(values, Fraction(0))))
    tp, fp, fn, summed = objects.match_counts(contingency(*maps), twentieths / 20, at_least)
    assert (tp, tp + fp, tp + fn) == (best[0], len(predicted), len(truth))
    assert summed == pytest.approx(float(best[1]))


@settings(max_examples=150)
@given(MAP_PAIRS)
def test_aji_plus_is_of_an_assignment_with_the_largest_summed_iou(maps):
    truth, predicted = (pixel_sets(label_map) for label_map in maps)
    best, possible = Fraction(0), set()
    for pairs in assignments(len(truth), len(predicted)):
        values = [iou(truth[i], predicted[j]) for i, j in pairs]
        if all(values) and sum(values, Fraction(0)) >= best:
            possible = possible if sum(values, Fraction(0)) == best else set()
            best = sum(values, Fraction(0))
            used = [set(side) for side in zip(*pairs, strict=True)] or [set(), set()]
            alone = sum(len(g) for i, g in enumerate(truth) if i not in used[0])
            alone += sum(len(s) for j, s in enumerate(predicted) if j not in used[1])
            inter = sum(len(truth[i] & predicted[j]) for i, j in pairs)
            possible.add((inter, sum(len(truth[i] | predicted[j]) for i, j in pairs) + alone))
    assert objects.aji_plus_counts(contingency(*maps)) in possible


@settings(max_examples=100)
@given(MAP_PAIRS, st.integers(1, 19), st.booleans())
def test_aji_with_a_threshold(maps, twentieths, at_least):
    truth, predicted = (pixel_sets(label_map) for label_map in maps)
    inter, union, used, limit = 0, 0, set(), Fraction(twentieths, 20)
    for g in truth:
        best, found = Fraction(0), None
        for number, s in enumerate(predicted):
            if iou(g, s) > best:
                best, found = iou(g, s), number
        if found is None or not (best >= limit if at_least else best > limit):
            union += len(g)
        else:
            inter, union, used = inter + len(g & predicted[found]), union + len(g | predicted[found]), used | {found}
    union += sum(len(s) for number, s in enumerate(predicted) if number not in used)
    assert objects.aji_counts(contingency(*maps), twentieths / 20, at_least) == (inter, union)


def largest_overlap(one, others):
    """Number of the object that shares most pixels, the lowest on ties; None if none shares any."""
    shared = [len(one & other) for other in others]
    return shared.index(max(shared)) if any(shared) else None


@settings(max_examples=100)
@given(MAP_PAIRS)
def test_object_dice_and_glas_f1(maps):
    sides = [pixel_sets(label_map) for label_map in maps]
    halves = []
    for own, other in (sides, sides[::-1]):
        partners = [largest_overlap(one, other) for one in own]
        dice = [
            0 if p is None else Fraction(2 * len(o & other[p]), len(o) + len(other[p]))
            for o, p in zip(own, partners, strict=True)
        ]
        halves.append(
            sum((len(o) * d for o, d in zip(own, dice, strict=True)), Fraction(0)) / max(sum(map(len, own)), 1)
        )
    truth, predicted = sides
    partners = [largest_overlap(s, truth) for s in predicted]
    hit = {
        p for s, p in zip(predicted, partners, strict=True) if p is not None and 2 * len(s & truth[p]) >= len(truth[p])
    }
    neither = not (truth or predicted)
    scores = scores_of(maps, ["object_dice", "glas_f1"])
    assert scores["object_dice"] == pytest.approx(1 if neither else float(sum(halves) / 2))
    assert scores["glas_f1"] == ratio(2 * len(hit), len(truth) + len(predicted), 1)


@settings(max_examples=150)
@given(MAP_PAIRS)
def test_kinds_of_errors(maps):
    truth, predicted = (pixel_sets(label_map) for label_map in maps)
    lies = [(i, j) for i, g in enumerate(truth) for j, s in enumerate(predicted) if 2 * len(g & s) > len(g)]
    holds = [(i, j) for i, g in enumerate(truth) for j, s in enumerate(predicted) if 2 * len(g & s) > len(s)]
    found = mistakes.mistakes(contingency(*maps))
    merging = {j for j in range(len(predicted)) if sum(q == j for _, q in lies) > 1}
    split = {i for i in range(len(truth)) if sum(p == i for p, _ in holds) > 1}
    kinds = {
        "missed": {i for i in range(len(truth)) if all(p != i for p, _ in lies + holds)},
        "false": {j for j in range(len(predicted)) if all(q != j for _, q in lies + holds)},
        "merging": merging,
        "merged": {i for i, j in lies if j in merging},
        "split": split,
        "fragment": {j for i, j in holds if i in split},
    }
    for name, expected in kinds.items():
        assert set((np.flatnonzero(getattr(found, name)) - 1).tolist()) == expected, name
    counts = (len(kinds[name]) for name in ("missed", "false", "merging", "split"))
    assert mistakes.mistake_counts(contingency(*maps)) == tuple(counts)


@settings(max_examples=100)
@given(MAP_PAIRS)
def test_votes_of_coelho(maps):
    def votes(own, other):
        voted = []
        for value in sorted(set(own.ravel().tolist()) - {0}):
            labels = other[own == value].tolist()
            voted.append(min(set(labels), key=lambda label: (-labels.count(label), label)))
        return voted

    of_truth, of_predicted = votes(*maps), votes(*maps[::-1])
    split = sum(of_predicted.count(label) > 1 for label in set(of_predicted) - {0})
    merged = sum(of_truth.count(label) > 1 for label in set(of_truth) - {0})
    expected = (split, merged, of_predicted.count(0), of_truth.count(0))
    assert mistakes.coelho_counts(contingency(*maps)) == expected


@settings(max_examples=60)
@given(MAP_PAIRS)
def test_matches_by_area(maps):
    truth, predicted = (pixel_sets(np.kron(label_map, np.ones((9, 9), int))) for label_map in maps)
    told = area_counts(contingency(*(np.kron(label_map, np.ones((9, 9), label_map.dtype)) for label_map in maps)))
    matched = [(g, s) for g in map(frozenset, truth) for s in map(frozenset, predicted) if iou(g, s) > Fraction(1, 2)]
    found, right = {g for g, _ in matched}, {s for _, s in matched}
    for least, end in itertools.pairwise([*AREAS, math.inf]):
        sized = [[frozenset(o) for o in side if least <= len(o) < end] for side in (truth, predicted)]
        expected = {
            "tp": sum(g in found for g in sized[0]),
            "fn": sum(g not in found for g in sized[0]),
            "fp": sum(s not in right for s in sized[1]),
        }
        assert {name: told[f"area_{least}_{name}"] for name in expected} == expected
