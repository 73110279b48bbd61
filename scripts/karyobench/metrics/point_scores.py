"""Counts of images whose truth is points, one row each, and the scores that are computed from them.

Columns beside the usual texts: n_true, n_pred, missing: true points, predicted objects; 1 where the system gave no
prediction. point_tp, point_fp, point_fn: points matched, false and missed (`metrics/points.py`), each predicted object
standing at its centre; point_distance: summed over the matched, in pixels (a float). point_radius: largest distance of
a match in pixels (a float). pixels: those of the image of which the truth says something.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from karyobench.errors import KaryobenchError
from karyobench.metrics.definitions import HIGHER, Score, every_score
from karyobench.metrics.formulas import Counts, empty, ratio

SCORES = ("point_f1", "point_precision", "point_recall", "count_error")

TOTALS = {
    "n_pred": "predicted objects, each a point at its centre",
    "matched": "true points with a predicted one within the radius, one to one",
    "missed": "true points without one",
    "false": "predicted points without a true one",
}
EMPTY_IMAGE_POLICY = (
    "an image without points scores 1 in F1, precision and recall if nothing is predicted in it, and 0 if anything is; "
    "no image is dropped"
)
MISSING_PREDICTION_POLICY = (
    "scored as an empty prediction: every point of the image is missed, and an image without points is correctly "
    "empty; no image is dropped"
)


def radius_in_pixels(radius: Mapping[str, float] | None, mpp: float | None) -> float:
    """The radius of an image: `microns` by its microns per pixel, or `pixels` where these are unknown.

    Raises KaryobenchError without a radius.
    """
    if radius is None:
        raise KaryobenchError(
            "its truth is points, and `metrics.point_radius` has no radius for the `objects` of its dataset; add one, "
            "such as nuclei: {microns: 3, pixels: 12}"
        )
    return radius["microns"] / mpp if mpp else float(radius["pixels"])


def count_points(
    truth: np.ndarray, predicted: np.ndarray | None, radius: float, ignore: np.ndarray
) -> dict[str, int | float]:
    """The columns of one image.

    truth: points float (N, 2), row and column. predicted: instance map int (H, W), or None where there is no
    prediction, which counts as an empty one. radius: in pixels. ignore: (H, W), not 0 where the truth says nothing;
    there neither side counts. Raises KaryobenchError on a map that does not fit the image.
    """
    # Tables are read where Numba is not installed.
    from karyobench.metrics.points import centres, known_points, match_points

    labels = np.zeros(ignore.shape, np.int32) if predicted is None else predicted
    if labels.shape != ignore.shape:
        raise KaryobenchError(f"a map of {labels.shape} pixels does not fit its image of {ignore.shape}")
    found = match_points(known_points(truth, ignore), centres(np.where(ignore == 0, labels, 0)), radius)
    row = {"n_true": found.tp + found.fn, "n_pred": found.tp + found.fp, "missing": int(predicted is None)}
    row |= {f"point_{name}": value for name, value in found._asdict().items()}
    return row | {"point_radius": radius, "pixels": int((ignore == 0).sum())}


def known(metrics: Mapping[str, Any]) -> dict[str, Score]:
    """Each score as one value per image."""
    return {
        "point_f1": Score(HIGHER, "2 TP / (2 TP + FP + FN) of points within the radius, assigned", _f1),
        "point_precision": Score(HIGHER, "TP / (TP + FP) of the same", _share("fp")),
        "point_recall": Score(HIGHER, "TP / (TP + FN) of the same", _share("fn")),
        "count_error": every_score(metrics)["count_error"],
    }


def totals(counts: pd.DataFrame) -> dict[str, int]:
    """Sums over the images, by the names of TOTALS."""
    summed = ("n_pred", "point_tp", "point_fn", "point_fp")
    return {name: int(counts[of].sum()) for name, of in zip(TOTALS, summed, strict=True)}


def _f1(counts: Counts) -> np.ndarray:
    tp, fp, fn = (np.asarray(counts[f"point_{name}"]) for name in ("tp", "fp", "fn"))
    return ratio(2 * tp, 2 * tp + fp + fn, 1)


def _share(wrong: str) -> Callable[[Counts], np.ndarray]:
    """Matched over matched and wrong points: 0 without any, but 1 without any point at all."""

    def share(counts: Counts) -> np.ndarray:
        tp = np.asarray(counts["point_tp"])
        return ratio(tp, tp + np.asarray(counts[f"point_{wrong}"]), empty(counts))

    return share
