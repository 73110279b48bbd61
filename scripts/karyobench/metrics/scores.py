"""Scores from sufficient counts; pure functions, so that a table is recomputed without any prediction."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from karyobench.metrics.thresholds import column, exact

SCORES = ("pixel_accuracy", "mean_iu", "dice", "f1", "aji", "ap", "pq", "sq", "dq")

EMPTY_IMAGE_POLICY = (
    "an image without nuclei scores 1 in every object score and Dice if nothing is predicted in it, and 0 if anything "
    "is; no image is dropped; mean IU leaves out a class that neither truth nor prediction has"
)
MISSING_PREDICTION_POLICY = (
    "scored as an empty prediction: every nucleus of the image counts as a false negative, and an image without nuclei "
    "as correctly empty; no image is dropped"
)
MACRO = "macro, the unweighted mean of the per-image scores"
MICRO = "micro, the scores of the counts pooled over images"

# Panoptic quality is defined at IoU > 0.5, whatever threshold F1 is reported at.
_PQ_THRESHOLD = 0.5


def thresholds(metrics: Mapping[str, Any]) -> list[float]:
    """Every IoU threshold that the scores need, ascending. Raises KaryobenchError on one outside [0.5, 1)."""
    return sorted({*metrics["iou_thresholds"], metrics["f1_threshold"], _PQ_THRESHOLD}, key=exact)


def image_scores(counts: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Every score of each row of counts: columns SCORES, float64, same index.

    counts: columns as `metrics/counts.py` lists them. metrics: `iou_thresholds` of AP and `f1_threshold`.
    A quotient 0/0 is an empty truth with an empty prediction and counts as 1.
    """
    tp, fp, fn, tn = (counts[f"pixel_{name}"] for name in ("tp", "fp", "fn", "tn"))
    made = {
        "pixel_accuracy": _ratio(tp + tn, tp + fp + fn + tn, 1),
        "mean_iu": np.nanmean([_ratio(tp, tp + fp + fn, np.nan), _ratio(tn, tn + fp + fn, np.nan)], axis=0),
        "dice": _ratio(2 * tp, 2 * tp + fp + fn, 1),
        "f1": _f1(counts, metrics["f1_threshold"]),
        "aji": _ratio(counts["aji_intersection"], counts["aji_union"], 1),
        "ap": _average_precision(counts, metrics["iou_thresholds"]),
        "sq": _segmentation_quality(counts),
        "dq": _f1(counts, _PQ_THRESHOLD),
    }
    made["pq"] = made["dq"] * made["sq"]
    return pd.DataFrame(made, index=counts.index)[list(SCORES)]


def macro(counts: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.Series:
    """Unweighted mean over images of each score."""
    return image_scores(counts, metrics).mean()


def micro(counts: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.Series:
    """Each score of the counts pooled over images."""
    pooled = counts.select_dtypes("number").sum().to_frame().T
    return image_scores(pooled, metrics).iloc[0]


def _f1(counts: pd.DataFrame, threshold: float) -> np.ndarray:
    tp, fp, fn = (counts[column(name, threshold)] for name in ("tp", "fp", "fn"))
    return _ratio(2 * tp, 2 * tp + fp + fn, 1)


def _average_precision(counts: pd.DataFrame, over: Iterable[float]) -> np.ndarray:
    """Mean over thresholds of tp / (tp + fp + fn), the score of the 2018 Data Science Bowl; nothing is ranked."""
    per_threshold = []
    for threshold in over:
        tp, fp, fn = (counts[column(name, threshold)] for name in ("tp", "fp", "fn"))
        per_threshold.append(_ratio(tp, tp + fp + fn, 1))
    return np.mean(per_threshold, axis=0)


def _segmentation_quality(counts: pd.DataFrame) -> np.ndarray:
    """Mean IoU of the matched pairs: 0 without a pair, but 1 where there is no object at all."""
    empty = (counts["n_true"] + counts["n_pred"] == 0).to_numpy(float)
    return _ratio(counts[column("iou", _PQ_THRESHOLD)], counts[column("tp", _PQ_THRESHOLD)], empty)


def _ratio(numerator: pd.Series, denominator: pd.Series, undefined: float | np.ndarray) -> np.ndarray:
    """Quotient as float64, with `undefined` where the denominator is 0."""
    below = denominator.to_numpy(float)
    made = np.full(below.shape, undefined, float)
    return np.divide(numerator.to_numpy(float), below, out=made, where=below != 0)
