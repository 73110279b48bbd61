"""The kinds of object errors: missed, false, merged, split; and the counts of Coelho et al. by majority votes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from karyobench.metrics.contingency import Contingency
from karyobench.metrics.partners import leading, leading_of


@dataclass(frozen=True)
class Mistakes:
    """Which objects are wrong, and how; bool arrays indexed by an object's number in the table, 0 never set.

    An object lies in another if more than half of its area does. missed (truth): lies in no predicted object, and none
    lies in it. false (predicted): lies in no truth object, and none lies in it. merging (predicted): two or more truth
    objects lie in it; these are merged (truth), the prediction is under-segmented there. split (truth): two or more
    predicted objects lie in it; these are fragments (predicted), the prediction is over-segmented there.
    """

    missed: np.ndarray
    false: np.ndarray
    merging: np.ndarray
    merged: np.ndarray
    split: np.ndarray
    fragment: np.ndarray


class MistakeCounts(NamedTuple):
    """Truth objects missed, predicted objects that are false, predicted objects that merge, truth objects split."""

    missed: int
    false: int
    merges: int
    splits: int


class CoelhoCounts(NamedTuple):
    """Truth objects split, predicted objects that merge, predicted objects added, truth objects missing."""

    split: int
    merged: int
    added: int
    missing: int


def mistakes(table: Contingency) -> Mistakes:
    """Errors of an image object by object, by area alone: no IoU threshold enters, and a poor outline is no error."""
    pairs = table.overlaps
    truth_lies = 2 * pairs.intersection > table.truth_areas[pairs.truth]
    predicted_lies = 2 * pairs.intersection > table.predicted_areas[pairs.predicted]
    held = np.bincount(pairs.predicted[truth_lies], minlength=table.n_pred + 1)
    parts = np.bincount(pairs.truth[predicted_lies], minlength=table.n_true + 1)
    missed, false = np.ones(table.n_true + 1, bool), np.ones(table.n_pred + 1, bool)
    found = truth_lies | predicted_lies
    missed[0] = false[0] = False
    missed[pairs.truth[found]], false[pairs.predicted[found]] = False, False
    merged, fragment = np.zeros_like(missed), np.zeros_like(false)
    merged[pairs.truth[truth_lies & (held[pairs.predicted] > 1)]] = True
    fragment[pairs.predicted[predicted_lies & (parts[pairs.truth] > 1)]] = True
    return Mistakes(missed, false, held > 1, merged, parts > 1, fragment)


def mistake_counts(table: Contingency) -> MistakeCounts:
    """How many objects are wrong in each way; one object may be both split and part of a merge."""
    found = mistakes(table)
    return MistakeCounts(*(int(kind.sum()) for kind in (found.missed, found.false, found.merging, found.split)))


def coelho_counts(table: Contingency) -> CoelhoCounts:
    """Counts of Coelho et al. (ISBI 2009): each object votes for the object of the other map with most of its pixels.

    The background is voted for like an object; the lowest label wins ties, so the background first. Split: truth
    objects with two votes or more; merged: predicted objects with two votes or more; added and missing: predicted and
    truth objects that vote for the background.
    """
    of_truth, of_predicted = votes(table)
    split, merged = np.bincount(of_predicted[1:]), np.bincount(of_truth[1:])
    return CoelhoCounts(
        int((split[1:] > 1).sum()),
        int((merged[1:] > 1).sum()),
        int((of_predicted[1:] == 0).sum()),
        int((of_truth[1:] == 0).sum()),
    )


def votes(table: Contingency) -> tuple[np.ndarray, np.ndarray]:
    """int64 (n_true + 1,) and (n_pred + 1,): what each truth and each predicted object votes for; entry 0 is unused."""
    of_truth, of_predicted = np.zeros(table.n_true + 1, np.int64), np.zeros(table.n_pred + 1, np.int64)
    true, pred = leading(table.truth, table.pixels), leading_of(table.predicted, table.pixels)
    of_truth[table.truth[true]] = table.predicted[true]
    of_predicted[table.predicted[pred]] = table.truth[pred]
    return of_truth, of_predicted
