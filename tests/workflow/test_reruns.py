"""The rerun contract: an edit reruns exactly what it touches. A row is an edit and the jobs of the dry run after it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import smoke
from karyobench.workflow import plan

AFTER_EVALUATE = {"leaderboard smoke", "report smoke"}
UNET = {"predict unet3-smoke", "merge unet3-smoke", "evaluate unet3-smoke", *AFTER_EVALUATE}
TRAIN = {"train unet3-smoke", *UNET}
UNTRAINED = [f"{name}-smoke" for name in (*smoke.FAKES, "otsu")]
EXPERIMENTS = [*UNTRAINED, "unet3-smoke"]
EVALUATE = {*(f"evaluate {name}" for name in EXPERIMENTS), *AFTER_EVALUATE}
PREDICT = {f"{rule} {name}" for name in EXPERIMENTS for rule in ("predict", "merge")} | EVALUATE

NORMALIZE = {"normalize macenko-smoke", "stain_figure macenko-smoke", "patch smoke-64", *TRAIN}
INGEST = {"ingest smoke", "datasets smoke", "split smoke", *NORMALIZE, *PREDICT}


def edit(*path: str, value: Any) -> Callable[[Path], None]:
    """Set one key of the configuration."""

    def apply(workdir: Path) -> None:
        config = smoke.read_config(workdir)
        record = config
        for key in path[:-1]:
            record = record.setdefault(key, {})
        record[path[-1]] = value
        smoke.write_config(workdir, config)

    return apply


def append(file: str, text: str) -> Callable[[Path], None]:
    """Add text at the end of a source file."""

    def apply(workdir: Path) -> None:
        with open(workdir / file, "a", encoding="utf-8") as stream:
            stream.write(text)

    return apply


def reword(workdir: Path) -> None:
    """Another docstring at the top of a module that every evaluation runs."""
    path = workdir / "scripts/karyobench/metrics/pixel.py"
    source = path.read_text(encoding="utf-8")
    assert source.startswith('"""')
    path.write_text(source.replace('"""', '"""In other words: ', 1), encoding="utf-8")


def add_experiment(workdir: Path) -> None:
    """A new system: one entry in systems, one experiment, one name in the leaderboard."""
    config = smoke.read_config(workdir)
    config["systems"]["otsu-strict"] = {"module": "otsu", **_with_min_area(200)}
    config["experiments"]["otsu-strict-smoke"] = {"system": "otsu-strict", "stain": "none"}
    config["leaderboards"]["smoke"]["experiments"].append("otsu-strict-smoke")
    smoke.write_config(workdir, config)


def touch_sources(workdir: Path) -> None:
    """What a fresh clone or a branch switch does: new times, same contents."""
    later = time.time() + 60
    for path in workdir.glob("scripts/**/*.py"):
        os.utime(path, (later, later))
    for path in (workdir / "Snakefile", workdir / "config.yaml", *workdir.glob("rules/*.smk")):
        os.utime(path, (later, later))


def _with_min_area(pixels: int) -> dict[str, Any]:
    import yaml

    real = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))["systems"]["otsu"]
    return {**real, "instances": {**real["instances"], "min_area": pixels}}


OTSU = _with_min_area(200)["instances"]

CONTRACT: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "nothing": (lambda workdir: None, set()),
    "touched sources": (touch_sources, set()),
    "a comment": (append("scripts/karyobench/training/loop.py", "\n# a remark\n"), set()),
    "a docstring": (reword, set()),
    "the mirror": (edit("mirror", value="elsewhere"), set()),
    "resources": (edit("systems", "unet3-tiny", "resources", "mem_mb", value=3000), set()),
    "an unused dataset": (
        edit(
            "datasets",
            "spare",
            value={
                "reader": "pairs",
                "source": {"local": "x"},
                "pairs": [],
                "image_type": "he",
                "truth": "manual",
                "split": {"kind": "regions"},
                "licence": "-",
                "citation": "-",
            },
        ),
        set(),
    ),
    "the published rows": (edit("leaderboards", "smoke", "published", value="dsb2018"), AFTER_EVALUATE),
    "further scores": (edit("leaderboards", "smoke", "scores", value=["mpa_recall"]), AFTER_EVALUATE),
    "the licence": (edit("datasets", "smoke", "licence", value="CC-BY-4.0"), {"datasets smoke", *AFTER_EVALUATE}),
    "another reader's code": (append("scripts/karyobench/datasets/readers/dsb2018.py", "\nSPARE = 1\n"), set()),
    "the code of class maps, which no system here has": (
        append("scripts/karyobench/reporting/class_maps.py", "\nSPARE = 1\n"),
        set(),
    ),
    "the site's code": (append("scripts/karyobench/reporting/site.py", "\nSPARE = 1\n"), {"report smoke"}),
    "an AP threshold": (edit("metrics", "iou_thresholds", value=[0.5, 0.75]), EVALUATE),
    "the radius of points": (edit("metrics", "point_radius", value={"mitoses": {"microns": 5, "pixels": 20}}), set()),
    "metrics code": (append("scripts/karyobench/metrics/pixel.py", "\nSPARE = 1\n"), EVALUATE),
    "a merge threshold": (
        edit("systems", "oracle_split", "instances", "min_edge", value=4),
        {"merge oracle_split-smoke", "evaluate oracle_split-smoke", *AFTER_EVALUATE},
    ),
    "a post-processing threshold": (
        edit("systems", "unet3-tiny", "instances", "min_area", value=40),
        UNET - {"predict unet3-smoke"},
    ),
    "a fake's shift": (
        edit("systems", "oracle_shifted", "predict", "shift", value=[3, 0]),
        {f"{rule} oracle_shifted-smoke" for rule in ("predict", "merge", "evaluate")} | AFTER_EVALUATE,
    ),
    "the loss": (edit("systems", "unet3-tiny", "loss", "class_weights", value=[1.0, 1.0, 3.0]), TRAIN),
    "the budget": (edit("experiments", "unet3-smoke", "budget", "steps", value=13), TRAIN),
    "a cap below the budget": (edit("max_steps", value=11), TRAIN),
    "a cap above the budget": (edit("max_steps", value=12), set()),
    "one system's code": (append("scripts/karyobench/systems/unet3.py", "\nSPARE = 1\n"), TRAIN),
    "training code": (append("scripts/karyobench/training/loop.py", "\nSPARE = 1\n"), TRAIN),
    "the threads": (edit("threads", value=1), PREDICT | TRAIN),
    "the runtime": (
        edit("systems", "unet3-tiny", "predict", "runtime", value={"name": "openvino", "precision": "float32"}),
        {"export unet3-smoke", *UNET},
    ),
    "an unused runtime's code": (append("scripts/karyobench/inference/export.py", "\nSPARE = 1\n"), set()),
    "another seed": (
        edit("experiments", "unet3-smoke", "seeds", value=[1, 2]),
        {f"{rule} unet3-smoke/2" for rule in ("train", "predict", "merge", "evaluate")} | AFTER_EVALUATE,
    ),
    "add a system": (
        add_experiment,
        {f"{rule} otsu-strict-smoke" for rule in ("predict", "merge", "evaluate")} | AFTER_EVALUATE,
    ),
    "the patches": (edit("patches", "smoke-64", "crops_per_tile", value=5), {"patch smoke-64", *TRAIN}),
    "the stain": (edit("stains", "macenko-smoke", "beta", value=0.2), NORMALIZE),
    "the split": (
        edit("datasets", "smoke", "split", "val", value=[]),
        {"split smoke", *NORMALIZE, *PREDICT},
    ),
    "the truth's kind": (edit("datasets", "smoke", "truth", value="pseudo"), INGEST),
    "the reader's code": (append("scripts/karyobench/datasets/readers/pairs.py", "\nSPARE = 1\n"), INGEST),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_an_edit_reruns_exactly_what_it_touches(finished: Path, name: str) -> None:
    apply, expected = CONTRACT[name]
    kept = _sources(finished)
    try:
        apply(finished)
        dry = smoke.run(finished, "--dry-run", "--cores", "1")
    finally:
        _restore(finished, kept)
    assert dry.returncode == 0, dry.stdout
    assert _short(plan.jobs(dry.stdout)) == expected


def _sources(workdir: Path) -> dict[Path, tuple[bytes, int]]:
    found = [workdir / "smoke.yaml", *workdir.glob("scripts/**/*.py")]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def _restore(workdir: Path, kept: dict[Path, tuple[bytes, int]]) -> None:
    for path, (content, when) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(when, when))


def _short(jobs: list[plan.Job]) -> set[str]:
    """`rule name` per job; a replicate other than seed 1 is told as name/seed."""
    return {f"{job.rule} {_name(job.wildcards)}" for job in jobs if job.rule != "all"}


def _name(wildcards: str) -> str:
    told = dict(item.split("=", 1) for item in wildcards.split(", "))
    if "experiment" in told:
        return told["experiment"] + ("" if told["seed"] == "1" else f"/{told['seed']}")
    return next(told[key] for key in ("stain", "patches", "leaderboard", "study", "dataset") if key in told)
