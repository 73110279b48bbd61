"""Ranking over the leaderboards of a study: who enters, means over image sets, draws of each set on its own."""

import io
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from karyobench.metrics.scores import SCORES
from karyobench.reporting import overall, ranks, statistics

N = 12


def part(rows):
    """Comparison of rows of AJI values per image."""
    tables = {name: pd.DataFrame({"aji": values}) for name, values in rows.items()}
    return statistics.compare(tables, [str(k) for k in range(N)])


def board(name, **experiments):
    """A leaderboard's name and experiments; the value of each is its system."""
    runs = {
        key.replace("_", "-"): [SimpleNamespace(system=system, fake=system == "oracle_truth")]
        for key, system in experiments.items()
    }
    return SimpleNamespace(config={"name": name}, experiments=runs)


def test_entrants_are_common_experiments_and_systems_with_one_experiment():
    first = board("p", otsu="otsu", unet_p="unet3", a="alexnet", b="alexnet", same_name="x", oracle="oracle_truth")
    second = board("q", otsu="otsu", unet_q="unet3", a_q="alexnet", same_name="x", oracle="oracle_truth", only="y")
    assert overall.systems([first, second]) == ["otsu", "same-name", "unet3"]
    assert overall.systems([first]) == []
    assert overall.systems([]) == []


def test_a_common_experiment_takes_its_system_with_it():
    first = board("p", unet_a="unet3", unet_b="unet3")
    second = board("q", unet_a="unet3", unet_c="unet3")
    # unet-b and unet-c are the one other experiment of the system on each.
    assert overall.systems([first, second]) == ["unet-a", "unet3"]


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(5)
    base = rng.random((2, N))
    sets = [
        {"x-p": base[0], "y-p": base[0] - 0.1, "z-p": base[0] - 0.2},
        {"x-q": base[1] / 2, "y-q": base[1] / 2 + 0.06, "z-q": base[1] / 2 - 0.3},
    ]
    boards = [board(end, **{f"{s}_{end}": s for s in "xyz"}) for end in "pq"]
    return boards, overall.comparisons(boards, [part(rows) for rows in sets])


def test_table_averages_leaderboards_and_their_ranks(study):
    boards, each = study
    table = overall.table(each, boards, "aji").set_index("system")
    assert table.index.tolist() == ["x", "y", "z"]
    means = np.mean([one.means[:, 0] for one in each], axis=0)
    assert table["aji"].tolist() == pytest.approx(means)
    for name, one in zip("pq", each, strict=True):
        assert table[name].tolist() == pytest.approx(one.means[:, 0])
    assert table["aji_difference"].tolist() == pytest.approx([0, -0.02, -0.25])
    assert table["mean_rank"].tolist() == [1.5, 1.5, 3]
    # Constant differences on each set: ranks and differences are the same in every draw.
    assert (table["mean_rank_low"] == table["mean_rank"]).all() and (
        table["mean_rank_high"] == table["mean_rank"]
    ).all()
    assert table["aji_difference_low"].tolist() == pytest.approx([0, -0.02, -0.25])
    assert table["aji_tied"].tolist() == ["best", "no", "no"]


def test_sets_of_equally_many_images_are_drawn_on_their_own(study):
    _, each = study
    first, second = (one.draws[0, 0] for one in each)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    whole = statistics.average(each)
    expected = np.sqrt(first.var() + second.var()) / 2
    assert whole.draws[0, 0].std() == pytest.approx(expected, rel=0.05)
    assert whole.n_units == 2 * N


def test_too_few_images_on_one_leaderboard_leave_out_the_intervals(study):
    boards, each = study
    few = statistics.compare({s: pd.DataFrame({"aji": [0.1, 0.2]}) for s in "xyz"}, ["a", "b"])
    table = overall.table([each[0], few], boards, "aji")
    assert table[["aji_low", "aji_high", "mean_rank_low", "mean_rank_high"]].isna().all().all()
    assert set(table["aji_tied"]) == {""}


def test_texts_of_two_leaderboards(monkeypatch, study):
    boards, each = study
    compared = {one.config["name"]: part for one, part in zip(boards, each, strict=True)}
    named = {end: compared[end].only(list("xyz")) for end in "pq"}
    for end, one in named.items():
        one.names[:] = [f"{s}-{end}" for s in "xyz"]
    monkeypatch.setattr(ranks, "comparison", lambda one, scores: named[one.config["name"]])
    texts = overall.texts(boards, "aji", "AJI")
    table = pd.read_csv(io.StringIO(texts["overall"]), dtype=str, keep_default_na=False)
    assert table["system"].tolist() == ["x", "y", "z"]
    assert table["aji_rank"].tolist() == ["1", "2", "3"]
    picture = ElementTree.fromstring(texts["overall_ranks"])
    words = " ".join(" ".join(picture.itertext()).split())
    assert "rank by mean AJI" in words
    assert "24 images or groups of images of 2 leaderboards" in words
    assert overall.texts(boards[:1], "aji", "AJI") == {}


def test_every_score_of_a_leaderboard_is_better_the_higher():
    from karyobench.metrics.definitions import HIGHER, every_score

    known = every_score({"iou_thresholds": [0.5], "f1_threshold": 0.5})
    assert {known[score].better for score in SCORES} == {HIGHER}
