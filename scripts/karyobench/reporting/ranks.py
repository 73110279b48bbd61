"""Who is ahead, by how much and how surely: ranks, differences to the best, and pairs, each with its interval.

The best has the highest score, or the lowest one where lower is better (`Comparison.lower`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from karyobench.metrics.class_scores import orderings
from karyobench.metrics.definitions import LOWER
from karyobench.reporting import statistics
from karyobench.reporting.orderings import Ordering
from karyobench.reporting.runs import Board, Run
from karyobench.reporting.statistics import Comparison

SUFFIXES = ("_rank", "_rank_low", "_rank_high", "_difference", "_difference_low", "_difference_high", "_tied")
PAIR_COLUMNS = ["score", "experiment", "versus", "difference", "difference_low", "difference_high", "tied", "wins"]

_AREA = "roc_auc"

# Means that differ by less are equal; sums of the same numbers in another order differ by about 1e-16.
_DECIMALS = 12


def comparison(
    board: Board,
    inside: np.ndarray | None = None,
    experiments: Mapping[str, list[Run]] | None = None,
    scores: Sequence[str] | None = None,
) -> Comparison:
    """Scores of every experiment of a leaderboard, per image the mean over its seeds.

    inside: bool, the images that count; without it all. experiments, scores: others than the leaderboard's.
    """
    inside = np.ones(len(board.images), bool) if inside is None else inside
    experiments, scores = experiments or board.experiments, scores or board.kind.scores
    tables = {name: seed_mean(board, runs, scores)[inside] for name, runs in experiments.items()}
    groups = board.images["group"][inside].tolist()
    orderings = {score: _orderings(board, experiments, inside) for score in scores if score == _AREA}
    compared = statistics.compare(tables, groups, board.kind.over_groups, orderings)
    known = board.kind.known(board.config["metrics"])
    return replace(compared, lower=frozenset(score for score in scores if known[score].better == LOWER))


def seed_mean(board: Board, runs: list[Run], scores: Sequence[str]) -> pd.DataFrame:
    """Scores per image, averaged over seeds; a seed that leaves a score undefined is left out.

    scores: names of those that the leaderboard's kind knows, one column each; one row per image.
    """
    known = board.kind.known(board.config["metrics"])
    per_seed = [pd.DataFrame({name: known[name].of(run.columns) for name in scores}) for run in runs]
    return pd.concat(per_seed).groupby(level=0).mean()


def _orderings(board: Board, experiments: Mapping[str, list[Run]], inside: np.ndarray) -> dict[str, list[Ordering]]:
    """What the ROC AUC of each experiment is of: per class, its images, and each seed's probabilities."""
    made = {}
    for name, runs in experiments.items():
        per_seed = [orderings(run.counts[inside], board.kind.classes) for run in runs]
        made[name] = [Ordering(seeds[0][0], np.stack([s for _, s in seeds])) for seeds in zip(*per_seed, strict=True)]
    return made


def ranked(board: Board) -> list[str]:
    """Experiments that take a rank: all but the fakes, which read the truth."""
    return [name for name, runs in board.experiments.items() if not runs[0].fake]


def standings(compared: Comparison) -> dict[str, dict[str, Any]]:
    """Place of each row by each score: a cell for every score and suffix of SUFFIXES.

    `_rank`: 1 for the best; equal scores share the better rank. `_rank_low`, `_rank_high`: central 95% of the ranks
    over draws, in each of which all rows are ranked anew. `_difference`: score minus that of the best, with the
    interval of the paired difference. `_tied`: `best`, or whether that interval holds 0 (`yes`, `no`). Intervals are
    blank without draws, and everything is for a row of which the score is undefined.
    """
    cells: dict[str, dict[str, Any]] = {name: {} for name in compared.names}
    for score in compared.scores:
        for name, place in zip(compared.names, _cells(compared, score), strict=True):
            cells[name] |= {f"{score}{suffix}": cell for suffix, cell in zip(SUFFIXES, place, strict=True)}
    return cells


def pairs(compared: Comparison) -> pd.DataFrame:
    """Every pair of rows by every score, the better one first: columns PAIR_COLUMNS.

    wins: share of the draws in which the first is ahead, an equal score counting half.
    """
    rows = [row for score in compared.scores for row in _pairs_of(compared, score)]
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def order(compared: Comparison, score: str) -> list[str]:
    """Names from best to worst; those that are equal by name, and those without a score last."""
    means, _ = _of_score(compared, score)
    values = dict(zip(compared.names, np.nan_to_num(means, nan=-np.inf), strict=True))
    return sorted(compared.names, key=lambda name: (-values[name], name))


def places(compared: Comparison, score: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Rank of each row by a score, (T,), and in each draw, (T, R), NaN where it is undefined; None without draws."""
    means, draws = _of_score(compared, score)
    return _ranks(means), None if draws is None else _ranks(draws)


def joined(compared: Comparison, score: str) -> list[list[str]]:
    """Runs of two and more neighbours in `order`, of which no two differ; each as long as can be, none within another.

    Two differ where the interval of their difference leaves out 0. Empty without draws.
    """
    names = order(compared, score)
    tied = {(first, second) for _, first, second, *_, known, _ in _pairs_of(compared, score) if known == "yes"}
    found: list[list[str]] = []
    reached = 0
    for first in range(len(names)):
        end = first + 1
        while end < len(names) and all((name, names[end]) in tied for name in names[first:end]):
            end += 1
        if end > max(first + 1, reached):
            found.append(names[first:end])
            reached = end
    return found


def _of_score(compared: Comparison, score: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Means (T,) and draws (T, R) of a score, negated where lower is better; rounded so that equal ones are equal."""
    column, sign = compared.scores.index(score), _sign(compared, score)
    draws = None if compared.draws is None else sign * compared.draws[:, column].round(_DECIMALS)
    return sign * compared.means[:, column].round(_DECIMALS), draws


def _sign(compared: Comparison, score: str) -> int:
    return -1 if score in compared.lower else 1


def _cells(compared: Comparison, score: str) -> Iterator[tuple[Any, ...]]:
    """Cells of each row, in the order of SUFFIXES."""
    (means, draws), sign = _of_score(compared, score), _sign(compared, score)
    if np.isnan(means).all():
        yield from ([("",) * len(SUFFIXES)] * len(means))
        return
    best = int(np.nanargmax(means))
    ranks, drawn_ranks = places(compared, score)
    for row, mean in enumerate(means):
        difference = sign * mean - sign * means[best]
        if np.isnan(mean):
            yield ("",) * len(SUFFIXES)
        elif draws is None:
            yield int(ranks[row]), "", "", difference, np.nan, np.nan, ""
        else:
            low, high = compared.interval(sign * draws[row] - sign * draws[best])
            tied = "best" if mean == means[best] else _tied(low, high)
            yield int(ranks[row]), *_rank_interval(drawn_ranks[row]), difference, low, high, tied


def _pairs_of(compared: Comparison, score: str) -> Iterator[tuple[Any, ...]]:
    """Rows of PAIR_COLUMNS of one score."""
    (means, draws), sign = _of_score(compared, score), _sign(compared, score)
    for first, second in combinations(order(compared, score), 2):
        a, b = compared.names.index(first), compared.names.index(second)
        difference = sign * means[a] - sign * means[b]
        if draws is None or np.isnan(difference):
            yield score, first, second, difference, np.nan, np.nan, "", np.nan
        else:
            low, high = compared.interval(sign * draws[a] - sign * draws[b])
            yield score, first, second, difference, low, high, _tied(low, high), _wins(draws[a] - draws[b])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each row in each column, 1 for the highest; equal ones share the better rank."""
    return rankdata(-values, method="min", axis=0, nan_policy="omit")


def _rank_interval(drawn: np.ndarray) -> tuple[int, int]:
    """Central 95% of whole numbers: ends that were drawn."""
    known = drawn[np.isfinite(drawn)]
    tail = (1 - statistics.CONFIDENCE) / 2
    low = np.quantile(known, tail, method="inverted_cdf")
    return int(low), int(np.quantile(known, 1 - tail, method="inverted_cdf"))


def _tied(low: float, high: float) -> str:
    return "yes" if low <= 0 <= high else "no"


def _wins(apart: np.ndarray) -> float:
    known = apart[np.isfinite(apart)]
    return float(((known > 0) + 0.5 * (known == 0)).mean())
