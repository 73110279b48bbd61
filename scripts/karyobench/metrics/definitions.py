"""Every score by name: its formula over the counts, which way is better, and its rule in one line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from karyobench.metrics import formulas
from karyobench.metrics.formulas import AREAS, Counts
from karyobench.metrics.thresholds import NINE, label

HIGHER, LOWER, ZERO = "higher", "lower", "zero"


@dataclass(frozen=True)
class Score:
    """A score. better: HIGHER, LOWER or near ZERO. of: counts to one value per image, NaN where it is undefined."""

    better: str
    rule: str
    of: Callable[[Counts], np.ndarray]


TOTALS = {
    "n_true": "truth objects",
    "n_pred": "predicted objects",
    "missed": "truth objects that lie in no predicted object and hold none (to lie in: with more than half the area)",
    "false": "predicted objects that lie in no truth object and hold none",
    "merges": "predicted objects in which two or more truth objects lie: under-segmentation",
    "splits": "truth objects in which two or more predicted objects lie: over-segmentation",
    "coelho_split": "truth objects that two or more predicted objects vote for, with most of their pixels",
    "coelho_merged": "predicted objects that two or more truth objects vote for",
    "coelho_added": "predicted objects that vote for the background",
    "coelho_missing": "truth objects that vote for the background",
    "boundary_pairs": "pairs over which abd, abd_mom and hd95 are means",
}
"""Columns of the counts that are told as they are, summed over images."""


def every_score(metrics: Mapping[str, Any]) -> dict[str, Score]:
    """All scores that counts at the thresholds of `metrics` (`iou_thresholds`, `f1_threshold`) give."""
    return overlap_scores(metrics) | _DISTANCES


def overlap_scores(metrics: Mapping[str, Any]) -> dict[str, Score]:
    """Those of `every_score` that need no distances: counts of maps too large for memory give them."""
    return {**_PIXELS, **_matches(metrics["f1_threshold"], metrics["iou_thresholds"]), **_OBJECTS, **_SIZES}


def _matches(threshold: float, over: list[float]) -> dict[str, Score]:
    at, least = f"IoU > {label(threshold)}", f"IoU >= {label(threshold)}"
    mean = f"mean of TP / (TP + FP + FN) over {len(over)} thresholds from {label(min(over))} to {label(max(over))}"
    scores = {
        "f1": Score(HIGHER, f"2 TP / (2 TP + FP + FN) of objects, {at}", _of(formulas.f1, threshold)),
        "f1_at_least": Score(HIGHER, f"the same, {least}, assigned", _of(formulas.f1, threshold, at_least=True)),
        "object_precision": Score(
            HIGHER, f"TP / (TP + FP) of objects, {at}", _of(formulas.object_precision, threshold)
        ),
        "object_recall": Score(HIGHER, f"TP / (TP + FN) of objects, {at}", _of(formulas.object_recall, threshold)),
        "ap": Score(HIGHER, f"{mean}, IoU above each", _of(formulas.average_precision, over)),
        "ap_at_least": Score(
            HIGHER, f"{mean}, IoU at least each", _of(formulas.average_precision, over, at_least=True)
        ),
    }
    if not set(NINE) <= set(over):
        return scores
    nine, least_nine = _of(formulas.average_precision, NINE), _of(formulas.average_precision, NINE, at_least=True)
    return scores | {
        "ap_t9": Score(HIGHER, "as ap, from 0.50 to 0.90, IoU above each", nine),
        "ap_t9_at_least": Score(HIGHER, "as ap, from 0.50 to 0.90, IoU at least each", least_nine),
    }


def _of(formula: Callable[..., np.ndarray], *options: Any, **named: Any) -> Callable[[Counts], np.ndarray]:
    """The formula with its options, which follow the counts."""
    return lambda counts: formula(counts, *options, **named)


def _surplus(counts: Counts) -> np.ndarray:
    return np.asarray(counts["n_pred"], float) - np.asarray(counts["n_true"], float)


def _pair_mean(total: str, pairs: str) -> Callable[[Counts], np.ndarray]:
    return partial(formulas.per_pair, total=total, pairs=pairs)


_PIXELS = {
    "pixel_accuracy": Score(HIGHER, "(TP + TN) / all pixels", formulas.pixel_accuracy),
    "mean_accuracy": Score(HIGHER, "class mean of recall", formulas.mean_accuracy),
    "mean_iu": Score(HIGHER, "class mean of intersection over union; MIOU", formulas.mean_iu),
    "precision": Score(HIGHER, "TP / (TP + FP) of the foreground", formulas.precision),
    "recall": Score(HIGHER, "TP / (TP + FN) of the foreground; sensitivity", formulas.recall),
    "specificity": Score(HIGHER, "TN / (TN + FP)", formulas.specificity),
    "mpa_precision": Score(HIGHER, "class mean of precision", formulas.mean_precision),
    "mpa_recall": Score(HIGHER, "class mean of recall; equals mean_accuracy", formulas.mean_accuracy),
    "dice": Score(HIGHER, "2 TP / (2 TP + FP + FN) of the foreground", formulas.dice),
    "dice_two_class": Score(HIGHER, "class mean of Dice", formulas.mean_dice),
    "mean_dice_literal": Score(
        HIGHER, "class mean of 2 intersection / union, 0 to 2", lambda c: 2 * formulas.mean_iu(c)
    ),
    "jaccard": Score(HIGHER, "TP / (TP + FP + FN) of the foreground", formulas.jaccard),
}

_OBJECTS = {
    "pq": Score(HIGHER, "dq times sq", formulas.panoptic_quality),
    "sq": Score(HIGHER, "mean IoU of the pairs with IoU > 0.50", formulas.segmentation_quality),
    "dq": Score(HIGHER, "F1 of objects, IoU > 0.50", _of(formulas.f1, 0.5)),
    "pq_at_least": Score(HIGHER, "pq with IoU >= 0.50, assigned", _of(formulas.panoptic_quality, at_least=True)),
    "aji": Score(HIGHER, "official: best partner of each truth object, which may serve several", formulas.aggregated),
    "aji_plus": Score(HIGHER, "over the assignment with the largest summed IoU", _of(formulas.aggregated, "aji_plus")),
    "aji_0.50": Score(HIGHER, "official, partners with IoU > 0.50", _of(formulas.aggregated, "aji", "@0.50")),
    "aji_0.50_at_least": Score(
        HIGHER, "official, partners with IoU >= 0.50", _of(formulas.aggregated, "aji", ">=0.50")
    ),
    "object_dice": Score(
        HIGHER, "GlaS: area-weighted Dice with the largest overlap, of both sides", formulas.object_dice
    ),
    "glas_f1": Score(HIGHER, "GlaS: a detection covers half or more of the truth it overlaps most", formulas.glas_f1),
    "count_error": Score(LOWER, "|predicted objects - truth objects|", lambda counts: np.abs(_surplus(counts))),
    "count_bias": Score(ZERO, "predicted objects - truth objects", _surplus),
    "ari": Score(HIGHER, "adjusted Rand index of all pixels, background one cluster", formulas.adjusted_rand),
    "ari_truth": Score(
        HIGHER, "adjusted Rand index of the truth's foreground", _of(formulas.adjusted_rand_of_foreground, "@truth")
    ),
    "ari_union": Score(
        HIGHER, "adjusted Rand index of both foregrounds", _of(formulas.adjusted_rand_of_foreground, "@union")
    ),
    "rand": Score(HIGHER, "Rand index of the label maps", lambda c: formulas.rand(formulas.label_pairs(c))),
    "rand_mask": Score(HIGHER, "Rand index of the foregrounds", lambda c: formulas.rand(formulas.mask_pairs(c))),
    "rand_jaccard": Score(
        HIGHER,
        "Coelho: (a + d) / (b + c + d) of the label maps",
        lambda c: formulas.rand_jaccard(formulas.label_pairs(c)),
    ),
    "rand_jaccard_mask": Score(
        HIGHER,
        "Coelho: (a + d) / (b + c + d) of the foregrounds",
        lambda c: formulas.rand_jaccard(formulas.mask_pairs(c)),
    ),
}

_SIZES = {
    f"f1_area_{least}": Score(HIGHER, f"F1, IoU > 0.50, of objects of {told} pixels", _of(formulas.area_f1, least))
    for least, told in zip(
        AREAS, (*(f"{a} to {b - 1}" for a, b in pairwise(AREAS)), f"{AREAS[-1]} or more"), strict=True
    )
}

_DISTANCES = {
    "abd": Score(LOWER, "mean distance between the boundaries of the pairs", _pair_mean("abd_sum", "boundary_pairs")),
    "abd_mom": Score(LOWER, "the same, mean of the two sides' means", _pair_mean("abd_mom_sum", "boundary_pairs")),
    "hd95": Score(LOWER, "95% Hausdorff distance of the pairs", _pair_mean("hd95_sum", "boundary_pairs")),
    "object_hausdorff": Score(
        LOWER, "GlaS: area-weighted, with the largest overlap, both sides", formulas.object_hausdorff
    ),
    "foreground_hausdorff": Score(LOWER, "between the foregrounds", lambda c: np.asarray(c["foreground_hausdorff"])),
    "foreground_hd95": Score(LOWER, "95% one, between the foregrounds", lambda c: np.asarray(c["foreground_hd95"])),
    "coelho_nsd": Score(LOWER, "normalised sum of distances, predicted objects", formulas.normalised_distances),
    "coelho_hausdorff": Score(
        LOWER,
        "largest distance of a mismatch to the truth's border",
        _pair_mean("coelho_hausdorff_sum", "coelho_pairs"),
    ),
}
