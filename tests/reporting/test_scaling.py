"""Speed by ranks: closed forms on invented runs, published times apart, and what counts as the same training."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import invented_study as invented
from karyobench.reporting import scaling
from karyobench.reporting.site import build

STEPS = 40


def entry(experiment, ranks, seconds_per_step, loss, seed=1, **changes):
    """A run of 40 steps of 6 patches, each step taking equally long."""
    train = {"batch": 6, "ranks": ranks, **changes}
    training = {
        "steps": STEPS,
        "ranks": ranks,
        "threads": 4 // ranks,
        "clock": [[step, step * seconds_per_step] for step in range(10, STEPS + 1, 10)],
        "config": {
            "experiment": experiment,
            "seed": seed,
            "threads": 4 // ranks,
            "train": train,
            "budget": {"steps": 40},
        },
    }
    history = pd.DataFrame({"step": np.arange(1, STEPS + 1), "loss": loss, "val_loss": np.nan})
    run = SimpleNamespace(experiment=experiment, seed=seed)
    return SimpleNamespace(run=run, training=training, history=history)


FALLING = np.linspace(2, 0.5, STEPS)


def test_patches_per_second_speed_up_and_efficiency_have_a_closed_form():
    measured = scaling.speeds([entry("two", 2, 0.25, FALLING), entry("one", 1, 0.4, FALLING)])
    table = scaling.table(measured)
    ours = table[table["source"] == "measured"]
    assert ours["run"].tolist() == ["one, seed 1", "two, seed 1"]
    assert ours["threads_per_rank"].tolist() == [4, 2]
    assert ours["patches_per_second"].tolist() == pytest.approx([15, 24])
    assert ours["speed_up"].tolist() == pytest.approx([1, 1.6])
    assert ours["efficiency"].tolist() == pytest.approx([1, 0.8])
    assert ours["seconds"].tolist() == pytest.approx([16, 10])


def test_the_level_is_the_lowest_loss_that_every_run_reached():
    high = np.full(STEPS, 1.5)
    measured = scaling.speeds([entry("one", 1, 1.0, FALLING), entry("two", 2, 1.0, high)])
    assert scaling.common_level(measured) == pytest.approx(1.5)
    falling, level = measured
    assert level.reached(1.5) == 1.0
    smoothed = pd.Series(FALLING).ewm(alpha=0.1).mean()
    assert falling.reached(1.5) == 1 + np.flatnonzero(smoothed <= 1.5)[0]


def test_published_times_stand_apart_with_their_own_speed_up():
    table = scaling.table(scaling.speeds([entry("one", 1, 1.0, FALLING), entry("two", 2, 0.5, FALLING)]))
    theirs = table[table["source"] == "published"]
    assert theirs["ranks"].tolist() == [1, 2, 4, 8]
    assert theirs["seconds_to_loss"].tolist() == [31269, 25823, 21009, 16697]
    assert theirs["speed_up"].tolist() == pytest.approx([1, 1.211, 1.488, 1.873], abs=5e-4)
    assert theirs["efficiency"].tolist() == pytest.approx([1, 0.605, 0.372, 0.234], abs=1e-3)
    assert theirs["patches_per_second"].isna().all()


def test_only_the_same_training_is_compared():
    one, other = entry("one", 1, 1.0, FALLING), entry("other", 2, 1.0, FALLING, learning_rate=0.1)
    untrained = SimpleNamespace(run=None, training=None, history=None)
    assert scaling.speeds([one, other, untrained]) == []
    second = entry("one", 1, 1.0, FALLING, seed=2)
    assert scaling.speeds([one, second]) == []
    assert [speed.ranks for speed in scaling.speeds([entry("two", 2, 1.0, FALLING), other, one, second])] == [1, 1, 2]


def test_the_picture_names_ranks_and_patches_per_second():
    svg = scaling.figure("speed", scaling.speeds([entry("one", 1, 0.4, FALLING), entry("two", 2, 0.25, FALLING)]))
    assert "one, seed 1: 1 rank of 4 threads, 15.0 patches/s" in svg
    assert "two, seed 1: 2 ranks of 2 threads, 24.0 patches/s" in svg
    assert "seconds of training" in svg


def test_the_site_shows_speed_beside_the_published_times(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.kron(np.diag([1, 2, 3]), np.ones((9, 9), np.int32))
    images = {"im": (np.zeros((27, 27, 3), np.uint8), labels)}
    found = {("unet3-1", 1): {"im": labels}, ("unet3-2", 1): {"im": labels}}
    board = invented.board("cells", images, found, trained={"unet3-1": 60, "unet3-2": 60})
    for row, ranks in zip(board["rows"], (1, 2), strict=True):
        run = json.loads(Path(row["run"]).read_text())
        run |= {"ranks": ranks, "threads": 1, "clock": [[60, 36 / ranks]]}
        run["config"] = {"train": {"batch": 6, "ranks": ranks}}
        Path(row["run"]).write_text(json.dumps(run))
    build(invented.study("speed", [board]), "site")

    page = Path("site/index.html").read_text()
    assert "Speed of training by ranks" in page
    assert page.count("parameter server and") == 4
    drawn = Path("site/figures/cells/scaling.svg").read_text()
    assert "unet3-2, seed 1: 2 ranks of 1 thread, 20.0 patches/s" in drawn
    rows = pd.read_csv("site/downloads/cells/cells_scaling.csv")
    assert rows["source"].tolist() == ["measured"] * 2 + ["published"] * 4
    assert rows["patches_per_second"][:2].tolist() == [10, 20]
