"""Ranks, differences to the best and groups that do not differ: written-out twins, ties, too few images."""

import numpy as np
import pandas as pd
import pytest

from karyobench.reporting import critical, ranks, statistics

N = 30
ALONE = [str(k) for k in range(N)]


def table(values, other=None):
    return pd.DataFrame({"aji": values, "pq": values if other is None else other})


@pytest.fixture(scope="module")
def compared():
    """Four rows: `first` and `second` close, `third` equal to `second` in every image, `last` far behind."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.6, N)
    noise = rng.normal(0, 0.05, N)
    rows = {
        "second": table(base + 0.05),
        "first": table(base + 0.055 + noise - noise.mean(), base),
        "last": table(base - 0.3),
        "third": table(base + 0.05),
    }
    return statistics.compare(rows, ALONE)


def test_standings_equal_a_loop_over_draws(compared):
    found = ranks.standings(compared)
    drawn = compared.draws[:, 0]
    for row, name in enumerate(compared.names):
        places = [1 + sum(other > column[row] + 1e-9 for other in column) for column in drawn.T]
        cells = found[name]
        assert cells["aji_rank_low"] == sorted(places)[int(0.025 * len(places))]
        assert cells["aji_rank_high"] == sorted(places)[int(0.975 * len(places))]
        behind = drawn[row] - drawn[1]
        assert cells["aji_difference"] == pytest.approx(compared.means[row, 0] - compared.means[1, 0])
        assert cells["aji_difference_low"] == pytest.approx(np.quantile(behind, 0.025))
        assert cells["aji_difference_high"] == pytest.approx(np.quantile(behind, 0.975))


def test_equal_rows_share_the_better_rank(compared):
    found = ranks.standings(compared)
    assert {name: cells["aji_rank"] for name, cells in found.items()} == {
        "first": 1,
        "second": 2,
        "third": 2,
        "last": 4,
    }
    assert found["second"] == found["third"]
    assert [found[name]["aji_tied"] for name in ("first", "second", "third", "last")] == ["best", "yes", "yes", "no"]
    assert [found["last"][f"aji_rank{end}"] for end in ("_low", "_high")] == [4, 4]


def test_each_score_has_its_own_best(compared):
    found = ranks.standings(compared)
    assert found["first"]["aji_tied"] == "best"
    assert [found[name]["pq_tied"] for name in ("second", "third", "first")] == ["best", "best", "no"]
    # The same draws: a constant difference has an interval of no width, however much the images differ.
    ends = [found["last"][f"pq_difference{end}"] for end in ("_low", "", "_high")]
    assert ends == pytest.approx([-0.35] * 3)


def test_pairs_count_wins_and_halve_equal_draws(compared):
    found = ranks.pairs(compared).set_index(["score", "experiment", "versus"])
    assert len(found) == 2 * 6
    assert found.loc[("aji", "second", "third"), "wins"] == 0.5
    assert found.loc[("aji", "second", "last"), "wins"] == 1
    ahead = (compared.draws[1, 0] > compared.draws[0, 0]).mean()
    assert found.loc[("aji", "first", "second"), "wins"] == pytest.approx(ahead, abs=1e-9)
    assert found.loc[("aji", "first", "last"), "tied"] == "no"


def test_joined_are_the_longest_runs_without_a_difference():
    values = np.linspace(0.2, 0.8, N)
    wave = np.tile([1.0, -1.0], N // 2)
    # Neighbours differ by 0.01 on average, and by 0.05 more or less in every second image; two steps apart they differ.
    rows = {name: table(values - 0.01 * k + 0.03 * (k % 2) * wave) for k, name in enumerate("abcd")}
    found = statistics.compare(rows, ALONE)
    tied = {
        tuple(row)
        for row in ranks.pairs(found).query("score == 'aji' and tied == 'yes'")[["experiment", "versus"]].to_numpy()
    }
    assert tied == {("a", "b"), ("b", "c"), ("c", "d")}
    assert ranks.joined(found, "aji") == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert ranks.order(found, "aji") == list("abcd")


def test_joined_takes_no_group_within_another(compared):
    assert ranks.joined(compared, "aji") == [["first", "second", "third"]]


def test_too_few_images_keep_ranks_and_leave_out_intervals():
    compared = statistics.compare({"x": table([0.1, 0.2]), "y": table([0.3, 0.4])}, ["a", "b"])
    cells = ranks.standings(compared)["x"]
    assert (cells["aji_rank"], cells["aji_difference"]) == (2, pytest.approx(-0.2))
    assert (cells["aji_rank_low"], cells["aji_rank_high"], cells["aji_tied"]) == ("", "", "")
    assert np.isnan([cells["aji_difference_low"], cells["aji_difference_high"]]).all()
    assert ranks.joined(compared, "aji") == []
    pair = ranks.pairs(compared).iloc[0]
    assert (pair["experiment"], pair["tied"]) == ("y", "")
    assert np.isnan(pair["wins"])


def test_undefined_scores_take_no_rank():
    rows = {"x": table([0.1, 0.2, 0.3]), "none": table([np.nan] * 3), "y": table([0.3, 0.4, 0.5])}
    compared = statistics.compare(rows, list("abc"))
    found = ranks.standings(compared)
    assert set(found["none"].values()) == {""}
    assert [found[name]["aji_rank"] for name in "xy"] == [2, 1]
    assert ranks.order(compared, "aji") == ["y", "x", "none"]
    undefined = statistics.compare({"none": table([np.nan] * 3)}, list("abc"))
    assert set(ranks.standings(undefined)["none"].values()) == {""}


def test_no_rows_make_empty_tables():
    compared = statistics.compare({"x": table([0.1, 0.2, 0.3])}, list("abc")).only([])
    assert ranks.standings(compared) == {}
    assert ranks.pairs(compared).empty
    assert ranks.joined(compared, "aji") == []
    assert "<circle" not in critical.picture(compared, "aji", "AJI", "r")


def test_picture_tells_why_it_has_no_intervals():
    rows = {"x<y>": table([0.1, 0.2, 0.5, 0.4]), "b" * 40: table([0.3, 0.4, 0.1, 0.2])}
    drawn = critical.picture(statistics.compare(rows, list("ppqq")), "aji", "AJI", "r")
    assert "No intervals and no bars: 2 groups of images are too few" in drawn
    assert "stroke-width" not in drawn
    assert "x&lt;y&gt;" in drawn and "x<y>" not in drawn
    assert f"<title>{'b' * 40}</title>" in drawn and f">{'b' * 25}…<" in drawn
    assert 'id="r-title"' in drawn


def test_picture_names_as_many_ranks_as_there_is_room_for():
    rng = np.random.default_rng(0)
    rows = {f"row{k}": table(rng.random(5) + k) for k in range(40)}
    drawn = critical.picture(statistics.compare(rows, list("abcde")), "aji", "AJI", "r")
    assert drawn.count("<circle") == 40
    assert drawn.count('stroke-opacity="0.2"') == 10
