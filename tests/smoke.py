"""The smoke study: every stage on synthetic images, with the permanent fakes whose scores are known in closed form."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import synthetic

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ("Snakefile", "config.yaml", "rules", "envs", "profiles", "scripts")
FAKES = ("oracle_truth", "oracle_empty", "oracle_shifted", "oracle_merged", "oracle_split")
TILE = synthetic.TILE


def make_workdir(path: Path) -> Path:
    """Copy the workflow to `path`, write the synthetic images and the configuration of the smoke study."""
    path.mkdir(parents=True, exist_ok=True)
    for name in WORKFLOW:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, path / name)
    synthetic.write(path / "smoke-data")
    write_config(path, config())
    return path


def write_config(workdir: Path, values: dict[str, Any]) -> None:
    """Write the configuration that is laid over config.yaml."""
    (workdir / "smoke.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def read_config(workdir: Path) -> dict[str, Any]:
    """The configuration that `write_config` wrote."""
    return yaml.safe_load((workdir / "smoke.yaml").read_text(encoding="utf-8"))


def config() -> dict[str, Any]:
    """Datasets, systems, experiments and leaderboard of the smoke study."""
    fakes = {name: _fake(name) for name in FAKES}
    trained = {"unet3-smoke": {"system": "unet3-tiny", "patches": "smoke-64", "budget": {"steps": 12}}}
    untrained = {f"{name}-smoke": {"system": name, "stain": "none"} for name in [*FAKES, "otsu"]}
    return {
        "study": "smoke",
        "datasets": {"smoke": synthetic.dataset("smoke-data")},
        "stains": {
            "macenko-smoke": {
                "method": "macenko",
                "beta": 0.15,
                "alpha": 1,
                "reference": {"dataset": "smoke", "choose": "median"},
            }
        },
        "patches": {
            "smoke-64": {
                "train": ["smoke"],
                "stain": "macenko-smoke",
                "tile": 96,
                "crop": 64,
                "crops_per_tile": 4,
            }
        },
        "systems": {**fakes, "unet3-tiny": _tiny_unet3()},
        "experiments": {**untrained, **trained},
        "leaderboards": {"smoke": {"dataset": "smoke", "experiments": [*untrained, *trained]}},
        "studies": {"smoke": ["smoke"]},
    }


def _fake(name: str) -> dict[str, Any]:
    predict = {"tile": TILE, **({"shift": list(synthetic.SHIFT)} if name == "oracle_shifted" else {})}
    return {"module": name, "predict": predict, "instances": {"min_edge": 3}}


def _tiny_unet3() -> dict[str, Any]:
    real = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["systems"]["unet3"]
    return {
        **real,
        "network": {**real["network"], "width": 4, "depth": 2},
        "train": {**real["train"], "batch": 4, "checkpoint_every": 3},
        "predict": {"tile": 96, "overlap": 32},
        "resources": {"gpu": 1, "mem_mb": 1500, "runtime": 10},
    }


def snakemake(*arguments: str) -> list[str]:
    """Command line of Snakemake on the smoke study."""
    return [sys.executable, "-m", "snakemake", *arguments, "--configfile", "smoke.yaml"]


def environment() -> dict[str, str]:
    """This process's environment, with the running Python's programs first on the PATH."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(workdir: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on the smoke study in `workdir`; output and errors come back as one text."""
    return subprocess.run(
        snakemake(*arguments),
        cwd=workdir,
        env=env or environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def commands(workdir: Path, *arguments: str) -> dict[str, list[str]]:
    """Commands that a dry run prints, by step."""
    dry = run(workdir, "--dry-run", "--printshellcmds", "--cores", "1", *arguments)
    found: dict[str, list[str]] = {}
    for step, line in re.findall(r"^Shell command: (?=python scripts/(\w+)\.py)(.*)$", dry.stdout, re.MULTILINE):
        found.setdefault(step, []).append(line)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        time.sleep(0.05)


def leaderboard_files(workdir: Path) -> dict[str, bytes]:
    """Name and bytes of each leaderboard file."""
    return {p.name: p.read_bytes() for p in sorted((workdir / "results" / "leaderboards").iterdir())}
