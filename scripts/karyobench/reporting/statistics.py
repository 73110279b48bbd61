"""Uncertainty of dataset scores: the bootstrap over images, or over groups of images that belong together."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from karyobench.reporting.orderings import Ordering, Wins, areas, wins

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
    units, `images` or `groups` of them, are fewer than FEWEST_UNITS. lower: scores that are better the lower they are.
    """

    names: list[str]
    scores: list[str]
    means: np.ndarray
    draws: np.ndarray | None
    unit: str
    n_units: int
    lower: frozenset[str] = frozenset()

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


def compare(
    tables: Mapping[str, pd.DataFrame],
    groups: Sequence[str],
    over_groups: Sequence[str] = (),
    orderings: Mapping[str, Mapping[str, Sequence[Ordering]]] | None = None,
) -> Comparison:
    """Means over images of several rows' scores, with seeded bootstrap draws that all of them share.

    tables: scores by row name, each with one row per image and one column per score, in the same order; a NaN is left
    out. groups: group of each image; groups are drawn whole, since images of one patient or field resemble each other.
    over_groups: scores that are means over groups of the means within each. orderings: of a score that is an area under
    ROC curves, by score, the orderings of each row; their column in the tables counts for nothing.
    """
    kind, count = units(groups)
    group = np.unique(groups, return_inverse=True)[1]
    unit = group if kind == "groups" else np.arange(count)
    values = np.stack([table.to_numpy(float).T for table in tables.values()])
    known = np.isfinite(values)
    scores = list(next(iter(tables.values())).columns)
    weights = known * _weights(known, group, [score in over_groups for score in scores])
    totals, sizes = _per_unit(np.where(known, values, 0) * weights, unit), _per_unit(weights, unit)
    means, draws = _mean(totals, sizes, -1), _draws(totals, sizes) if count >= FEWEST_UNITS else None
    for score, of_rows in (orderings or {}).items():
        column, rows = scores.index(score), [[wins(one, unit) for one in of_rows[name]] for name in tables]
        means[:, column] = [areas(each, np.ones((1, count)))[0] for each in rows]
        if draws is not None:
            draws[:, column] = _drawn_areas(rows, count)
    return Comparison(list(tables), scores, means, draws, kind, count)


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
        parts[0].lower,
    )


def spread(values: pd.DataFrame) -> pd.Series:
    """Standard deviation over rows (seeds) with n - 1 below the line; NaN for one row."""
    return values.std(ddof=1)


def _weights(known: np.ndarray, group: np.ndarray, over_groups: Sequence[bool]) -> np.ndarray:
    """Weight of each image in a score, (T, S, images): 1, or such that each group weighs 1."""
    sizes = _per_unit(known.astype(float), group)[..., group]
    return np.where(np.array(over_groups)[:, None], 1 / np.maximum(sizes, 1), 1.0)


def _drawn_areas(rows: Sequence[Sequence[Wins]], count: int) -> np.ndarray:
    """Areas (T, RESAMPLES) over the draws of `_draws`: the same units in the same order."""

    def of_draws(units: np.ndarray, axis: int) -> np.ndarray:
        flat = units.reshape(-1, count) + count * np.arange(units.size // count)[:, None]
        drawn = np.bincount(flat.ravel(), minlength=flat.size).reshape(flat.shape).astype(float)
        return np.stack([areas(each, drawn) for each in rows]).reshape(len(rows), *units.shape[:-1])

    return _resampled((np.arange(count),), of_draws, _VALUES_AT_ONCE // count)


def _per_unit(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Sums over the images of each unit: (T, S, images) to (T, S, units)."""
    made = np.zeros((*values.shape[:-1], unit.max() + 1))
    np.add.at(made, (..., unit), values)
    return made


def _draws(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return _resampled((totals, sizes), _mean, _VALUES_AT_ONCE // totals.size)


def _resampled(samples: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray], batch: int) -> np.ndarray:
    """The statistic over draws of the last axis, which all samples share; the same draws for every statistic."""
    with warnings.catch_warnings():
        # It warns of draws whose images all leave a score undefined; `interval` leaves those out.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return stats.bootstrap(
            samples,
            statistic,
            vectorized=True,
            paired=len(samples) > 1,
            axis=-1,
            n_resamples=RESAMPLES,
            batch=max(1, batch),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        ).bootstrap_distribution


def _mean(totals: np.ndarray, sizes: np.ndarray, axis: int) -> np.ndarray:
    """Mean over the images of the units along `axis`; NaN where they define none."""
    below = sizes.sum(axis)
    return np.divide(totals.sum(axis), below, out=np.full(below.shape, np.nan), where=below > 0)
