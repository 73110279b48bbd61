"""One sparse table per image, (truth label, predicted label) -> pixels, from which every overlap metric is computed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from karyobench.errors import KaryobenchError

_BAND_PIXELS = 2**20
_LABEL_BITS = 32


@dataclass(frozen=True)
class Overlaps:
    """Pairs of one truth and one predicted object that share pixels: four int64 arrays (K,), sorted by the labels."""

    truth: np.ndarray
    predicted: np.ndarray
    intersection: np.ndarray
    union: np.ndarray


@dataclass(frozen=True)
class Contingency:
    """Pixels shared by each pair of labels that share any, background included.

    truth, predicted: int64 (K,), labels renumbered to 0 (background) and 1..n in ascending order of the original
    labels. pixels: int64 (K,), all positive. Entries are sorted by (truth, predicted).
    """

    truth: np.ndarray
    predicted: np.ndarray
    pixels: np.ndarray
    n_true: int
    n_pred: int

    @cached_property
    def truth_areas(self) -> np.ndarray:
        """int64 (n_true + 1,): pixels of the background and of each truth object."""
        return _sum_by(self.truth, self.pixels, self.n_true + 1)

    @cached_property
    def predicted_areas(self) -> np.ndarray:
        """int64 (n_pred + 1,): pixels of the background and of each predicted object."""
        return _sum_by(self.predicted, self.pixels, self.n_pred + 1)

    @cached_property
    def overlaps(self) -> Overlaps:
        """Intersection and union of each pair of objects that share pixels."""
        both = (self.truth > 0) & (self.predicted > 0)
        truth, predicted, intersection = self.truth[both], self.predicted[both], self.pixels[both]
        union = self.truth_areas[truth] + self.predicted_areas[predicted] - intersection
        return Overlaps(truth, predicted, intersection, union)


def contingency(truth: np.ndarray, predicted: np.ndarray) -> Contingency:
    """Count the pixels of each pair of labels in one pass over two label maps.

    truth, predicted: integer or bool (H, W), 0 background, labels below 2**31, gaps allowed. The maps are read in
    bands of rows, so memory beyond them grows with the number of pairs. Raises KaryobenchError on maps that are not
    label maps or differ in shape.
    """
    _check(truth, "truth")
    _check(predicted, "prediction")
    if truth.shape != predicted.shape:
        raise KaryobenchError(f"truth is {_size(truth)} pixels but the prediction is {_size(predicted)}")
    rows = max(1, _BAND_PIXELS // truth.shape[1])
    bands = [_band(truth[r : r + rows], predicted[r : r + rows]) for r in range(0, truth.shape[0], rows)]
    keys, pixels = _summed(*(np.concatenate(parts) for parts in zip(*bands, strict=True)))
    true_labels, n_true = _renumbered(keys >> _LABEL_BITS)
    pred_labels, n_pred = _renumbered(keys & (2**_LABEL_BITS - 1))
    return Contingency(true_labels, pred_labels, pixels, n_true, n_pred)


def _sum_by(index: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """int64 (size,): sum of the values at each index, in exact integers."""
    total = np.zeros(size, np.int64)
    np.add.at(total, index, values)
    return total


def _band(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label pairs, packed into one integer each, and their pixels, in a band of rows."""
    keys = (truth.astype(np.int64) << _LABEL_BITS | predicted.astype(np.int64)).ravel()
    # Runs of equal pairs are far fewer than pixels, and only runs are sorted.
    starts = np.append(0, np.flatnonzero(keys[1:] != keys[:-1]) + 1)
    return _summed(keys[starts], np.diff(starts, append=keys.size))


def _summed(keys: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unique, inverse = np.unique(keys, return_inverse=True)
    return unique, _sum_by(inverse, pixels, unique.size)


def _renumbered(labels: np.ndarray) -> tuple[np.ndarray, int]:
    known = np.unique(np.append(0, labels))
    return np.searchsorted(known, labels), known.size - 1


def _check(labels: np.ndarray, name: str) -> None:
    if labels.ndim != 2 or labels.size == 0:
        raise KaryobenchError(f"{name}: a label map must be a non-empty (H, W) array, not one of shape {labels.shape}")
    if labels.dtype.kind not in "iub":
        raise KaryobenchError(f"{name}: a label map holds integers, not {labels.dtype}; convert it without rounding")
    if labels.min() < 0 or labels.max() >= 2**31:
        raise KaryobenchError(f"{name}: labels must lie in 0..2**31 - 1; relabel the map to 1..n")


def _size(labels: np.ndarray) -> str:
    return " x ".join(map(str, labels.shape))
