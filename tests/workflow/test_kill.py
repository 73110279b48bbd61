"""A run killed at any moment and started again ends in the same leaderboard."""

import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

import smoke

MOMENTS = random.Random(20).choices(range(1, 35), k=10)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "seconds"), list(enumerate(MOMENTS)))
def test_a_killed_run_ends_in_the_same_leaderboard(number: int, seconds: int, finished: Path, tmp_path: Path) -> None:
    """Even numbers kill the whole process tree, odd ones Snakemake alone, whose orphaned steps must then end."""
    workdir = smoke.make_workdir(tmp_path)
    kill_after(workdir, seconds, whole_tree=number % 2 == 0)
    again = smoke.run(workdir, "--cores", "2")
    assert again.returncode == 0, again.stdout
    assert smoke.leaderboard_files(workdir) == smoke.leaderboard_files(finished)
    assert not list((workdir / "results").rglob("*.partial"))


def test_training_killed_midway_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """The checkpoint outlives the kill; the next run says that it goes on from there."""
    workdir = smoke.make_workdir(tmp_path)
    config = smoke.read_config(workdir)
    config["experiments"]["unet3-smoke"]["budget"]["steps"] = 400
    smoke.write_config(workdir, config)
    checkpoints = workdir / "results/checkpoints/unet3-smoke/1"
    target = "results/models/unet3-smoke/1/weights.safetensors"
    running = start(workdir, target)
    smoke.wait_for(lambda: checkpoints.is_dir() and any(checkpoints.iterdir()))
    kill(running, whole_tree=False)
    smoke.wait_for(lambda: not steps_of(workdir))
    resumed = smoke.run(workdir, target, "--cores", "2")
    assert resumed.returncode == 0, resumed.stdout
    assert "going on from the checkpoint of step" in resumed.stdout
    assert not checkpoints.exists()


def kill_after(workdir: Path, seconds: float, whole_tree: bool) -> None:
    """Start the study, kill it after some seconds, and wait until none of its steps is left."""
    running = start(workdir)
    time.sleep(seconds)
    kill(running, whole_tree)
    smoke.wait_for(lambda: not steps_of(workdir))


def start(workdir: Path, *targets: str) -> subprocess.Popen[bytes]:
    """Start the smoke study in the background."""
    return subprocess.Popen(
        smoke.snakemake(*targets, "--cores", "2"),
        cwd=workdir,
        env=smoke.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(running: subprocess.Popen[bytes], whole_tree: bool) -> None:
    """SIGKILL to Snakemake, and to all below it when asked."""
    try:
        below = psutil.Process(running.pid).children(recursive=True) if whole_tree else []
    except psutil.NoSuchProcess:
        below = []
    running.send_signal(signal.SIGKILL)
    for process in below:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    running.wait()


def steps_of(workdir: Path) -> list[psutil.Process]:
    """Steps that still run in a working directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(workdir) and any("scripts/" in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
