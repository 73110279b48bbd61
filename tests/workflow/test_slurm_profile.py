"""The site's profile, the options that follow from it, and jobs that a dead run left behind."""

import math
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.resources import Resources

from karyobench.errors import KaryobenchError
from karyobench.workflow import slurm

PROFILE = Path(__file__).parents[2] / "profiles" / "slurm"


def site(**changes):
    base = {"default-resources": {}, "set-resources": {}, "partitions": {"long": None, "a": {"max_gpu": 2}}}
    return base | {key.replace("_", "-"): value for key, value in changes.items()}


def test_the_shipped_profile_keeps_to_what_the_executor_needs():
    profile = slurm.read_profile(PROFILE)
    assert profile["executor"] == "slurm"
    assert profile["slurm-status-attempts"] >= 1000
    assert profile["slurm-jobname-prefix"] == "karyobench"
    assert isinstance(profile["default-resources"]["mem_mb"], int)
    assert "gpu" not in profile["default-resources"]
    assert slurm.partition(profile, "train", gpu=True) == "gpu"
    assert slurm.partition(profile, "evaluate", gpu=False) == "cpu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("executor: [", "not YAML"),
        ("- executor", "name: value"),
        ("default-resources: [mem_mb=1]", "write 'default-resources' as a mapping"),
        ("set-resources: [train:gpu=1]", "write 'set-resources' as a mapping"),
        ("slurm-partition-config: sites.yaml", "sites.yaml: there is no such file"),
    ],
)
def test_a_faulty_profile_is_refused_by_name(tmp_path, text, message):
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(KaryobenchError, match=message):
        slurm.read_profile(tmp_path)


def test_the_partition_is_the_first_that_fits_unless_the_rule_is_given_one():
    assert slurm.partition(site(), "train", gpu=True) == "a"
    assert slurm.partition(site(), "merge", gpu=False) == "long"
    assert slurm.partition(site(partitions={}), "train", gpu=True) is None
    given = site(default_resources={"slurm_partition": "x"}, set_resources={"train": {"slurm_partition": "y"}})
    assert slurm.partition(given, "merge", gpu=False) == "x"
    assert slurm.partition(given, "train", gpu=True) == "y"


@pytest.mark.parametrize(
    ("resources", "gpu", "expected"),
    [
        ({}, False, ["--partition=long", "--time=5"]),
        ({}, True, ["--partition=a", "--time=5", "--gpus=1"]),
        ({"gpu_model": "a100"}, True, ["--partition=a", "--time=5", "--gpus=a100:1"]),
        ({"gpu": 0, "gres": "gpu:1"}, True, ["--partition=a", "--time=5", "--gres=gpu:1"]),
        (
            {"slurm_account": "lab", "qos": "short", "constraint": "v100", "mem_mb": 500, "slurm_extra": "--nice=5 -v"},
            False,
            [
                "--partition=long",
                "--account=lab",
                "--qos=short",
                "--constraint=v100",
                "--mem=500",
                "--time=5",
                "--nice=5",
                "-v",
            ],
        ),
        ({"mem_mb": "max(2*input.size_mb, 1000)"}, False, ["--partition=long", "--time=5"]),
    ],
)
def test_options_are_those_that_the_profile_implies(resources, gpu, expected):
    assert slurm.options(site(set_resources={"train": resources}), "train", gpu) == expected


def job(rule, local=False, **resources):
    return SimpleNamespace(rule=SimpleNamespace(name=rule), resources=resources, is_local=local)


def test_the_longest_job_for_each_partition_is_found():
    jobs = [job("download", local=True, runtime=999), job("merge", runtime=30), job("evaluate", runtime=50)]
    jobs += [job("train", gpu=1, runtime=240), job("predict", gpu=0, gres="gpu:1", runtime=60)]
    running = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda: jobs))
    assert slurm.longest_jobs(running, site()) == {"long": (50, "evaluate"), "a": (240, "train")}
    assert slurm.longest_jobs(running, site(partitions={})) == {"": (240, "train")}


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("30:00", 30), ("1:30", 1.5), ("2:00:00", 120), ("7-12:30:00", 10830), ("infinite", math.inf), ("n/a", math.inf)],
)
def test_time_limits_are_read_as_slurm_prints_them(limit, minutes):
    assert slurm.minutes(limit) == minutes


def test_settings_in_use_have_the_form_of_a_profile(tmp_path):
    (tmp_path / "partitions.yaml").write_text("partitions: {gpu: {max_gpu: 4}}")
    executor = SimpleNamespace(
        partition_config=tmp_path / "partitions.yaml",
        status_command="squeue",
        init_seconds_before_status_checks=6,
        jobname_prefix="me",
    )
    given = ["mem_mb=4000", "slurm_partition=cpu"]
    tables = SimpleNamespace(
        default_resources=Resources.parse(given, allow_expressions=True),
        overwrite_resources={"train": Resources.parse(["gpu=0", "gres=gpu:1"], allow_expressions=True)},
        overwrite_threads={"train": 4},
    )
    running = SimpleNamespace(
        executor_settings=executor, resource_settings=tables, execution_settings=SimpleNamespace(latency_wait=9)
    )
    used = slurm.settings_in_use(running)
    assert {name: used["default-resources"][name] for name in ("mem_mb", "slurm_partition")} == {
        "mem_mb": 4000,
        "slurm_partition": "cpu",
    }
    assert used["set-resources"] == {"train": {"gpu": 0, "gres": "gpu:1"}}
    assert used["set-threads"] == {"train": 4}
    assert used["partitions"] == {"gpu": {"max_gpu": 4}}
    assert used["slurm-status-command"] == "squeue"
    assert used["latency-wait"] == 9


class Queue:
    """squeue and scancel over a list of rows; a stubborn queue ignores scancel."""

    def __init__(self, rows, stubborn=False):
        self.rows, self.stubborn, self.cancelled = rows, stubborn, []

    def __call__(self, words):
        if words[0] == "scancel":
            self.cancelled += words[1:]
            self.rows = self.rows if self.stubborn else [row for row in self.rows if row[0] not in words[1:]]
        lines = "".join("|".join(row) + "\n" for row in self.rows)
        return subprocess.CompletedProcess(words, 0, lines if words[0] == "squeue" else "", "")


def test_only_this_directory_s_jobs_of_this_project_are_cancelled(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "here")
    queue = Queue(
        [
            ("11", "karyobench_5f0c", str(tmp_path / "here")),
            ("12", "karyobench_5f0c", str(tmp_path / "elsewhere")),
            ("13", "karyobenchmark_1", str(tmp_path / "here")),
            ("14", "bash", str(tmp_path / "here")),
            ("15", "karyobench_9a", str(tmp_path / "link")),
        ]
    )
    assert slurm.cancel_leftovers("karyobench", tmp_path / "here", queue) == ["11", "15"]
    assert queue.cancelled == ["11", "15"]
    assert slurm.cancel_leftovers("karyobench", tmp_path / "here", queue) == []
    assert queue.cancelled == ["11", "15"]


def test_jobs_that_do_not_end_stop_the_run(tmp_path):
    queue = Queue([("11", "karyobench_5f0c", str(tmp_path))], stubborn=True)
    with pytest.raises(KaryobenchError, match="SLURM jobs 11 do not end; cancel them with scancel"):
        slurm.cancel_leftovers("karyobench", tmp_path, queue, patience=0)


def test_a_silent_squeue_is_not_taken_for_an_empty_queue(tmp_path):
    def silent(words):
        return subprocess.CompletedProcess(words, 1, "", "Unable to contact slurm controller")

    with pytest.raises(KaryobenchError, match="Unable to contact"):
        slurm.leftovers("karyobench", tmp_path, silent)


def test_a_missing_command_answers_like_a_shell():
    answer = slurm.command(["no-such-command-of-slurm"])
    assert answer.returncode == 127
    assert "command not found" in answer.stderr
