"""Who is ahead over all leaderboards of a study: mean scores and mean ranks of the systems that stand on each."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from karyobench.reporting import critical, ranks, statistics
from karyobench.reporting.leaderboard import csv_text
from karyobench.reporting.runs import Board
from karyobench.reporting.statistics import Comparison

_SUFFIXES = ("", "_low", "_high", *ranks.SUFFIXES)


def texts(boards: Sequence[Board], score: str, label: str) -> dict[str, str]:
    """`overall`: `table` as CSV; `overall_ranks`: its picture as SVG. None for fewer than two systems.

    label: the score's heading.
    """
    if len(systems(boards)) < 2:
        return {}
    each = comparisons(boards, [ranks.comparison(board, scores=[score]) for board in boards])
    return {
        "overall": csv_text(table(each, boards, score)),
        "overall_ranks": critical.picture(statistics.average(each), score, f"mean {label}", "overall-ranks"),
    }


def systems(boards: Sequence[Board]) -> list[str]:
    """What stands on every one of two leaderboards or more, without fakes; sorted.

    Experiments by their names, and systems by theirs where each leaderboard has one experiment of it, of another name.
    """
    return sorted(set.intersection(*(set(found) for found in _entrants(boards)))) if len(boards) > 1 else []


def comparisons(boards: Sequence[Board], compared: Sequence[Comparison]) -> list[Comparison]:
    """Scores of `systems` on each leaderboard, by their names. compared: `ranks.comparison` of each."""
    names = systems(boards)
    found = []
    for part, experiments in zip(compared, _entrants(boards), strict=True):
        found.append(replace(part.only([experiments[name] for name in names]), names=names))
    return statistics.independent(found)


def table(each: Sequence[Comparison], boards: Sequence[Board], score: str) -> pd.DataFrame:
    """One row per system, best mean score first.

    each: `comparisons` of the boards. Columns: system; the score's mean over leaderboards, each as heavy as the others,
    with the suffixes of a leaderboard's summary (`_low`, `_rank`, `_difference`, ...); mean_rank, mean_rank_low,
    mean_rank_high: its rank among these systems, averaged over leaderboards; and its score on each leaderboard, in a
    column of that name.
    """
    whole = statistics.average(each)
    column = whole.scores.index(score)
    standings, mean_ranks = ranks.standings(whole), _mean_ranks(each, score)
    rows = []
    for name in ranks.order(whole, score):
        row, cells = whole.names.index(name), whole.cells(name) | standings[name]
        made = {"system": name, **{f"{score}{suffix}": cells[f"{score}{suffix}"] for suffix in _SUFFIXES}}
        made |= dict(zip(("mean_rank", "mean_rank_low", "mean_rank_high"), mean_ranks[row], strict=True))
        there = {board.config["name"]: part.means[row, column] for board, part in zip(boards, each, strict=True)}
        rows.append(made | there)
    return pd.DataFrame(rows)


def _entrants(boards: Sequence[Board]) -> list[dict[str, str]]:
    """Experiment of each name under which it may stand on all leaderboards, for each of them."""
    everywhere = set.intersection(*(set(ranks.ranked(board)) for board in boards))
    return [_names(board, everywhere) for board in boards]


def _names(board: Board, everywhere: set[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {name: [name] for name in everywhere}
    for name in ranks.ranked(board):
        if name not in everywhere:
            found.setdefault(board.experiments[name][0].system, []).append(name)
    return {name: experiments[0] for name, experiments in found.items() if len(experiments) == 1}


def _mean_ranks(each: Sequence[Comparison], score: str) -> list[tuple[float, float, float]]:
    """Mean over leaderboards of each system's rank, with its interval, NaN without draws."""
    means, drawn = zip(*(ranks.places(part, score) for part in each), strict=True)
    known = all(part is not None for part in drawn)
    ends = [each[0].interval(row) if known else (np.nan, np.nan) for row in np.mean(drawn if known else means, axis=0)]
    return [(mean, *end) for mean, end in zip(np.mean(means, axis=0), ends, strict=True)]
