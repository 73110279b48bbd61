"""Formulas of the scores over sufficient counts: arrays in, one value per image, by the column names of `counts.py`."""

from collections.abc import Iterable, Mapping

import numpy as np

from karyobench.metrics.thresholds import column

Counts = Mapping[str, np.ndarray]

AREAS = (0, 64, 256, 1024, 4096)
"""Lower ends, in pixels, of the classes of area by which objects are counted apart."""


def ratio(numerator: np.ndarray, denominator: np.ndarray, undefined: float | np.ndarray) -> np.ndarray:
    """Quotient as float64, with `undefined` where the denominator is 0."""
    below = np.asarray(denominator, float)
    made = np.full(below.shape, undefined, float)
    return np.divide(np.asarray(numerator, float), below, out=made, where=below != 0)


def confusion(counts: Counts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels tp, fp, fn, tn."""
    return tuple(np.asarray(counts[f"pixel_{name}"]) for name in ("tp", "fp", "fn", "tn"))


def class_mean(of_nuclei: np.ndarray, of_background: np.ndarray) -> np.ndarray:
    """Mean over the two classes, without those that are undefined (NaN)."""
    return np.nanmean([of_nuclei, of_background], axis=0)


def pixel_accuracy(counts: Counts) -> np.ndarray:
    """Share of pixels that are right."""
    tp, fp, fn, tn = confusion(counts)
    return ratio(tp + tn, tp + fp + fn + tn, 1)


def mean_iu(counts: Counts) -> np.ndarray:
    """Class mean of intersection over union; a class that neither map has is left out."""
    tp, fp, fn, tn = confusion(counts)
    return class_mean(ratio(tp, tp + fp + fn, np.nan), ratio(tn, tn + fp + fn, np.nan))


def mean_accuracy(counts: Counts) -> np.ndarray:
    """Class mean of recall; a class that the truth lacks is left out."""
    return class_mean(recall(counts), specificity(counts))


def mean_precision(counts: Counts) -> np.ndarray:
    """Class mean of precision; 0 for a class that the prediction alone lacks, left out where both maps do."""
    _, fp, fn, tn = confusion(counts)
    return class_mean(precision(counts), ratio(tn, tn + fn, np.where(fp > 0, 0, np.nan)))


def mean_dice(counts: Counts) -> np.ndarray:
    """Class mean of Dice; a class that neither map has is left out."""
    tp, fp, fn, tn = confusion(counts)
    return class_mean(ratio(2 * tp, 2 * tp + fp + fn, np.nan), ratio(2 * tn, 2 * tn + fp + fn, np.nan))


def precision(counts: Counts) -> np.ndarray:
    """Share of the predicted foreground that is right: 0 if nothing of a foreground is predicted, NaN without both."""
    tp, fp, fn, _ = confusion(counts)
    return ratio(tp, tp + fp, np.where(fn > 0, 0, np.nan))


def recall(counts: Counts) -> np.ndarray:
    """Share of the true foreground that is found; NaN without any."""
    tp, _, fn, _ = confusion(counts)
    return ratio(tp, tp + fn, np.nan)


def specificity(counts: Counts) -> np.ndarray:
    """Share of the true background that is left alone; NaN without any."""
    _, fp, _, tn = confusion(counts)
    return ratio(tn, tn + fp, np.nan)


def jaccard(counts: Counts) -> np.ndarray:
    """Intersection over union of the foregrounds; 1 if both are empty."""
    tp, fp, fn, _ = confusion(counts)
    return ratio(tp, tp + fp + fn, 1)


def dice(counts: Counts) -> np.ndarray:
    """Dice coefficient of the foregrounds; 1 if both are empty."""
    tp, fp, fn, _ = confusion(counts)
    return ratio(2 * tp, 2 * tp + fp + fn, 1)


def empty(counts: Counts) -> np.ndarray:
    """1 where there is no object at all, else 0: the value of a quotient of objects that is 0/0."""
    return (np.asarray(counts["n_true"]) + np.asarray(counts["n_pred"]) == 0).astype(float)


def f1(counts: Counts, threshold: float, at_least: bool = False) -> np.ndarray:
    """2 tp / (2 tp + fp + fn) of the objects at a threshold; 1 without any object."""
    tp, fp, fn = _matches(counts, threshold, at_least)
    return ratio(2 * tp, 2 * tp + fp + fn, 1)


def area_f1(counts: Counts, least: int) -> np.ndarray:
    """F1 at IoU > 0.50 of the objects of a class of area: missed ones by the truth's area, false ones by their own."""
    tp, fp, fn = (np.asarray(counts[f"area_{least}_{name}"]) for name in ("tp", "fp", "fn"))
    return ratio(2 * tp, 2 * tp + fp + fn, np.nan)


def object_precision(counts: Counts, threshold: float) -> np.ndarray:
    """Share of the predicted objects that are matched: 0 without any, but 1 without any object at all."""
    tp, fp, _ = _matches(counts, threshold)
    return ratio(tp, tp + fp, empty(counts))


def object_recall(counts: Counts, threshold: float) -> np.ndarray:
    """Share of the truth objects that are matched: 0 without any, but 1 without any object at all."""
    tp, _, fn = _matches(counts, threshold)
    return ratio(tp, tp + fn, empty(counts))


def average_precision(counts: Counts, over: Iterable[float], at_least: bool = False) -> np.ndarray:
    """Mean over thresholds of tp / (tp + fp + fn), the score of the 2018 Data Science Bowl; nothing is ranked."""
    per_threshold = []
    for threshold in over:
        tp, fp, fn = _matches(counts, threshold, at_least)
        per_threshold.append(ratio(tp, tp + fp + fn, 1))
    return np.mean(per_threshold, axis=0)


def segmentation_quality(counts: Counts, at_least: bool = False) -> np.ndarray:
    """Mean IoU of the pairs matched at one half: 0 without a pair, but 1 where there is no object at all."""
    return ratio(counts[column("iou", 0.5, at_least)], counts[column("tp", 0.5, at_least)], empty(counts))


def panoptic_quality(counts: Counts, at_least: bool = False) -> np.ndarray:
    """Detection quality, which is F1 at one half, times segmentation quality."""
    return f1(counts, 0.5, at_least) * segmentation_quality(counts, at_least)


def glas_f1(counts: Counts) -> np.ndarray:
    """2 tp / (2 tp + fp + fn) of the objects by the rule of the GlaS challenge; 1 without any object."""
    tp, fp, fn = (np.asarray(counts[f"glas_{name}"]) for name in ("tp", "fp", "fn"))
    return ratio(2 * tp, 2 * tp + fp + fn, 1)


def aggregated(counts: Counts, prefix: str = "aji", suffix: str = "") -> np.ndarray:
    """Aggregated intersection over aggregated union; 1 if both maps are empty."""
    return ratio(counts[f"{prefix}_intersection{suffix}"], counts[f"{prefix}_union{suffix}"], 1)


def object_dice(counts: Counts) -> np.ndarray:
    """Mean over the two sides of the area-weighted Dice of their objects; 1 without any object, 0 with one side."""
    sides = [ratio(counts[f"object_dice_{side}"], area, 0) for side, area in areas(counts).items()]
    return np.maximum(np.mean(sides, axis=0), empty(counts))


def areas(counts: Counts) -> dict[str, np.ndarray]:
    """Pixels of the objects of each side."""
    tp, fp, fn, _ = confusion(counts)
    return {"truth": tp + fn, "predicted": tp + fp}


def adjusted_rand(counts: Counts, within: str = "") -> np.ndarray:
    """Adjusted Rand index; 1 if both sides are one cluster, or all clusters are single pixels."""
    both, truth, predicted, _, chance = _pixel_pairs(counts, within)
    return ratio(both - chance, (truth + predicted) / 2 - chance, 1)


def adjusted_rand_of_foreground(counts: Counts, within: str) -> np.ndarray:
    """Adjusted Rand index over a foreground; 0 where one of the maps is empty and the other is not.

    There all pixels of the foreground are one cluster of background to the empty map, and would be one to a single
    object of the other.
    """
    one_sided = (np.asarray(counts["n_true"]) == 0) != (np.asarray(counts["n_pred"]) == 0)
    return np.where(one_sided, 0, adjusted_rand(counts, within))


def rand(pairs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Share of the pairs of pixels that both maps put together, or both apart; 1 without any pair."""
    both, truth, predicted, every = pairs[:4]
    return ratio(every - truth - predicted + 2 * both, every, 1)


def rand_jaccard(pairs: tuple[np.ndarray, ...]) -> np.ndarray:
    """What Coelho et al. call Jaccard: agreeing pairs over all that are not together in both; without bound, or NaN."""
    both, truth, predicted, every = pairs[:4]
    return ratio(every - truth - predicted + 2 * both, every - both, np.nan)


def label_pairs(counts: Counts) -> tuple[np.ndarray, ...]:
    """Pairs of pixels together in both maps, in the truth, in the prediction, and all."""
    return _pixel_pairs(counts, "")


def mask_pairs(counts: Counts) -> tuple[np.ndarray, ...]:
    """As `label_pairs`, of foreground against background."""
    tp, fp, fn, tn = (n.astype(float) for n in confusion(counts))
    both = _pairs(tp) + _pairs(fp) + _pairs(fn) + _pairs(tn)
    return both, _pairs(tp + fn) + _pairs(fp + tn), _pairs(tp + fp) + _pairs(fn + tn), _pairs(tp + fp + fn + tn)


def per_pair(counts: Counts, total: str, pairs: str) -> np.ndarray:
    """Mean of a sum over pairs of objects; NaN without a pair."""
    return ratio(counts[total], counts[pairs], np.nan)


def object_hausdorff(counts: Counts) -> np.ndarray:
    """Mean over the sides that have objects of their area-weighted Hausdorff distance; 0 without any object."""
    truth, predicted = (ratio(counts[f"hausdorff_{side}"], area, np.nan) for side, area in areas(counts).items())
    either = np.where(np.isnan(truth), predicted, truth) + np.where(np.isnan(predicted), truth, predicted)
    return np.where(empty(counts) == 1, 0, either / 2)


def normalised_distances(counts: Counts) -> np.ndarray:
    """Mean over predicted objects of Coelho's normalised sum of distances; 1 if they all lack, 0 without any object."""
    return ratio(counts["coelho_nsd_sum"], counts["n_pred"], 1 - empty(counts))


def _matches(counts: Counts, threshold: float, at_least: bool = False) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(counts[column(name, threshold, at_least)]) for name in ("tp", "fp", "fn"))


def _pixel_pairs(counts: Counts, within: str) -> tuple[np.ndarray, ...]:
    names = ("both", "truth", "predicted", "all", "chance")
    return tuple(np.asarray(counts[f"pixel_pairs_{name}{within}"], float) for name in names)


def _pairs(pixels: np.ndarray) -> np.ndarray:
    return pixels * (pixels - 1) / 2
