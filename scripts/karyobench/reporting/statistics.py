"""Uncertainty of dataset scores: the bootstrap over images, or over groups of images that belong together."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

RESAMPLES = 9999
CONFIDENCE = 0.95
# With fewer units the percentile bootstrap can only return means of the same two numbers.
FEWEST_UNITS = 3

_SEED = 0
_VALUES_AT_ONCE = 2_000_000
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Comparison:
    """Mean scores of T rows, such as experiments, on the same images, and on the same draws of those images.

    means: float64 (T, S), one column per score, NaN where no image defines the score. draws: (T, S, RESAMPLES), the
    means of each draw; all rows and scores share the images of a draw, so that differences are paired. None where the
    units, `images` or `groups` of them, are fewer than FEWEST_UNITS.
    """

    names: list[str]
    scores: list[str]
    means: np.ndarray
    draws: np.ndarray | None
    unit: str
    n_units: int

    @property
    def drawn(self) -> str:
        """What is drawn, and how many, in words."""
        return f"{self.n_units} {'groups of images' if self.unit == 'groups' else self.unit}"

    def interval(self, values: np.ndarray) -> tuple[float, float]:
        """Ends of the central 95% of R drawn values, of those that are defined; NaN where none is."""
        known = values[np.isfinite(values)]
        low, high = np.quantile(known, _TAILS) if known.size else (np.nan, np.nan)
        return float(low), float(high)

    def cells(self, name: str) -> dict[str, float]:
        """Each score of a row, and as `_low` and `_high` the ends of its interval, NaN without draws."""
        row = self.names.index(name)
        made = {}
        for column, score in enumerate(self.scores):
            ends = (np.nan, np.nan) if self.draws is None else self.interval(self.draws[row, column])
            made |= dict(zip((score, f"{score}_low", f"{score}_high"), (self.means[row, column], *ends), strict=True))
        return made

    def only(self, names: Sequence[str]) -> "Comparison":
        """The same for some of the rows."""
        rows = [self.names.index(name) for name in names]
        draws = None if self.draws is None else self.draws[rows]
        return replace(self, names=list(names), means=self.means[rows], draws=draws)


def units(groups: Sequence[str]) -> tuple[str, int]:
    """What is resampled, `images` or `groups` of images, and how many: groups where several hold several images."""
    distinct = len(set(groups))
    return ("groups", distinct) if 1 < distinct < len(groups) else ("images", len(groups))


def compare(tables: Mapping[str, pd.DataFrame], groups: Sequence[str]) -> Comparison:
    """Means over images of several rows' scores, with seeded bootstrap draws that all of them share.

    tables: scores by row name, each with one row per image and one column per score, in the same order; a NaN is left
    out. groups: group of each image; groups are drawn whole, since images of one patient or field resemble each other.
    """
    kind, count = units(groups)
    unit = np.unique(groups, return_inverse=True)[1] if kind == "groups" else np.arange(count)
    values = np.stack([table.to_numpy(float).T for table in tables.values()])
    known = np.isfinite(values)
    totals = _per_unit(np.where(known, values, 0), unit)
    sizes = _per_unit(known.astype(float), unit)
    scores = list(next(iter(tables.values())).columns)
    draws = _draws(totals, sizes) if count >= FEWEST_UNITS else None
    return Comparison(list(tables), scores, _mean(totals, sizes, -1), draws, kind, count)


def independent(parts: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons, of several image sets, with draws that do not go together from set to set.

    Equally many units are drawn alike in every set; so each set's draws are put into another, seeded, order.
    """
    rng = np.random.default_rng(_SEED)
    orders = [rng.permutation(RESAMPLES) for _ in parts]
    return [
        part if part.draws is None else replace(part, draws=part.draws[..., order])
        for part, order in zip(parts, orders, strict=True)
    ]


def average(parts: Sequence[Comparison]) -> Comparison:
    """The mean over several image sets of the scores of the same rows, each set as heavy as the others."""
    known = all(part.draws is not None for part in parts)
    return Comparison(
        parts[0].names,
        parts[0].scores,
        np.mean([part.means for part in parts], axis=0),
        np.mean([part.draws for part in parts], axis=0) if known else None,
        f"images or groups of images of {len(parts)} leaderboards",
        sum(part.n_units for part in parts),
    )


def spread(values: pd.DataFrame) -> pd.Series:
    """Standard deviation over rows (seeds) with n - 1 below the line; NaN for one row."""
    return values.std(ddof=1)


def _per_unit(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Sums over the images of each unit: (T, S, images) to (T, S, units)."""
    made = np.zeros((*values.shape[:-1], unit.max() + 1))
    np.add.at(made, (..., unit), values)
    return made


def _draws(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        # It warns of draws whose images all leave a score undefined; `interval` leaves those out.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return stats.bootstrap(
            (totals, sizes),
            _mean,
            paired=True,
            axis=-1,
            n_resamples=RESAMPLES,
            batch=max(1, _VALUES_AT_ONCE // totals.size),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        ).bootstrap_distribution


def _mean(totals: np.ndarray, sizes: np.ndarray, axis: int) -> np.ndarray:
    """Mean over the images of the units along `axis`; NaN where they define none."""
    below = sizes.sum(axis)
    return np.divide(totals.sum(axis), below, out=np.full(below.shape, np.nan), where=below > 0)
