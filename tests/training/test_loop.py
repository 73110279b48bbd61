"""The training loop: equal runs are equal bit by bit, also when they were stopped; faults say what to do."""

import csv
import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from karyobench.errors import KaryobenchError
from karyobench.systems import weights
from karyobench.training import draws, loop


def same(one, other):
    """Whether two runs left the same weights and the same history."""
    return (
        one.weights.read_bytes() == other.weights.read_bytes()
        and one.history.read_bytes() == other.history.read_bytes()
    )


def rows(outputs):
    with open(outputs.history, newline="") as stream:
        return list(csv.DictReader(stream))


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_two_runs_are_equal_bit_by_bit(study):
    assert same(study.train("one"), study.train("two"))


def test_the_seed_matters(study):
    one = study.train("one")
    study.config["seed"] = 6
    assert not same(one, study.train("two"))


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
@pytest.mark.parametrize("step", [2, 3, 8, 10])
def test_a_killed_run_goes_on_as_if_it_had_not_been(study, stop_before, optimizer, step):
    study.config["train"]["optimizer"] = optimizer
    whole = study.train("whole")
    stop_before(step)
    with pytest.raises(KeyboardInterrupt):
        study.train("stopped")
    assert not study.outputs("stopped").weights.exists()
    assert study.checkpoints.exists() == (step >= 3)
    assert same(whole, study.train("stopped"))
    assert not study.checkpoints.exists()


def test_a_run_resumes_at_its_last_checkpoint(study, stop_before, caplog):
    stop_before(8)
    with pytest.raises(KeyboardInterrupt):
        study.train()
    caplog.set_level("INFO", "karyobench")
    stop_before(6)
    with pytest.raises(KeyboardInterrupt):
        study.train()
    assert "going on from the checkpoint of step 6" in caplog.text


def test_a_run_that_is_told_to_end_writes_a_checkpoint(study, stop_before):
    whole = study.train("whole")
    before = signal.getsignal(signal.SIGTERM)
    stop_before(4, terminate)
    with pytest.raises(KaryobenchError, match="told to end at step 5; start again"):
        study.train("stopped")
    assert signal.getsignal(signal.SIGTERM) == before
    seen = []
    stop_before(5, lambda: seen.append(5))
    assert same(whole, study.train("stopped"))
    assert seen == [5]


def test_the_step_by_hand_goes_on_after_sigterm(study):
    study.config["budget"]["steps"], study.config["train"]["checkpoint_every"] = 150, 1
    whole, outputs = study.train("whole"), study.outputs("stopped")
    command = study.command("stopped")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not study.checkpoints.exists() and process.poll() is None:
            time.sleep(0.02)
        process.terminate()
        errors = process.stderr.read()
    assert process.returncode == 1
    assert "error: told to end at step" in errors
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "going on from the checkpoint" in done.stderr
    assert same(whole, outputs)
    assert not study.checkpoints.exists()


@pytest.mark.parametrize("changed", ["code", "configuration", "patch file", "initial weights"])
def test_a_foreign_checkpoint_is_refused(study, stop_before, caplog, changed):
    stop_before(7)
    with pytest.raises(KeyboardInterrupt):
        study.train("stopped")
    kept = study.checkpoints.rename(study.folder / "kept")
    if changed == "configuration":
        study.config["train"]["weight_decay"] = 0.01
    if changed == "patch file":
        study.write_patches(train=9, val=4)
    options = {"fingerprint": "code:2" if changed == "code" else "code:1"}
    if changed == "initial weights":
        options["init"] = study.train("start").weights
    fresh = study.train("fresh", **options)
    kept.rename(study.checkpoints)
    assert same(fresh, study.train("stopped", **options))
    assert f"it was made with another {changed}; training starts from step 0" in caplog.text


def test_a_damaged_checkpoint_is_refused(study, caplog):
    study.checkpoints.mkdir()
    (study.checkpoints / "checkpoint.safetensors").write_bytes(b"half a file")
    study.train()
    assert "it cannot be read" in caplog.text


def test_files_hold_no_pickle(study, stop_before):
    stop_before(7)
    with pytest.raises(KeyboardInterrupt):
        study.train()
    state = load_file(study.checkpoints / "checkpoint.safetensors")
    assert {name.split("/")[0] for name in state} == {"network", "optimizer", "best", "losses"}
    assert [path.name for path in study.checkpoints.iterdir()] == ["checkpoint.safetensors"]
    assert set(load_file(study.train().weights)) == {name.split("/")[1] for name in state if name.startswith("best/")}


def test_the_weights_kept_have_the_lowest_validation_loss(study):
    study.config["budget"]["steps"], study.config["train"]["validate_every"] = 40, 1
    outputs = study.train()
    run, losses = json.loads(outputs.run.read_text()), [float(row["val_loss"]) for row in rows(outputs)]
    assert run["kept_step"] == np.argmin(losses) + 1
    assert run["val_loss"] == pytest.approx(min(losses), rel=1e-5)
    assert losses[-1] < losses[0]


def test_history_has_the_loss_of_each_step(study, monkeypatch):
    told, original = [], loop._step
    monkeypatch.setattr(loop, "_step", lambda *a: told.append(original(*a)) or told[-1])
    history = rows(study.train())
    assert [int(row["step"]) for row in history] == [*range(1, 12)]
    np.testing.assert_allclose([float(row["loss"]) for row in history], [loss for loss, _ in told], rtol=1e-5)
    assert [int(row["step"]) for row in history if row["val_loss"]] == [4, 8, 11]


def test_without_validation_patches_the_last_weights_are_kept(study):
    study.write_patches(train=10, val=0)
    outputs = study.train()
    run = json.loads(outputs.run.read_text())
    assert run["kept_step"] == 11
    assert run["val_loss"] is None
    assert {row["val_loss"] for row in rows(outputs)} == {""}


def test_training_starts_from_given_weights(study):
    start = study.train("start").weights
    study.config["train"]["learning_rate"] = 1e-12
    gained = load_file(study.train("next", init=start).weights)
    for name, tensor in load_file(start).items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(gained[name], tensor, rtol=0, atol=1e-9)


def test_weights_that_do_not_fit_are_named(study):
    start = study.train("start").weights
    study.config["network"]["width"] = 6
    with pytest.raises(
        KaryobenchError, match=r"0.weight is \(8, 3, 3, 3\), the network has \(6, 3, 3, 3\).*and 4 more"
    ):
        study.train("next", init=start)
    start.write_bytes(b"not weights")
    with pytest.raises(KaryobenchError, match="cannot be read as safetensors"):
        study.train("next", init=start)


def test_a_diverged_loss_says_where_and_what_to_do(study):
    study.config["train"] |= {"learning_rate": 1e30, "schedule": "constant"}
    message = r"experiment 'tiny-discs': the \w+ loss is (nan|inf) at step \d+, learning rate 1e\+30; lower"
    with pytest.raises(KaryobenchError, match=message):
        study.train()
    assert not study.outputs().weights.parent.exists()


@pytest.mark.parametrize(
    ("key", "message"), [("batchh", "'batchh' is unknown .did you mean 'batch'"), (None, "'batch' is missing")]
)
def test_settings_are_checked(study, key, message):
    batch = study.config["train"].pop("batch")
    if key:
        study.config["train"] |= {"batch": batch, key: 3}
    with pytest.raises(KaryobenchError, match=message):
        study.train()


def test_the_run_record_and_the_card_tell_the_whole_run(study):
    del study.config["targets"]  # as of a system that has none
    outputs = study.train()
    run = json.loads(outputs.run.read_text())
    weights = load_file(outputs.weights)
    assert run["config"] == study.config
    assert (run["experiment"], run["seed"], run["steps"], run["fingerprint"]) == ("tiny-discs", 5, 11, "code:1")
    count = sum(weights[f"{name}.{kind}"].numel() for name in "014" for kind in ("weight", "bias"))
    assert (run["parameters"], run["trainable"]) == (count, count)
    assert run["software"]["torch"] == torch.__version__
    assert len(run["patches_sha256"]) == 64
    card = outputs.card.read_text()
    for told in ("tiny-discs, seed 5", "pixel classifier of a test", '"discs"', "11 steps", f"step {run['kept_step']}"):
        assert told in card
    for row in (f"Parameters: {count:,}.", '| network | {"width":8} |', "| loss | {} |"):
        assert row in card
    assert "targets" not in card


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 3))
def test_each_epoch_takes_every_patch_once(size, count, seed):
    drawn = np.concatenate([draws.batch_indices(step, size, count, seed) for step in range(3 * count)])
    for epoch in drawn[: len(drawn) // count * count].reshape(-1, count):
        assert sorted(epoch.tolist()) == [*range(count)]


def test_checkpoints_are_never_half_written(study, stop_before, monkeypatch):
    stop_before(4)
    with pytest.raises(KeyboardInterrupt):
        study.train()
    first = (study.checkpoints / "checkpoint.safetensors").read_bytes()

    def half(tensors, path, metadata):
        path.write_bytes(first[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "save_file", half)
    with pytest.raises(KeyboardInterrupt):
        study.train()
    assert (study.checkpoints / "checkpoint.safetensors").read_bytes() == first
