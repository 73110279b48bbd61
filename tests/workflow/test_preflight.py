"""Every failure that preflight finds, met with a stand-in for the cluster's commands."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from karyobench.errors import KaryobenchError
from karyobench.workflow import preflight

RULES = ["download", "train", "predict", "evaluate"]
HEALTHY = {
    "sbatch --version": (0, "slurm-wlm 22.05.8\n", ""),
    "sbatch --test-only": (0, "", "sbatch: Job 2 to start at 2026-11-20T06:32:08"),
    "srun": (0, "torch 2.13.0 sees NVIDIA H200\n", ""),
    "scancel": (0, "", ""),
    "squeue": (0, "", ""),
    "sacct": (0, "", ""),
    "sinfo": (0, "cpu\ngpu\n", ""),
    "scontrol show config": (0, "ClusterName = local\nMinJobAge               = 300 sec\n", ""),
}
MISSING = (127, "", "command not found")


def cluster(changes=None, writes=True):
    """A runner that answers like a healthy cluster, apart from `changes`: start of the command -> answer."""
    answers = {**HEALTHY, **(changes or {})}

    def run(words):
        line = " ".join(words)
        start = max((start for start in answers if line.startswith(start)), key=len)
        code, out, err = answers[start]
        if words[0] == "srun" and "sh" in words and code == 0 and writes:
            Path(words[-1]).write_text(words[-2] + "\n")
        return subprocess.CompletedProcess(words, code, out, err)

    return run


def profile(**changes):
    base = {
        "default-resources": {"mem_mb": 4000, "runtime": 60},
        "set-resources": {},
        "set-threads": {},
        "partitions": {"cpu": {}, "gpu": {"max_gpu": 4}},
        "latency-wait": 0,
    }
    return base | {key.replace("_", "-"): value for key, value in changes.items()}


def named(checks, name):
    return next(check for check in checks if check.name == name)


def test_a_healthy_cluster_passes_every_check(tmp_path):
    checks = preflight.check(profile(), RULES, tmp_path, cluster())
    assert [check.state for check in checks] == ["PASS"] * 8
    assert "NVIDIA H200" in named(checks, "CUDA").detail
    assert list(tmp_path.iterdir()) == []


SACCT_OFF = (1, "", "Slurm accounting storage is disabled")
NOT_AVAILABLE = (1, "", "allocation failure: Requested node configuration is not available")
FAILURES = {
    "no sbatch": ({"sbatch --version": MISSING}, {}, "SLURM answers", "command not found", "module load slurm"),
    "controller silent": (
        {"squeue": (1, "", "slurm_load_jobs error: Unable to contact slurm controller")},
        {},
        "SLURM answers",
        "Unable to contact",
        "login node",
    ),
    "sacct off": ({"sacct": SACCT_OFF}, {}, "job status", "accounting storage is disabled", "squeue"),
    "no sacct": ({"sacct": MISSING}, {}, "job status", "command not found", "slurm-status-command: squeue"),
    "squeue forgets": (
        {"scontrol show config": (0, "MinJobAge = 90 sec\n", "")},
        {"slurm_status_command": "squeue"},
        "job status",
        "after 90 s",
        "at most 30",
    ),
    "squeue without sacct": (
        {"sacct": MISSING},
        {"slurm_status_command": "squeue"},
        "job status",
        "no slurm_account",
        "set slurm_account",
    ),
    "partition of the file": (
        {},
        {"partitions": {"cpu": {}, "gpus": {"max_gpu": 4}}},
        "partitions",
        "no partition 'gpus' (did you mean 'gpu'?)",
        "partitions.yaml",
    ),
    "partition of a rule": (
        {},
        {"set_resources": {"train": {"slurm_partition": "a100"}}},
        "partitions",
        "no partition 'a100' (known: cpu, gpu)",
        "sinfo",
    ),
    "CPU job refused": (
        {"sbatch --test-only --partition=cpu": (1, "", "error: Memory specification can not be satisfied")},
        {},
        "CPU job",
        "--mem=4000",
        "default-resources",
    ),
    "GPU flag refused": (
        {"sbatch --test-only --partition=gpu": NOT_AVAILABLE},
        {},
        "GPU job",
        "--gpus=1",
        'gres: "gpu:1"',
    ),
    "unknown rule": (
        {},
        {"set_resources": {"trian": {"mem_mb": 8000}}},
        "rule names",
        "set-resources names 'trian', which is no rule (did you mean 'train'?)",
        "silently",
    ),
    "unknown rule of threads": (
        {},
        {"set_threads": {"prdict": 4}},
        "rule names",
        "set-threads names 'prdict'",
        "correct",
    ),
    "directory not on the nodes": (
        {"srun --partition=cpu": (1, "", "error: couldn't chdir to `/home/me': No such file or directory")},
        {},
        "shared files",
        "couldn't chdir",
        "shared filesystem",
    ),
    "no CUDA": (
        {"srun --partition=gpu": (1, "torch 2.13.0+cpu sees no GPU\n", "srun: error: n1: task 0: Exited")},
        {},
        "CUDA",
        "torch 2.13.0+cpu sees no GPU",
        "--no-cuda",
    ),
    "no torch on the node": (
        {"srun --partition=gpu": (1, "", "Traceback\nModuleNotFoundError: No module named 'torch'")},
        {},
        "CUDA",
        "No module named 'torch'",
        "environment that the nodes can read",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_each_failure_names_its_cause_and_remedy(case, tmp_path):
    changes, settings, name, cause, remedy = FAILURES[case]
    checks = preflight.check(profile(**settings), RULES, tmp_path, cluster(changes))
    assert [check.name for check in checks if check.state == "FAIL"] == [name]
    failed = named(checks, name)
    assert cause in failed.detail
    assert remedy in failed.remedy
    assert str(failed).startswith(f"FAIL  {name}: ")


def test_a_file_that_stays_on_its_node_is_a_failure(tmp_path):
    failed = named(preflight.check(profile(), RULES, tmp_path, cluster(writes=False)), "shared files")
    assert failed.state == "FAIL"
    assert "latency-wait" in failed.remedy


@pytest.mark.parametrize(("partition", "name"), [("cpu", "shared files"), ("gpu", "CUDA")])
@pytest.mark.parametrize("said", ["Requested nodes are busy", "Immediate execution impossible, insufficient priority"])
def test_a_busy_cluster_skips_the_checks_that_need_a_node(partition, name, said, tmp_path):
    busy = (1, "", f"srun: error: Unable to allocate resources: {said}")
    checks = preflight.check(profile(), RULES, tmp_path, cluster({f"srun --partition={partition}": busy}))
    assert [check.name for check in checks if check.state != "PASS"] == [name]
    assert named(checks, name).state == "SKIP"


def test_squeue_passes_where_it_remembers_long_enough(tmp_path):
    settings = profile(slurm_status_command="squeue", slurm_init_seconds_before_status_checks=100)
    assert named(preflight.check(settings, RULES, tmp_path, cluster()), "job status").state == "PASS"


def test_a_silent_cluster_is_asked_nothing_more(tmp_path):
    checks = preflight.check(profile(), RULES, tmp_path, cluster({"srun --version": MISSING}))
    assert [check.name for check in checks] == ["rule names", "SLURM answers"]


def test_without_cuda_no_gpu_node_is_asked(tmp_path):
    broken = cluster({"srun --partition=gpu": (1, "", "must not be called")})
    checks = preflight.check(profile(), RULES, tmp_path, broken, cuda=False)
    assert named(checks, "CUDA").state == "SKIP"


def test_a_site_without_gpu_partition_is_told_so(tmp_path):
    checks = preflight.check(profile(partitions={"cpu": {}}), RULES, tmp_path, cluster())
    assert named(checks, "GPU job").state == "SKIP"
    assert not any(check.state == "FAIL" for check in checks)


@pytest.mark.parametrize(("minutes", "state"), [(60, "PASS"), (61, "FAIL")])
def test_a_job_longer_than_its_partition_allows_is_a_failure(minutes, state):
    run = cluster({"sinfo": (0, "cpu|1:00:00\ngpu|infinite\n", "")})
    made = preflight.time_limits({"cpu": (minutes, "merge"), "gpu": (9999, "train")}, run)
    assert made.state == state
    if state == "FAIL":
        assert made.detail == "merge asks for 61 minutes, but partition 'cpu' ends jobs after 1:00:00"
        assert "runtime for the rule under set-resources" in made.remedy


def workflow(prefix="karyobench", jobs=()):
    """A running Snakemake workflow, as far as `at_start` looks at it."""
    executor = SimpleNamespace(
        partition_config=None, status_command="sacct", init_seconds_before_status_checks=20, jobname_prefix=prefix
    )
    tables = SimpleNamespace(default_resources=None, overwrite_resources={}, overwrite_threads={})
    rules = [SimpleNamespace(name=name) for name in RULES]
    settings = SimpleNamespace(latency_wait=0)
    dag = SimpleNamespace(needrun_jobs=lambda: jobs)
    return SimpleNamespace(
        executor_settings=executor, resource_settings=tables, execution_settings=settings, rules=rules, dag=dag
    )


@pytest.fixture
def at_exit(monkeypatch):
    registered = []
    monkeypatch.setattr(preflight.atexit, "register", lambda *call: registered.append(call))
    return registered


def test_a_run_does_not_start_on_a_cluster_that_fails(tmp_path, at_exit, monkeypatch):
    monkeypatch.delenv("KARYOBENCH_PREFLIGHT", raising=False)
    preflight.at_start(workflow(), tmp_path, cluster())
    with pytest.raises(KaryobenchError, match=r"(?s)not ready.*FAIL  job status.*remedy: set slurm-status-command"):
        preflight.at_start(workflow(), tmp_path, cluster({"sacct": SACCT_OFF}))


def test_cuda_is_asked_about_only_when_a_job_may_use_it(tmp_path, at_exit, monkeypatch):
    monkeypatch.delenv("KARYOBENCH_PREFLIGHT", raising=False)
    without = cluster({"srun --time=5 --gpus=1": (1, "torch 2.13.0+cpu sees no GPU", "")})
    preflight.at_start(workflow(), tmp_path, without)
    job = SimpleNamespace(rule=SimpleNamespace(name="train"), resources={"gpu": 1, "runtime": 5}, is_local=False)
    with pytest.raises(KaryobenchError, match="sees no GPU"):
        preflight.at_start(workflow(jobs=[job]), tmp_path, without)


def test_at_the_start_checks_can_be_left_out(tmp_path, at_exit, monkeypatch):
    no_cuda = {"srun": (1, "no GPU", ""), "srun --version": (0, "", ""), "srun --time=5 --job-name": (0, "", "")}
    monkeypatch.setenv("KARYOBENCH_PREFLIGHT", "no-cuda")
    preflight.at_start(workflow(), tmp_path, cluster(no_cuda))
    with pytest.raises(KaryobenchError, match="job status"):
        preflight.at_start(workflow(), tmp_path, cluster({**no_cuda, "sacct": SACCT_OFF}))
    monkeypatch.setenv("KARYOBENCH_PREFLIGHT", "off")
    preflight.at_start(workflow(), tmp_path, cluster({"sacct": SACCT_OFF}))
    monkeypatch.setenv("KARYOBENCH_PREFLIGHT", "no-cda")
    with pytest.raises(KaryobenchError, match="'no-cda'; set it to one of: all, no-cuda, off"):
        preflight.at_start(workflow(), tmp_path, cluster())


def test_a_run_without_a_prefix_for_its_jobs_is_refused(tmp_path, at_exit):
    with pytest.raises(KaryobenchError, match="set slurm-jobname-prefix"):
        preflight.at_start(workflow(prefix=""), tmp_path, cluster())


def test_leftover_jobs_are_cancelled_at_the_start_and_at_the_end(tmp_path, at_exit, monkeypatch):
    monkeypatch.setenv("KARYOBENCH_PREFLIGHT", "off")
    queue = {"7": f"7|karyobench_dead|{tmp_path}"}

    def run(words):
        if words[0] == "scancel":
            del queue[words[1]]
        return subprocess.CompletedProcess(words, 0, "\n".join(queue.values()), "")

    preflight.at_start(workflow(), tmp_path, run)
    assert queue == {}
    queue["8"] = f"8|karyobench_mine|{tmp_path}"
    [(call, *arguments)] = at_exit
    call(*arguments)
    assert queue == {}


def test_a_cluster_silent_at_the_end_is_reported_without_a_traceback(tmp_path, at_exit, monkeypatch, caplog):
    monkeypatch.setenv("KARYOBENCH_PREFLIGHT", "off")
    answers = iter([(0, ""), (1, "connection refused")])

    def run(words):
        code, said = next(answers)
        return subprocess.CompletedProcess(words, code, "", said)

    preflight.at_start(workflow(), tmp_path, run)
    [(call, *arguments)] = at_exit
    call(*arguments)
    assert "connection refused" in caplog.text
