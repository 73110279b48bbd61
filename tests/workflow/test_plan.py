"""The plan says what would run, why, and what it would take."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import smoke
from karyobench.workflow import plan

DRY_RUN = """host: here
Building DAG of jobs...
[Fri Nov 20 06:00:00 2026]
localrule download:
    output: resources/raw/hgsc/source.json
    log: results/logs/download/hgsc.log
    jobid: 5
    benchmark: results/benchmarks/download/hgsc.tsv
    reason: Missing output files: resources/raw/hgsc/source.json
    wildcards: dataset=hgsc
    resources: tmpdir=<TBD>
[Fri Nov 20 06:00:00 2026]
rule train:
    input: results/patches/p.h5
    jobid: 7
    benchmark: results/benchmarks/train/a/1.tsv
    reason: Params have changed since last execution
    wildcards: experiment=a, seed=1
"""


def test_jobs_are_read_from_a_dry_run() -> None:
    assert plan.jobs(DRY_RUN) == [
        plan.Job(
            "download",
            "dataset=hgsc",
            "Missing output files: resources/raw/hgsc/source.json",
            "results/benchmarks/download/hgsc.tsv",
        ),
        plan.Job(
            "train",
            "experiment=a, seed=1",
            "Params have changed since last execution",
            "results/benchmarks/train/a/1.tsv",
        ),
    ]


def test_time_comes_from_the_same_job_or_the_same_rule(tmp_path: Path) -> None:
    for name, seconds in {"train/a/1": 30, "train/b/1": 50}.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:30\n")
    known = plan.Job("train", "", "", str(tmp_path / "train/a/1.tsv"))
    kin = plan.Job("train", "", "", str(tmp_path / "train/c/1.tsv"))
    new = plan.Job("predict", "", "", str(tmp_path / "predict/c/1.tsv"))
    assert plan.seconds([known], tmp_path) == (30, 0)
    assert plan.seconds([known, kin], tmp_path) == (30 + 40, 0)
    assert plan.seconds([known, new], tmp_path) == (30, 1)


SLIDES = {f"{n}.tif": {"url": f"https://example.org/{n}.tif", "bytes": 3_000_000_000} for n in range(2)}
FORM = {"page": "https://example.org/register", "how": "Sign in."}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"url": "https://example.org/a.zip", "bytes": 5_000_000}, "https://example.org/a.zip, 5 MB"),
        ({"package": "cells==1.2"}, "cells==1.2, size not stated"),
        ({"files": SLIDES}, "2 files, 6,000 MB"),
        ({"files": {"a.tif": SLIDES["0.tif"]}}, "1 file, 3,000 MB"),
        (
            {"files": SLIDES | {"a.xml": {"url": "https://example.org/a.xml"}}},
            "3 files, 6,000 MB and 1 of size not stated",
        ),
        (
            {"files": {"a.zip": {"url": None}, "b.zip": {"url": None}}, "registration": FORM},
            "2 files, size not stated, by hand: https://example.org/register",
        ),
        (
            {"files": SLIDES | {"a.xml": {"url": None, "bytes": 1}}, "registration": FORM},
            "3 files, 6,000 MB, 1 of them by hand: https://example.org/register",
        ),
    ],
)
def test_downloads_tell_what_they_take(source: dict[str, Any], told: str, tmp_path: Path) -> None:
    job = plan.Job("download", "dataset=d", "Missing output files", None)
    dataset = {"source": source, "licence": "CC0", "citation": "A. Author"}
    text = plan.render([job], {"d": dataset, "other": {**dataset, "source": {}}}, {}, tmp_path)
    assert f"Downloads\n  d: {told}\n" in text


def test_pretrained_weights_are_downloads_with_a_licence_too(tmp_path: Path) -> None:
    job = plan.Job("pretrained", "pretrained=vgg", "Missing output files", None)
    weights = {"source": {"package": "nets==1.2", "bytes": 5_000_000}, "licence": "MIT", "citation": "A. Author"}
    text = plan.render([job], {}, {"vgg": weights}, tmp_path)
    assert "Downloads\n  vgg: nets==1.2, 5 MB\n" in text
    assert "Pretrained weights and licences\n  vgg: MIT (A. Author)" in text
    assert "Pretrained" not in plan.render([job], {}, {}, tmp_path)


def test_the_command_tells_jobs_reasons_downloads_and_licences(tmp_path: Path) -> None:
    workdir = smoke.make_workdir(tmp_path)
    told = run_plan(workdir, "--study", "demo")
    assert told.returncode == 0, told.stderr
    for text in (
        "jobs to run",
        "download      ",
        "Missing output files",
        "histolytics==0.3.0, 39 MB",
        "BSD-3-Clause",
        "no estimate",
    ):
        assert text in told.stdout, told.stdout


def test_a_finished_study_has_nothing_to_run(finished: Path) -> None:
    told = run_plan(finished, "--study", "smoke", "--configfile", "smoke.yaml")
    assert "0 jobs to run: everything is up to date" in told.stdout, told.stdout + told.stderr


def test_an_unknown_study_is_named(tmp_path: Path) -> None:
    told = run_plan(smoke.make_workdir(tmp_path), "--study", "dmeo")
    assert told.returncode != 0
    assert "did you mean 'demo'?" in told.stderr


def run_plan(workdir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "scripts/plan.py", *arguments],
        cwd=workdir,
        env=smoke.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
