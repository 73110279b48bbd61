"""Intervals and spread: known cases, and a bootstrap written out."""

import itertools

import numpy as np
import pandas as pd
import pytest

from karyobench.reporting import statistics


def frame(*values):
    return pd.DataFrame({"aji": values})


def interval(scores, groups, score="aji"):
    cells = statistics.compare({"": scores}, groups).cells("")
    return cells[f"{score}_low"], cells[f"{score}_high"]


def every_draw(values, groups):
    """Means of all equally likely draws of whole groups."""
    members = [[v for v, g in zip(values, groups, strict=True) if g == name] for name in sorted(set(groups))]
    picks = itertools.product(range(len(members)), repeat=len(members))
    return [np.mean(list(itertools.chain.from_iterable(members[i] for i in pick))) for pick in picks]


def test_spread_is_the_sample_standard_deviation():
    assert statistics.spread(frame(0.2, 0.4, 0.9))["aji"] == pytest.approx(np.sqrt(0.26 / 2))
    assert np.isnan(statistics.spread(frame(0.4))["aji"])


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["a", "b", "c"], ("images", 3)),
        (["a", "a", "a"], ("images", 3)),
        (["a", "a", "b"], ("groups", 2)),
    ],
)
def test_units(groups, expected):
    assert statistics.units(groups) == expected


@pytest.mark.parametrize("groups", [["a", "b"], ["a"], ["a", "a", "b", "b", "b"]])
def test_no_interval_from_too_few_units(groups):
    values = np.linspace(0, 1, len(groups))
    compared = statistics.compare({"": frame(*values)}, groups)
    assert compared.draws is None
    assert compared.means.item() == pytest.approx(values.mean())
    assert np.isnan(interval(frame(*values), groups)).all()


def test_equal_images_give_an_interval_of_no_width():
    assert interval(frame(0.5, 0.5, 0.5), list("abc")) == (0.5, 0.5)


def test_three_images_reach_both_ends():
    # All three draws hit the worst image once in 27: more often than 2.5%, so the interval spans the values.
    assert interval(frame(0.1, 0.6, 0.8), list("abc")) == (pytest.approx(0.1), pytest.approx(0.8))


def test_groups_are_drawn_whole():
    values, groups = (0.0, 0.2, 0.4, 0.9, 1.0, 0.3, 0.7), list("aabbbcd")
    low, high = interval(frame(*values), groups)
    means = every_draw(values, groups)
    assert low == pytest.approx(np.quantile(means, 0.025), abs=0.03)
    assert high == pytest.approx(np.quantile(means, 0.975), abs=0.03)


def test_draws_are_the_means_of_drawn_groups():
    rng = np.random.default_rng(3)
    values, groups = rng.random(6).tolist(), list("abbccc")
    drawn = statistics.compare({"": frame(*values)}, groups).draws.ravel()
    possible = np.unique(np.round(every_draw(values, groups), 9))
    assert set(np.round(drawn, 9)) <= set(possible)
    assert drawn.mean() == pytest.approx(np.mean(every_draw(values, groups)), abs=0.01)


def test_rows_and_scores_share_the_images_of_a_draw():
    rng = np.random.default_rng(1)
    scores = pd.DataFrame({"aji": rng.random(9), "pq": rng.random(9)})
    groups = list("abcdefghi")
    compared = statistics.compare({"x": scores, "y": scores + 0.25, "z": 1 - scores}, groups)
    assert compared.draws.shape == (3, 2, statistics.RESAMPLES)
    assert compared.draws[1] == pytest.approx(compared.draws[0] + 0.25)
    assert compared.draws[2] == pytest.approx(1 - compared.draws[0])


def test_interval_is_repeatable_and_column_by_column():
    rng = np.random.default_rng(1)
    scores = pd.DataFrame({"aji": rng.random(40), "pq": rng.random(40)})
    groups = [str(i) for i in range(40)]
    ends = interval(scores, groups, "pq")
    assert ends == interval(scores, groups, "pq")
    assert ends == pytest.approx(interval(scores[["pq"]], groups, "pq"))
    half = 1.96 * scores["pq"].std() / np.sqrt(40)
    assert (ends[1] - ends[0]) / 2 == pytest.approx(half, rel=0.1)


def test_undefined_scores_are_left_out():
    scores = frame(0.2, np.nan, 0.6, np.nan, 1.0)
    groups = list("abcde")
    compared = statistics.compare({"": scores}, groups)
    assert compared.means.item() == pytest.approx(0.6)
    undefined = np.isnan(compared.draws).mean()
    assert undefined == pytest.approx(0.4**5, abs=0.005)
    assert interval(scores, groups) == (pytest.approx(0.2), pytest.approx(1.0))
    nothing = statistics.compare({"": frame(np.nan, np.nan, np.nan)}, list("abc"))
    assert np.isnan(nothing.means).all()
    assert np.isnan(list(nothing.cells("").values())).all()


def test_some_rows_keep_their_draws():
    rng = np.random.default_rng(2)
    tables = {name: pd.DataFrame({"aji": rng.random(5)}) for name in "xyz"}
    compared = statistics.compare(tables, list("abcde"))
    fewer = compared.only(["z", "x"])
    assert fewer.names == ["z", "x"]
    assert (fewer.draws == compared.draws[[2, 0]]).all()
    assert fewer.cells("x") == compared.cells("x")
