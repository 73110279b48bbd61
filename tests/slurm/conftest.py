"""The cluster that all tests of this directory share."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import smoke

CLUSTER = Path(__file__).with_name("cluster.py")


def call(action: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, CLUSTER, action], capture_output=True, text=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[dict[str, str]]:
    """Environment of a fresh SLURM, which is stopped at the end. Its GPUs are fake: torch is not asked about them."""
    started = call("up")
    try:
        if started.returncode:
            pytest.fail(started.stderr)
        environment = smoke.environment() | {"KARYOBENCH_PREFLIGHT": "no-cuda"}
        for line in call("env").stdout.splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            environment[name] = value.strip('"').replace("$PATH", environment["PATH"])
        yield environment
    finally:
        call("down")
