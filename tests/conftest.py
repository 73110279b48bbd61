"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

import smoke
from karyobench import cli

ROOT = Path(__file__).resolve().parents[1]

# As the steps have it (cli.limit_threads): waiting threads that spin slow down every other process.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
cli.keep_compiled_code()

# The same examples on every run: a change is judged by what it does, not by the day's draw.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Directory of real datasets with a MANIFEST.csv, named by KARYOBENCH_MIRROR or lying beside the project."""
    path = Path(os.environ.get("KARYOBENCH_MIRROR", ROOT.parent / "shared" / "datasets"))
    if not (path / "MANIFEST.csv").is_file():
        pytest.skip(f"no mirror of real datasets at {path}; name one by KARYOBENCH_MIRROR")
    return path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the smoke study has run to its end. Tests must leave it as they find it."""
    workdir = smoke.make_workdir(tmp_path_factory.mktemp("finished"))
    done = smoke.run(workdir, "--cores", "2")
    if done.returncode != 0:
        pytest.fail(f"the smoke study failed:\n{done.stdout}")
    return workdir
