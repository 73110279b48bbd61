"""Recognition rates of classified images, and the area under the ROC curve."""

from collections.abc import Sequence

import numpy as np

from karyobench.errors import KaryobenchError


def image_rate(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Image-level recognition rate: the share of images whose class is right."""
    return float(_right(truth, predicted).mean())


def patient_rate(truth: Sequence[str], predicted: Sequence[str], patients: Sequence[str]) -> float:
    """Patient-level recognition rate (Spanhol et al., IEEE TBME 2016): mean over patients of their image-level rate.

    patients: patient of each image; one without images here does not count.
    """
    right = _right(truth, predicted)
    if len(patients) != right.size:
        raise KaryobenchError(f"{len(patients)} patients for {right.size} images; name the patient of each image")
    _, number = np.unique(np.asarray(patients), return_inverse=True)
    return float((np.bincount(number, right) / np.bincount(number)).mean())


def class_recalls(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Share of right images of each class that the truth has, by name."""
    right = _right(truth, predicted)
    known, number = np.unique(np.asarray(truth), return_inverse=True)
    recalls = np.bincount(number, right) / np.bincount(number)
    return dict(zip(known.tolist(), recalls.tolist(), strict=True))


def roc_auc(truth: np.ndarray, scores: np.ndarray, where: np.ndarray | None = None) -> float:
    """Probability that a random positive scores above a random negative, a tie counting one half.

    truth: bool, scores: numbers of the same shape, such as pixels of a vessel map. where: bool, what counts at all,
    such as the field of view. NaN if only one class is present. Raises KaryobenchError on shapes that differ and on a
    score that is NaN.
    """
    given = {"truth": truth, "scores": scores} | ({} if where is None else {"where": where})
    if len({values.shape for values in given.values()}) > 1:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in given.items())
        raise KaryobenchError(f"ROC AUC: shapes differ ({shapes}); give one score for each element of the truth")
    kept = np.ones(truth.shape, bool) if where is None else where.astype(bool)
    if np.isnan(scores[kept]).any():
        raise KaryobenchError("ROC AUC: a score is not a number; every element that counts needs one")
    positive, negative = scores[kept & (truth > 0)], np.sort(scores[kept & (truth == 0)])
    if not (positive.size and negative.size):
        return float("nan")
    below, not_above = (int(np.searchsorted(negative, positive, side).sum()) for side in ("left", "right"))
    return (below + not_above) / (2 * positive.size * negative.size)


def _right(truth: Sequence[str], predicted: Sequence[str]) -> np.ndarray:
    """Whether each image's class is right. Raises KaryobenchError without images and on lengths that differ."""
    if len(truth) != len(predicted) or not len(truth):
        raise KaryobenchError(f"{len(truth)} true and {len(predicted)} predicted classes; give one of each per image")
    return np.asarray(truth) == np.asarray(predicted)
