"""Uncertainty of a dataset score: bootstrap intervals over images, or over groups of images that belong together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

RESAMPLES = 9999
CONFIDENCE = 0.95
# With fewer units the percentile bootstrap can only return means of the same two numbers.
FEWEST_UNITS = 3

_SEED = 0
_VALUES_AT_ONCE = 2_000_000


def units(groups: Sequence[str]) -> tuple[str, int]:
    """What is resampled, `images` or `groups` of images, and how many: groups where several hold several images."""
    distinct = len(set(groups))
    return ("groups", distinct) if 1 < distinct < len(groups) else ("images", len(groups))


def interval(scores: pd.DataFrame, groups: Sequence[str]) -> tuple[pd.Series, pd.Series]:
    """Lower and upper end of the 95% percentile bootstrap interval of the mean over images of each score.

    scores: one row per image, one column per score. groups: group of each image; groups are drawn whole, since images
    of one patient or field resemble each other. NaN below three units. The draws are seeded and the same for every
    table of equal groups, so intervals of one leaderboard rest on the same images.
    """
    kind, count = units(groups)
    if count < FEWEST_UNITS:
        nothing = pd.Series(np.nan, index=scores.columns)
        return nothing, nothing
    unit = np.array(groups) if kind == "groups" else np.arange(count)
    sums = scores.groupby(unit).sum().to_numpy().T
    sizes = np.broadcast_to(scores.groupby(unit).size().to_numpy(), sums.shape)
    ends = stats.bootstrap(
        (sums, sizes),
        lambda total, size, axis: total.sum(axis) / size.sum(axis),
        paired=True,
        axis=-1,
        n_resamples=RESAMPLES,
        batch=max(1, _VALUES_AT_ONCE // sums.size),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return pd.Series(ends.low, index=scores.columns), pd.Series(ends.high, index=scores.columns)


def spread(values: pd.DataFrame) -> pd.Series:
    """Standard deviation over rows (seeds) with n - 1 below the line; NaN for one row."""
    return values.std(ddof=1)
