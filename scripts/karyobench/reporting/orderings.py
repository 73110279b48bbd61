"""The area under the ROC curve over bootstrap draws: a score of pairs of images, which no mean over images gives."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Ordering(NamedTuple):
    """Images that ought to score high, and their scores under each seed: bool (N,), float (seeds, N)."""

    positive: np.ndarray
    scores: np.ndarray


class Wins(NamedTuple):
    """Pairs of a positive image and a negative one, by the units that they are of.

    won: float (U, U), pairs in the right order, a tie counting half, mean over seeds; positives by row. positives,
    negatives: images of each unit, (U,).
    """

    won: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray


def wins(ordering: Ordering, unit: np.ndarray) -> Wins:
    """Sum the pairs of an ordering over units. unit: number of each image's unit, int (N,), from 0."""
    positive, count = ordering.positive, int(unit.max()) + 1
    won = np.zeros((count, count))
    for scores in ordering.scores:
        high, low = scores[positive][:, None], scores[~positive][None]
        pairs = (high > low) + 0.5 * (high == low)
        by_unit = np.zeros((count, pairs.shape[1]))
        np.add.at(by_unit, unit[positive], pairs)
        np.add.at(won.T, unit[~positive], by_unit.T)
    of = (np.bincount(unit[inside], minlength=count).astype(float) for inside in (positive, ~positive))
    return Wins(won / len(ordering.scores), *of)


def areas(several: Sequence[Wins], drawn: np.ndarray) -> np.ndarray:
    """Mean area under the curves of some orderings, NaN where none has both kinds of images.

    drawn: how often each unit was drawn, (D, U). Returns (D,).
    """
    made = np.stack([_area(each, drawn) for each in several])
    known = np.isfinite(made)
    return np.divide(np.where(known, made, 0).sum(0), known.sum(0), out=np.full(len(drawn), np.nan), where=known.any(0))


def _area(each: Wins, drawn: np.ndarray) -> np.ndarray:
    won = np.einsum("du,du->d", drawn @ each.won, drawn)
    pairs = (drawn @ each.positives) * (drawn @ each.negatives)
    return np.divide(won, pairs, out=np.full(len(drawn), np.nan), where=pairs > 0)
