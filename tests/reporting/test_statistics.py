"""Intervals and spread: known cases, and a bootstrap written out."""

import numpy as np
import pandas as pd
import pytest

from karyobench.reporting import statistics


def frame(*values):
    return pd.DataFrame({"aji": values})


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
    low, high = statistics.interval(frame(*np.linspace(0, 1, len(groups))), groups)
    assert low.isna().all()
    assert high.isna().all()


def test_equal_images_give_an_interval_of_no_width():
    low, high = statistics.interval(frame(0.5, 0.5, 0.5), list("abc"))
    assert (low["aji"], high["aji"]) == (0.5, 0.5)


def test_three_images_reach_both_ends():
    # All three draws hit the worst image once in 27: more often than 2.5%, so the interval spans the values.
    low, high = statistics.interval(frame(0.1, 0.6, 0.8), list("abc"))
    assert (low["aji"], high["aji"]) == (pytest.approx(0.1), pytest.approx(0.8))


def test_groups_are_drawn_whole():
    scores = frame(0.0, 0.2, 0.4, 0.9, 1.0, 0.3, 0.7)
    groups = list("aabbbcd")
    low, high = statistics.interval(scores, groups)
    members = [scores["aji"][[g == name for g in groups]].to_numpy() for name in "abcd"]
    picks = np.stack(np.meshgrid(*[range(4)] * 4)).reshape(4, -1).T
    means = [np.concatenate([members[i] for i in pick]).mean() for pick in picks]
    assert low["aji"] == pytest.approx(np.quantile(means, 0.025), abs=0.03)
    assert high["aji"] == pytest.approx(np.quantile(means, 0.975), abs=0.03)


def test_interval_is_repeatable_and_column_by_column():
    rng = np.random.default_rng(1)
    scores = pd.DataFrame({"aji": rng.random(40), "pq": rng.random(40)})
    groups = [str(i) for i in range(40)]
    low, high = statistics.interval(scores, groups)
    again, _ = statistics.interval(scores, groups)
    alone, _ = statistics.interval(scores[["pq"]], groups)
    assert low.tolist() == again.tolist()
    assert low["pq"] == pytest.approx(alone["pq"])
    half = 1.96 * scores.std() / np.sqrt(40)
    assert ((high - low) / 2).to_numpy() == pytest.approx(half.to_numpy(), rel=0.1)
