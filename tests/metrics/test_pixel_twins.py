"""The scores of pixels and pairs of pixels against slow twins that go over every one, on random small maps."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.metrics.contingency import contingency
from karyobench.metrics.counts import count_table
from karyobench.metrics.definitions import every_score

METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5}
MAP_PAIRS = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.int32, shape, elements=st.sampled_from([0, 0, 1, 2, 5]))] * 2)
)


def ratio(a, b, undefined):
    return float(Fraction(a) / Fraction(b)) if b else undefined


def scores_of(maps, names):
    counts = {name: np.atleast_1d(n) for name, n in count_table(contingency(*maps), [0.5]).items()}
    return {name: every_score(METRICS)[name].of(counts)[0] for name in names}


@settings(max_examples=60)
@given(MAP_PAIRS)
def test_pixel_pairs(maps):
    truth, predicted = (label_map.ravel().tolist() for label_map in maps)
    kept = {
        "": range(len(truth)),
        "@truth": [k for k, g in enumerate(truth) if g],
        "@union": [k for k in range(len(truth)) if truth[k] or predicted[k]],
    }
    counts = count_table(contingency(*maps), [0.5])
    for suffix, pixels in kept.items():
        pairs = list(itertools.combinations(pixels, 2))
        a = sum(truth[i] == truth[j] for i, j in pairs)
        b = sum(predicted[i] == predicted[j] for i, j in pairs)
        both = sum(truth[i] == truth[j] and predicted[i] == predicted[j] for i, j in pairs)
        told = [counts[f"pixel_pairs_{name}{suffix}"] for name in ("both", "truth", "predicted", "all", "chance")]
        assert told == [both, a, b, len(pairs), float(Fraction(a * b, max(len(pairs), 1)))]


@settings(max_examples=60)
@given(MAP_PAIRS)
def test_rand_indices(maps):
    names = ("rand", "rand_jaccard", "rand_mask", "rand_jaccard_mask")
    told = scores_of(maps, names)
    for suffix, (truth, predicted) in (("", maps), ("_mask", [label_map > 0 for label_map in maps])):
        pixels = list(zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True))
        pairs = [(g == h, s == t) for (g, s), (h, t) in itertools.combinations(pixels, 2)]
        agree, both = sum(x == y for x, y in pairs), sum(x and y for x, y in pairs)
        assert told[f"rand{suffix}"] == pytest.approx(ratio(agree, len(pairs), 1))
        expected = ratio(agree, len(pairs) - both, math.nan)
        assert told[f"rand_jaccard{suffix}"] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=100)
@given(MAP_PAIRS)
def test_class_means_of_pixels(maps):
    g, s = (label_map > 0 for label_map in maps)
    names = ("mean_accuracy", "mpa_precision", "mpa_recall", "dice_two_class", "mean_dice_literal", "precision")
    told = scores_of(maps, [*names, "recall", "specificity", "jaccard"])
    recalls, precisions, dices, ious = [], [], [], []
    for a, b in ((g, s), (~g, ~s)):
        inter, true, pred, union = (int(m.sum()) for m in (a & b, a, b, a | b))
        recalls.append(ratio(inter, true, math.nan))
        precisions.append(ratio(inter, pred, 0 if true else math.nan))
        dices.append(ratio(2 * inter, true + pred, math.nan))
        ious.append(ratio(inter, union, math.nan))
    expected = {
        "mean_accuracy": np.nanmean(recalls),
        "mpa_recall": np.nanmean(recalls),
        "mpa_precision": np.nanmean(precisions),
        "dice_two_class": np.nanmean(dices),
        "mean_dice_literal": 2 * np.nanmean(ious),
        "precision": precisions[0],
        "recall": recalls[0],
        "specificity": recalls[1],
        "jaccard": 1 if math.isnan(ious[0]) else ious[0],
    }
    assert told == pytest.approx(expected, nan_ok=True)
