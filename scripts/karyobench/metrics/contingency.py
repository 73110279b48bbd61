"""One sparse table per image, (truth label, predicted label) -> pixels, from which every overlap metric is computed."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from karyobench.errors import KaryobenchError
from karyobench.metrics.pairs import LABEL_BITS, count_pairs
from karyobench.metrics.partners import leading, leading_of
from karyobench.metrics.threads import in_threads

_BAND_PIXELS = 2**19
_LARGEST_LABEL = 2**31 - 1
# Tables of blocks are put together once they hold this many pairs, and as many as the table so far.
_PENDING_PAIRS = 2**18

# Labels of each pair packed into one integer each, ascending, and their pixels.
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Overlaps:
    """Pairs of one truth and one predicted object that share pixels: four int64 arrays (K,), sorted by the labels."""

    truth: np.ndarray
    predicted: np.ndarray
    intersection: np.ndarray
    union: np.ndarray

    @cached_property
    def iou(self) -> np.ndarray:
        """float64 (K,): intersection over union."""
        return self.intersection / self.union


@dataclass(frozen=True)
class Contingency:
    """Pixels shared by each pair of labels that share any, background included.

    truth, predicted: int64 (K,), labels renumbered to 0 (background) and 1..n in ascending order of the original
    labels. pixels: int64 (K,), all positive. Entries are sorted by (truth, predicted). truth_labels, predicted_labels:
    int64 (n + 1,), the original label of each number, 0 first.
    """

    truth: np.ndarray
    predicted: np.ndarray
    pixels: np.ndarray
    truth_labels: np.ndarray
    predicted_labels: np.ndarray

    @property
    def n_true(self) -> int:
        """Truth objects."""
        return self.truth_labels.size - 1

    @property
    def n_pred(self) -> int:
        """Predicted objects."""
        return self.predicted_labels.size - 1

    @cached_property
    def truth_areas(self) -> np.ndarray:
        """int64 (n_true + 1,): pixels of the background and of each truth object."""
        return sum_by(self.truth, self.pixels, self.n_true + 1)

    @cached_property
    def predicted_areas(self) -> np.ndarray:
        """int64 (n_pred + 1,): pixels of the background and of each predicted object."""
        return sum_by(self.predicted, self.pixels, self.n_pred + 1)

    @cached_property
    def overlaps(self) -> Overlaps:
        """Intersection and union of each pair of objects that share pixels."""
        both = (self.truth > 0) & (self.predicted > 0)
        truth, predicted, intersection = self.truth[both], self.predicted[both], self.pixels[both]
        union = self.truth_areas[truth] + self.predicted_areas[predicted] - intersection
        return Overlaps(truth, predicted, intersection, union)

    @cached_property
    def best_partners(self) -> np.ndarray:
        """int64: of each truth object that overlaps any, the entry of `overlaps` with the largest IoU.

        The lowest label wins ties.
        """
        return leading(self.overlaps.truth, self.overlaps.iou)

    @cached_property
    def largest_overlaps(self) -> tuple[np.ndarray, np.ndarray]:
        """Two int64: of each truth and each predicted object that overlaps any, the entry with most pixels in common.

        The lowest label wins ties.
        """
        pairs = self.overlaps
        return leading(pairs.truth, pairs.intersection), leading_of(pairs.predicted, pairs.intersection)


def contingency(truth: np.ndarray, predicted: np.ndarray) -> Contingency:
    """Count the pixels of each pair of labels in one pass over two label maps.

    truth, predicted: integer or bool (H, W), 0 background, labels below 2**31, gaps allowed. The maps are read in
    bands of rows, as many at a time as Numba has threads, so memory beyond the maps grows with the number of pairs
    (and a band's pixels, if the labels are not int32); the table does not depend on the threads. Raises KaryobenchError
    on maps that are not label maps or differ in shape.
    """
    return _table(*_pairs(truth, predicted))


def contingency_of_blocks(blocks: Iterable[tuple[np.ndarray, np.ndarray]]) -> Contingency:
    """The table of two label maps that are too large for memory, from blocks that together cover them once.

    blocks: (truth, predicted) arrays (h, w) as `contingency` takes them, in any order; objects may cross blocks. Equal
    to the table of the whole maps. Raises KaryobenchError as `contingency` does, and if there is no block.
    """
    done, pending, waiting = [], [], 0
    for truth, predicted in blocks:
        pending.append(_pairs(truth, predicted))
        waiting += pending[-1][0].size
        if waiting > max(_PENDING_PAIRS, done[0][0].size if done else 0):
            done, pending, waiting = [_joined(done + pending)], [], 0
    if not done + pending:
        raise KaryobenchError("no block of label maps was given; give at least one pair of arrays")
    return _table(*_joined(done + pending))


def as_compiled(labels: np.ndarray) -> np.ndarray:
    """The label map in the one type and layout that code is compiled for: itself where it has them, else a copy."""
    return np.require(labels, np.int32, ["C", "W"])


def sum_by(index: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """int64 (size,): sum of the values at each index, in exact integers."""
    total = np.zeros(size, np.int64)
    np.add.at(total, index, values)
    return total


def _pairs(truth: np.ndarray, predicted: np.ndarray) -> Pairs:
    """Pairs of two label maps, or blocks of them, and their pixels."""
    _check(truth, "truth")
    _check(predicted, "prediction")
    if truth.shape != predicted.shape:
        raise KaryobenchError(f"truth is {_size(truth)} pixels but the prediction is {_size(predicted)}")
    rows = max(1, _BAND_PIXELS // truth.shape[1])
    bands = [slice(first, first + rows) for first in range(0, truth.shape[0], rows)]
    return _joined(in_threads(lambda band: _band(truth[band], predicted[band]), bands))


def _band(truth: np.ndarray, predicted: np.ndarray) -> Pairs:
    maps = {"truth": truth, "prediction": predicted}
    for name, labels in maps.items():
        if not np.can_cast(labels.dtype, np.int32):
            _check_range(int(labels.min()), int(labels.max()), name)
    keys, pixels, *seen = count_pairs(*(as_compiled(labels).reshape(-1) for labels in maps.values()))
    for name, labels in zip(maps, seen, strict=True):
        _check_range(labels, labels, name)
    return keys, pixels


def _joined(parts: list[Pairs]) -> Pairs:
    """Pairs of several parts of the maps, each pair once and in order."""
    keys, pixels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    keys, pixels = keys[order], pixels[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.add.reduceat(pixels, first)


def _table(keys: np.ndarray, pixels: np.ndarray) -> Contingency:
    truth_labels, truth = _renumbered(keys >> LABEL_BITS)
    predicted = keys & (2**LABEL_BITS - 1)
    order = np.argsort(predicted, kind="stable")
    predicted_labels, predicted[order] = _renumbered(predicted[order])
    return Contingency(truth, predicted, pixels, truth_labels, predicted_labels)


def _renumbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels and 0, ascending, and the place of each of the labels, which ascend, among them."""
    first = np.diff(labels, prepend=0) > 0
    return np.append(0, labels[first]), np.cumsum(first)


def _check(labels: np.ndarray, name: str) -> None:
    if labels.ndim != 2 or labels.size == 0:
        raise KaryobenchError(f"{name}: a label map must be a non-empty (H, W) array, not one of shape {labels.shape}")
    if labels.dtype.kind not in "iub":
        raise KaryobenchError(f"{name}: a label map holds integers, not {labels.dtype}; convert it without rounding")


def _check_range(least: int, greatest: int, name: str) -> None:
    if least < 0 or greatest > _LARGEST_LABEL:
        raise KaryobenchError(f"{name}: labels must lie in 0..2**31 - 1; relabel the map to 1..n")


def _size(labels: np.ndarray) -> str:
    return " x ".join(map(str, labels.shape))
