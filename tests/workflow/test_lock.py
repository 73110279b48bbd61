"""A dead run's lock is cleared, a live one's is not."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import smoke
from karyobench.workflow import lock

HERE = socket.gethostname()


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A working directory with Snakemake's lock in it."""
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("results/x\n")
    return tmp_path


def leave_claim(workdir: Path, pid: int, born: float, host: str = HERE) -> None:
    """Write the claim of another run."""
    claims = workdir / ".snakemake" / "karyobench-runs"
    claims.mkdir(parents=True, exist_ok=True)
    (claims / f"{host}-{pid}.json").write_text(json.dumps({"host": host, "pid": pid, "born": born}))


def is_locked(workdir: Path) -> bool:
    """Whether Snakemake would find a lock."""
    return (workdir / ".snakemake" / "locks" / "0.output.lock").exists()


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_the_lock_of_a_dead_process_is_cleared(locked: Path, sleeper: subprocess.Popen[bytes]) -> None:
    leave_claim(locked, sleeper.pid, psutil.Process(sleeper.pid).create_time())
    sleeper.kill()
    sleeper.wait()
    assert lock.claim(locked) == ["cleared the lock that a killed run left behind"]
    assert not is_locked(locked)


def test_the_lock_of_a_live_process_stays(locked: Path, sleeper: subprocess.Popen[bytes]) -> None:
    leave_claim(locked, sleeper.pid, psutil.Process(sleeper.pid).create_time())
    assert lock.claim(locked) == []
    assert is_locked(locked)


def test_a_reused_process_id_is_not_taken_for_the_run(locked: Path, sleeper: subprocess.Popen[bytes]) -> None:
    leave_claim(locked, sleeper.pid, psutil.Process(sleeper.pid).create_time() - 1000)
    lock.claim(locked)
    assert not is_locked(locked)


def test_one_live_run_among_dead_ones_keeps_the_lock(locked: Path, sleeper: subprocess.Popen[bytes]) -> None:
    leave_claim(locked, sleeper.pid, psutil.Process(sleeper.pid).create_time())
    leave_claim(locked, sleeper.pid + 1_000_000, 0.0)
    lock.claim(locked)
    assert is_locked(locked)


@pytest.mark.parametrize("host", ["another-host"])
def test_a_run_on_another_host_cannot_be_judged_from_here(locked: Path, host: str) -> None:
    leave_claim(locked, 1, 0.0, host)
    lock.claim(locked)
    assert is_locked(locked)


def test_a_lock_without_any_claim_stays(locked: Path) -> None:
    lock.claim(locked)
    assert is_locked(locked)


def test_a_claim_goes_when_its_process_ends(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from karyobench.workflow import lock; lock.claim(pathlib.Path(sys.argv[2]))\n"
        "print(len(list(pathlib.Path(sys.argv[2]).rglob('*.json'))))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(smoke.ROOT / "scripts"), str(tmp_path)], capture_output=True, check=True
    )
    assert told.stdout.strip() == b"1"
    assert list(tmp_path.rglob("*.json")) == []


def test_snakemake_refuses_beside_a_live_run(finished: Path) -> None:
    """Two real runs in one directory: the second is refused while the first works."""
    env = {**smoke.environment(), "KARYOBENCH_TEST": "1"}
    first = subprocess.Popen(
        smoke.snakemake("--cores", "1", "--forcerun", "split", "evaluate"),
        cwd=finished,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        smoke.wait_for(lambda: any((finished / ".snakemake" / "locks").glob("*.lock")))
        second = smoke.run(finished, "--cores", "1", "--forcerun", "split")
        assert second.returncode != 0
        assert "locked" in second.stdout
        assert (finished / ".snakemake" / "locks").exists()
    finally:
        assert first.wait(timeout=120) == 0
