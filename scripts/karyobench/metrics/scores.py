"""Scores from sufficient counts; pure functions, so that a table is recomputed without any prediction."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from karyobench.metrics.definitions import every_score
from karyobench.metrics.thresholds import exact

SCORES = ("pixel_accuracy", "mean_iu", "dice", "f1", "aji", "ap", "pq", "sq", "dq")
"""Scores of a leaderboard, of all that `definitions.every_score` knows."""

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
    """Every IoU threshold that the scores need, ascending. Raises KaryobenchError on one outside (0, 1)."""
    return sorted({*metrics["iou_thresholds"], metrics["f1_threshold"], _PQ_THRESHOLD}, key=exact)


def image_scores(counts: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Every score of each row of counts: columns SCORES, float64, same index.

    counts: columns as `metrics/counts.py` lists them. metrics: `iou_thresholds` of AP and `f1_threshold`.
    """
    known, columns = every_score(metrics), {name: counts[name].to_numpy() for name in counts}
    return pd.DataFrame({name: known[name].of(columns) for name in SCORES}, index=counts.index)


def all_scores(counts: Mapping[str, int | float], metrics: Mapping[str, Any]) -> dict[str, float]:
    """Every score that the counts of one image give, NaN where it is undefined; distances must be among the counts."""
    columns = {name: np.atleast_1d(value) for name, value in counts.items()}
    return {name: float(score.of(columns)[0]) for name, score in every_score(metrics).items()}


def macro(counts: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.Series:
    """Unweighted mean over images of each score."""
    return image_scores(counts, metrics).mean()


def micro(counts: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.Series:
    """Each score of the counts pooled over images."""
    pooled = counts.select_dtypes("number").sum().to_frame().T
    return image_scores(pooled, metrics).iloc[0]
