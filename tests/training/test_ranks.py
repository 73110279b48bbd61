"""Two ranks train as one process does, go on after a kill bit by bit, and never outlive the step that started them."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import exporting
import plain_system
from karyobench.errors import KaryobenchError
from karyobench.training import ranks, setup

PLAIN = Path(plain_system.__file__).read_text()
MEASURES = """
def measures(outputs, targets, config):
    return {"rate": (outputs.argmax(1) == targets).float().mean().item()}
"""
FAILING = PLAIN.replace(
    "def examples(batch, rng, config):\n",
    "def examples(batch, rng, config):\n"
    "    import os\n"
    "    from karyobench.errors import KaryobenchError\n"
    "    if os.environ['RANK'] == '1':\n"
    "        raise KaryobenchError('the second rank has no colours')\n",
)


def processes(study):
    """Processes that work on a study."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(study.patches) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.02)


def step_of(study):
    """Step of the checkpoint; 0 where there is none."""
    path = study.checkpoints / "checkpoint.safetensors"
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        return int(file.metadata()["karyobench"].split('"step": ')[1].split(",")[0])


@contextmanager
def running(study, name):
    """The step in the background, until its checkpoint has got further by some steps; then its end is awaited."""
    first = step_of(study)
    with subprocess.Popen(study.command(name), stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: step_of(study) > first or process.poll() is not None)
        time.sleep(random.Random(first).random() / 4)
        yield process


def run(study, name):
    return subprocess.run(study.command(name), capture_output=True, text=True)


def test_two_ranks_learn_what_one_learns(study):
    (study.folder / "tiny.py").write_text(PLAIN + MEASURES)
    study.config["train"] |= {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.2}
    one = study.train("one")
    study.config["train"]["ranks"] = 2
    command = [*study.command("two"), "--ranks-per-node", "1"]  # tells of nodes, and here is only one
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = study.outputs("two")
    columns = [np.genfromtxt(outputs.history, delimiter=",", skip_header=1) for outputs in (one, two)]
    np.testing.assert_allclose(*columns, rtol=1e-5)
    assert "step,loss,val_loss,learning_rate,rate,train_rate" in two.history.read_text()
    assert columns[0][-1, 1] < 0.8 * columns[0][0, 1]
    weights = load_file(two.weights)
    for name, tensor in load_file(one.weights).items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-5, atol=1e-6)


def test_ranks_killed_twice_go_on_as_if_they_had_not_been(study):
    study.config["budget"]["steps"] = 150
    study.config["train"] |= {"ranks": 2, "checkpoint_every": 1, "validate_every": 100}
    whole = run(study, "whole")
    assert whole.returncode == 0, whole.stderr

    with running(study, "stopped") as step:
        victim = next(p for p in processes(study) if p.pid != step.pid and p.environ()["RANK"] == "1")
        victim.kill()
        said = step.stderr.read()
    assert step.returncode == 1
    assert "error: rank 1 of 2, counted from 0, was killed by signal 9" in said
    assert processes(study) == []

    with running(study, "stopped") as step:
        step.kill()
    assert step.returncode == -signal.SIGKILL
    wait_until(lambda: processes(study) == [], seconds=5)
    assert not study.outputs("stopped").weights.exists()

    resumed = run(study, "stopped")
    assert "going on from the checkpoint" in resumed.stderr
    for file in ("weights", "history"):
        one, other = (getattr(study.outputs(name), file).read_bytes() for name in ("whole", "stopped"))
        assert one == other
    assert not study.checkpoints.exists()


@pytest.mark.slow
def test_ranks_that_are_told_to_end_write_one_checkpoint(study):
    study.config["budget"]["steps"] = 150
    study.config["train"] |= {"ranks": 2, "checkpoint_every": 1, "validate_every": 100}
    assert run(study, "whole").returncode == 0
    with running(study, "stopped") as step:
        step.terminate()
        said = step.stderr.read()
    assert step.returncode == 1
    assert "error: told to end at step" in said
    assert processes(study) == []
    assert run(study, "stopped").returncode == 0
    assert study.outputs("stopped").weights.read_bytes() == study.outputs("whole").weights.read_bytes()


def test_a_rank_that_fails_ends_the_step_with_its_message(study):
    (study.folder / "tiny.py").write_text(FAILING)
    study.config["train"]["ranks"] = 2
    done = run(study, "failed")
    assert done.returncode == 1
    assert "error: the second rank has no colours" in done.stderr
    assert "error: rank 1 of 2, counted from 0, failed; its message stands above" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes(study) == []
    assert not study.outputs("failed").weights.exists()


@pytest.mark.parametrize("told_to_end", [[], [signal.SIGTERM]])
def test_the_others_are_not_waited_for_for_ever_when_one_has_failed(monkeypatch, told_to_end):
    monkeypatch.setattr(ranks, "_APART_SECONDS", 0.1)
    started = [subprocess.Popen(command) for command in (["sleep", "600"], ["sh", "-c", "exit 3"])]
    try:
        assert ranks._first_failure(started, told_to_end) == (1, 3)
    finally:
        started[0].kill()
        started[0].wait()


def test_ranks_draw_as_many_windows_as_one_process(study):
    """The loss is the number of windows: its mean over ranks is that of each."""
    counted = (
        'TASK, OUTPUT, TRAINED, KEYS = "count", "maps", True, {}\n'
        "import torch\n"
        "from karyobench.systems.windows.sampling import examples\n"
        "def build(config): return torch.nn.Conv2d(3, 2, 32)\n"
        "def loss(outputs, targets, config): return outputs.sum() * 0 + len(targets)\n"
        "def predict(network, tile, config): ...\n"
        "def instances(maps, config): ...\n"
    )
    (study.folder / "tiny.py").write_text(counted)
    exporting.write_patches(study.patches, count=4, side=64)
    study.config |= {"targets": {"positives": 12, "ring": 3, "elsewhere": 0.5, "stroma": None}, "budget": {"steps": 2}}
    study.train("one")
    study.config["train"]["ranks"] = 2
    assert run(study, "two").returncode == 0
    for name, count in (("one", 1), ("two", 2)):
        history = np.genfromtxt(study.outputs(name).history, delimiter=",", names=True)
        assert set(history["loss"]) == {(12 + 12 + 6) / count}


def test_ranks_wait_for_hours_while_the_first_one_validates(monkeypatch, study):
    def stop(**options):
        raise Replaced(options["timeout"])

    monkeypatch.setattr(setup, "DDPStrategy", stop)
    monkeypatch.setattr(ranks, "on_this_machine", lambda count: count)
    with pytest.raises(Replaced) as told:
        setup._fabric(study.config["train"] | {"ranks": 2}, on_gpu=False)
    assert told.value.args[0] >= timedelta(hours=3)


def test_the_loop_alone_is_no_rank(study):
    study.config["train"]["ranks"] = 2
    with pytest.raises(KaryobenchError, match=r"train.ranks is 2, and this process is none of them"):
        study.train()


class Replaced(BaseException):
    """Stands for the process that another program takes the place of."""


def test_srun_takes_the_place_of_the_step_in_a_job_of_several_tasks(monkeypatch):
    called = []

    def replace(program, command, environment):
        called.append((command, environment))
        raise Replaced

    monkeypatch.delenv("KARYOBENCH_RANKS", raising=False)
    monkeypatch.setattr(os, "execvpe", replace)
    monkeypatch.setattr(sys, "argv", ["scripts/train.py", "--config", "{}"])
    with pytest.raises(Replaced):
        ranks.launch(4, threads=3, launcher="srun", per_node=2)
    [(command, environment)] = called
    assert command[:4] == ["srun", "--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=3"]
    assert command[-4:] == [sys.executable, "scripts/train.py", "--config", "{}"]

    tasks = {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1"}
    monkeypatch.setattr(os, "environ", environment | tasks)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert not ranks.launch(4, threads=3, launcher="srun", per_node=2)
    assert ranks.on_this_machine(4) == 2
    place = {"RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "10.0.0.1"}
    assert place.items() <= os.environ.items()


def test_without_srun_the_step_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KaryobenchError, match="srun cannot be started"):
        ranks.launch(2, threads=1, launcher="srun", per_node=None)


def test_one_rank_needs_no_other_process():
    assert not ranks.launch(1, threads=2, launcher="srun", per_node=1)
