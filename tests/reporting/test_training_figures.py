"""Published figures of training beside those of runs: rates of the weights kept, losses after so many epochs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import invented_study as invented
from karyobench.errors import KaryobenchError
from karyobench.reporting import outputs, reproduction, tables, training_figures
from karyobench.reporting.runs import Run

HEADER = "step,loss,val_loss,learning_rate,rate,train_rate"
RECORD = {
    **{"kept_step": 40, "planned_steps": 60, "measures": {"rate": 0.9}},
    "config": {"budget": {"epochs": 30}, "data": {"train": ["breakhis"]}},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run_of(name, *, seed=1, steps=60, every=4, offset=0.0, **record):
    """A run with a validation every few steps: its loss is the step / 100, the batches' rate the step / 1000."""
    lines = [HEADER]
    for step in range(1, steps + 1):
        validated = f"{step / 100 + offset},0.001,0.5" if every and step % every == 0 else ",0.001,"
        lines.append(f"{step},1,{validated},{step / 1000 + offset}")
    Path(f"{name}-{seed}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = {"steps": steps, "record": RECORD | record, "history": f"{name}-{seed}.csv"}
    return Run(name, name, "t", seed, device="cpu", counts=pd.DataFrame(), **told)


def test_a_loss_is_that_of_the_validation_nearest_to_the_epoch():
    # 60 steps are 30 epochs: epoch 5 ends at step 10, between the validations of steps 8 and 12; epoch 7 at step 14.
    one = run_of("a", every=3)
    assert training_figures.measured("loss@epoch5", [one]) == (0.09, "validation patches, step 9", "val", False)
    assert training_figures.measured("loss@epoch7", [one])[:2] == (0.15, "validation patches, step 15")
    assert training_figures.measured("loss@epoch30", [one])[:2] == (0.6, "validation patches, step 60")
    two = training_figures.measured("loss@epoch30", [one, run_of("a", seed=2, offset=0.2)])
    assert two.value == pytest.approx(0.7)


def test_a_run_that_ended_before_the_epoch_or_counts_none_has_no_loss():
    # Step 10 is the end of epoch 5, and 12 that of 6.
    short = run_of("a", steps=10, every=5)
    assert training_figures.measured("loss@epoch5", [short]).value == pytest.approx(0.1)
    ended = training_figures.measured("loss@epoch6", [short])
    assert np.isnan(ended.value) and ended.ended
    for other in (run_of("b", every=0), run_of("c", config={"budget": {"steps": 60}, "data": {"train": ["x"]}})):
        found = training_figures.measured("loss@epoch5", [other])
        assert np.isnan(found.value) and not found.ended


def test_rates_are_those_of_the_weights_kept():
    both = [run_of("a"), run_of("a", seed=2, measures={"rate": 0.8}, kept_step=20)]
    found = training_figures.measured("recognition_rate", both)
    assert found[:3] == (pytest.approx(0.85), "validation patches, step 40 and 20", "val")
    # Batches of steps 1 to 40; of a longer run those of the last hundred steps: 101 to 200.
    trained = training_figures.measured("recognition_rate@training", [both[0]])
    assert trained[:3] == (pytest.approx(0.0205), "training patches, up to step 40", "train")
    long = training_figures.measured("recognition_rate@training", [run_of("b", steps=240, kept_step=200)])
    assert long.value == pytest.approx(0.1505)
    assert np.isnan(training_figures.measured("recognition_rate", [run_of("c", measures={})]).value)


def test_what_was_not_trained_or_has_no_such_column_tells_nothing():
    untrained = replace(run_of("a"), record=None, history=None)
    for metric in ("recognition_rate", "recognition_rate@training", "loss@epoch5"):
        assert np.isnan(training_figures.measured(metric, [untrained]).value)
    old = run_of("b")
    frame = pd.read_csv(old.history).drop(columns="train_rate")
    frame.to_csv(old.history, index=False)
    assert np.isnan(training_figures.measured("recognition_rate@training", [old]).value)
    record = {name: value for name, value in RECORD.items() if name != "measures"}
    with pytest.raises(KaryobenchError, match=r"'b', seed 1.*'measures'.*train again"):
        training_figures.measured("recognition_rate", [replace(old, record=record)])


def test_only_figures_of_training_are_told_by_it():
    told = {"recognition_rate", "recognition_rate@training", "loss@epoch5", "loss", "image_rate", "loss@epoch"}
    assert {name for name in told if training_figures.tells(name)} == {
        *("recognition_rate", "recognition_rate@training", "loss@epoch5")
    }


def board(name, experiments, published, subset=""):
    """A leaderboard of two images on which every experiment is trained for 60 steps, as RECORD tells."""
    labels = np.zeros((6, 12), np.int32)
    labels[1:5, 1:5] = 1
    images = {image: (np.zeros((6, 12, 3), np.uint8), labels) for image in ("im0", "im1")}
    predictions = {(experiment, 1): dict.fromkeys(images, labels) for experiment in experiments}
    trained = dict.fromkeys(experiments, 60)
    config = invented.board(name, images, predictions, trained=trained, subset=subset)
    for row in config["rows"]:
        record = json.loads(Path(row["run"]).read_text(encoding="utf-8"))
        Path(row["run"]).write_text(json.dumps(record | RECORD), encoding="utf-8")
        row["history"] = run_of(row["experiment"]).history
    config["published"] = published
    return invented.read(config)


def test_figures_of_vgg16_stand_beside_training_and_not_beside_test_images():
    read = board("breakhis", ["vgg16_a", "vgg16_b"], "breakhis")
    table = reproduction.table(read)
    table = table[table["experiment"] == "vgg16_a"].set_index(["metric", "split"])
    trained = table.loc[("recognition_rate@training", "training images of BreakHis")]
    assert (trained["published"], trained["measured"]) == ("0.95", pytest.approx(0.0205))
    assert (trained["measured_on"], trained["verdict"]) == ("training patches, up to step 40", "not reproduced")
    losses = table.loc[[f"loss@epoch{n}" for n in (5, 10, 15, 20, 25, 30)]]
    assert losses["measured"].tolist() == pytest.approx([0.08, 0.2, 0.28, 0.4, 0.48, 0.6])
    assert set(losses["verdict"]) == {"not comparable because its part of the images differs"}
    # The rate on test images is no score of outlines.
    assert table.loc["image_rate"]["measured"].isna().all()
    part = reproduction.table(board("breakhis", ["vgg16_a"], "breakhis", subset="some"))
    told = part[(part["metric"] == "recognition_rate@training") & (part["experiment"] == "vgg16_a")]["verdict"]
    assert told.tolist() == ["not comparable because only a subset of its images is at hand"]


def test_a_loss_after_more_epochs_than_were_run_is_below_budget():
    read = board("breakhis", ["vgg16_a"], "breakhis")
    cut = replace(read.runs[0], steps=20)
    table = reproduction.table(replace(read, runs=[cut])).query("experiment == 'vgg16_a'").set_index("metric")
    reached = table[table.index.str.startswith("loss@")]
    assert reached["verdict"].eq("below budget").tolist() == [False, False, True, True, True, True]
    assert reached["measured"].isna().tolist() == [False, False, True, True, True, True]
    assert "ended before the figure's epoch" in reproduction.RULE


@pytest.mark.parametrize("experiment", ["alexnet-janowczyk", "alexnet-hgsc"])
def test_figures_of_alexnet_stand_beside_experiments_on_either_dataset(experiment):
    """`alexnet-janowczyk` by its own name, `alexnet-hgsc` by that of its system."""
    read = board("hgsc", [experiment], "alexnet")
    table = reproduction.table(read)
    here = table[table["experiment"] == experiment].set_index("source")
    assert len(here) == 3
    tested = here.loc["improved AlexNet paper section 3.2"]
    assert (tested["measured"], tested["difference"]) == (0.9, pytest.approx(-0.02))
    assert tested["verdict"] == "not comparable because its split is not stated"
    bound = here.loc["improved AlexNet paper figure 3"]
    assert bound["measured"] == pytest.approx(0.0205)
    cells, alignment = tables.reproduction_cells(table)
    assert [row[1].removeprefix("recognition_rate") for row in cells[1:]] == ["@training", "", "@training"]
    assert [row[9].split()[0] for row in cells[1:]] == ["training", "validation", "training"]
    assert len(cells[0]) == len(alignment)
    assert "validation patches, step 40" in outputs.texts(read)["markdown"]
