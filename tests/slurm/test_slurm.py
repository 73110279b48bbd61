"""The smoke study on a real SLURM whose nodes have fake GPUs: same results, GPUs held, nothing left behind."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

import plain_system
import smoke

pytestmark = pytest.mark.slurm

# Short jobs on two cores: look often, and let few run at once.
ON_SLURM = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "8")
ON_SLURM += ("--jobs", "4", "--retries", "0", "--latency-wait", "10")


def ask(cluster: dict[str, str], *words: str) -> str:
    return subprocess.run(words, env=cluster, capture_output=True, text=True, check=True).stdout


def jobs_of(cluster: dict[str, str], workdir: Path, *states: str) -> list[str]:
    """Identifiers of the jobs in the queue that were started from a directory."""
    chosen = [f"--states={','.join(states)}"] if states else []
    rows = ask(cluster, "squeue", "--noheader", "--format=%A|%j|%Z", *chosen).splitlines()
    parts = [row.split("|") for row in rows]
    return [job for job, name, folder in parts if name.startswith("karyobench_") and folder == str(workdir)]


def records(cluster: dict[str, str], workdir: Path) -> dict[str, str]:
    """Rule and wildcards of each job that ended in a directory -> what SLURM allocated to it."""
    rows = ask(cluster, "sacct", "-XnP", "--format=Comment,AllocTRES,State,WorkDir").splitlines()
    ended = [row.split("|") for row in rows if row.startswith("rule_") and row.endswith(f"|COMPLETED|{workdir}")]
    return {comment.removeprefix("rule_"): held for comment, held, _, _ in ended}


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)


def start(workdir: Path, cluster: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start the study in the background; Ctrl-C reaches it, which a shell's background job would ignore."""
    with open(workdir / "output.txt", "wb") as output:
        return subprocess.Popen(
            smoke.snakemake(*ON_SLURM, *arguments),
            cwd=workdir,
            env=cluster,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


@pytest.fixture
def untrained(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study in which everything from training on is gone."""
    workdir = tmp_path / "study"
    shutil.copytree(finished, workdir, symlinks=True)
    for lost in ("models", "predictions", "merged", "metrics", "leaderboards", "site", "logs"):
        shutil.rmtree(workdir / "results" / lost)
    return workdir


def test_the_study_gives_the_local_leaderboard_and_only_gpu_systems_hold_gpus(cluster, finished, tmp_path):
    workdir = smoke.make_workdir(tmp_path / "study")
    done = smoke.run(workdir, *ON_SLURM, env=cluster)
    assert done.returncode == 0, done.stdout
    assert smoke.leaderboard_files(workdir) == smoke.leaderboard_files(finished)

    rules = {"ingest", "split", "normalize", "patch", "train", "predict", "merge", "evaluate", "leaderboard", "report"}
    rules |= {"datasets", "stain_figure"}
    wait_until(lambda: rules == {name.split("_wildcards")[0] for name in records(cluster, workdir)})
    held = records(cluster, workdir)
    on_gpu = {name for name, allocated in held.items() if "gres/gpu=1" in allocated.split(",")}
    assert on_gpu == {name for name in held if re.match("(train|predict)_.*unet3-smoke", name)}
    assert len(on_gpu) == 2
    assert not any("gres" in allocated for name, allocated in held.items() if name not in on_gpu)


def test_ranks_on_one_node_or_two_train_the_model_that_one_process_trains(cluster, untrained):
    shutil.copy(plain_system.__file__, untrained / "plain.py")
    shapes = {"plain-1": (1, 1), "plain-2": (2, 1), "plain-2-nodes": (2, 2)}
    config = smoke.read_config(untrained)
    for name, (ranks, nodes) in shapes.items():
        train = {"batch": 4, "optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1, "ranks": ranks}
        system = {"module": "plain.py", "network": {"width": 8}, "train": train}
        system["resources"] = {"gpu": 1, "mem_mb": 1500, "runtime": 10, "nodes": nodes}
        config["systems"][name] = system
        config["experiments"][name] = {"system": name, "patches": "smoke-64", "budget": {"steps": 12}}
    smoke.write_config(untrained, config)
    models = {name: untrained / "results" / "models" / name / "1" for name in shapes}
    targets = [str(model.relative_to(untrained) / "weights.safetensors") for model in models.values()]
    done = smoke.run(untrained, *targets, *ON_SLURM, env=cluster)
    assert done.returncode == 0, done.stdout

    losses = {name: pd.read_csv(model / "history.csv")["loss"] for name, model in models.items()}
    weights = {name: load_file(model / "weights.safetensors") for name, model in models.items()}
    for name in ("plain-2", "plain-2-nodes"):
        np.testing.assert_allclose(losses[name], losses["plain-1"], rtol=1e-5)
        for key, tensor in weights["plain-1"].items():
            np.testing.assert_allclose(weights[name][key], tensor, rtol=1e-4, atol=1e-6)

    wait_until(lambda: len(records(cluster, untrained)) == 3)
    held = {name.removeprefix("train_wildcards_"): text for name, text in records(cluster, untrained).items()}
    facts = {name: {"node=2", "gres/gpu=1", "gres/gpu=2"} & set(text.split(",")) for name, text in held.items()}
    one, several, spread = {"gres/gpu=1"}, {"gres/gpu=2"}, {"gres/gpu=2", "node=2"}
    assert facts == {"plain-1_1": one, "plain-2_1": several, "plain-2-nodes_1": spread}


# A step lasts long enough to be met, and says that the ranks listen for signals.
SLOW = (
    Path(plain_system.__file__).read_text()
    + """

_examples = examples


def examples(batch, rng, config):
    import time
    from pathlib import Path

    Path("begun-" + config["experiment"]).touch()
    time.sleep(0.05)
    return _examples(batch, rng, config)
"""
)


def running(cluster: dict[str, str], workdir: Path, experiment: str) -> list[str]:
    """Identifiers of the jobs that train an experiment and have taken their first step."""
    rows = ask(cluster, "squeue", "--noheader", "--format=%A|%k|%Z", "--states=RUNNING").splitlines()
    jobs = [row.split("|")[0] for row in rows if row.endswith(f"|rule_train_wildcards_{experiment}_1|{workdir}")]
    return jobs if (workdir / f"begun-{experiment}").exists() else []


def test_ranks_that_are_told_to_end_go_on_from_their_checkpoint_in_the_next_attempt(cluster, untrained):
    (untrained / "slow.py").write_text(SLOW)
    # No checkpoint is written but that of the signal.
    train = {"batch": 4, "learning_rate": 0.01, "ranks": 2, "validate_every": 1000, "checkpoint_every": 1000}
    system = {"module": "slow.py", "network": {"width": 8}, "train": train}
    system["resources"] = {"mem_mb": 1500, "runtime": 10, "nodes": 2}
    config, names = smoke.read_config(untrained), ("whole", "told")
    config["systems"]["slow"] = system
    config["experiments"] |= {n: {"system": "slow", "patches": "smoke-64", "budget": {"steps": 100}} for n in names}
    smoke.write_config(untrained, config)
    models = [untrained / "results" / "models" / name / "1" for name in names]
    weights = [str(model.relative_to(untrained) / "weights.safetensors") for model in models]
    run, output = start(untrained, cluster, *weights, "--retries", "1"), untrained / "output.txt"
    wait_until(lambda: running(cluster, untrained, "told") or run.poll() is not None, seconds=150)
    ask(cluster, "scancel", "--signal=TERM", *running(cluster, untrained, "told"))
    assert run.wait(timeout=200) == 0, output.read_text()

    told = re.search(r"told to end at step (\d+); start again to go on", output.read_text())
    assert told and int(told[1]) < 100
    log = (untrained / "results/logs/train/told/1.log").read_text()
    assert f"going on from the checkpoint of step {told[1]}" in log
    for file in ("weights.safetensors", "history.csv"):
        one, other = (model / file for model in models)
        assert one.read_bytes() == other.read_bytes()


def test_a_failing_job_shows_its_log(cluster, untrained):
    [patches] = (untrained / "results" / "patches").glob("*.h5")
    patches.write_bytes(patches.read_bytes()[:1000])
    target = "results/models/unet3-smoke/1/weights.safetensors"
    done = smoke.run(untrained, target, *ON_SLURM, env=cluster)
    assert done.returncode == 1
    said = (untrained / "results/logs/train/unet3-smoke/1.log").read_text().strip().splitlines()[-1]
    assert patches.name in said
    assert said in done.stdout
    assert "SLURM status is: 'FAILED'" in done.stdout


@pytest.mark.parametrize("moment", ["submitting", "running"])
def test_an_interrupted_run_leaves_no_job_behind(moment, cluster, untrained):
    run = start(untrained, cluster)
    output = untrained / "output.txt"
    if moment == "submitting":
        wait_until(lambda: "\nrule predict:" in output.read_text() or run.poll() is not None)
    else:
        wait_until(lambda: jobs_of(cluster, untrained, "RUNNING") or run.poll() is not None)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=100) == 1, output.read_text()
    assert "Terminating processes on user request" in output.read_text()
    assert jobs_of(cluster, untrained) == []


def test_a_killed_run_resumes_without_the_jobs_that_it_left(cluster, untrained, finished):
    run = start(untrained, cluster)
    wait_until(lambda: jobs_of(cluster, untrained, "RUNNING") or run.poll() is not None)
    run.kill()
    run.wait()
    orphans = jobs_of(cluster, untrained, "RUNNING")
    assert orphans
    ask(cluster, "scontrol", "suspend", ",".join(orphans))  # so that they are still there when the study starts again
    done = smoke.run(untrained, *ON_SLURM, env=cluster)
    assert done.returncode == 0, done.stdout
    assert "SLURM jobs that no run waits for" in done.stdout
    assert smoke.leaderboard_files(untrained) == smoke.leaderboard_files(finished)
    assert jobs_of(cluster, untrained) == []


def test_preflight_passes_here_and_names_a_wrong_partition(cluster, tmp_path):
    workdir = smoke.make_workdir(tmp_path / "study")
    words = [sys.executable, "scripts/preflight.py", "--no-cuda"]
    passed = subprocess.run(words, cwd=workdir, env=cluster, capture_output=True, text=True)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert [line.split()[0] for line in passed.stdout.splitlines()] == ["PASS"] * 7 + ["SKIP"]

    partitions = workdir / "profiles" / "slurm" / "partitions.yaml"
    partitions.write_text(partitions.read_text().replace("gpu:\n", "gpus:\n"))
    failed = subprocess.run(words, cwd=workdir, env=cluster, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "FAIL  partitions: there is no partition 'gpus' (did you mean 'gpu'?)" in failed.stdout
    assert "remedy: name the cluster's own in the profile's partitions.yaml" in failed.stdout

    refused = smoke.run(workdir, *ON_SLURM, env=cluster)
    assert refused.returncode == 1
    assert "there is no partition 'gpus'" in refused.stdout
    assert "has been submitted" not in refused.stdout
