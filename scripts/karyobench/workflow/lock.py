"""Clear the lock that a killed run left behind, and only that one.

Snakemake's lock does not say whose it is. Each real run therefore leaves a claim beside it: host, process id and the
process's start time. A lock is stale when every claim is of a dead process of this host.
"""

import atexit
import json
import socket
from pathlib import Path

import psutil

from karyobench import files


def claim(workdir: Path) -> list[str]:
    """Record this process as a run in `workdir`; clear the lock of runs that died. Returns what was done, in words."""
    claims = workdir / ".snakemake" / "karyobench-runs"
    claims.mkdir(parents=True, exist_ok=True)
    others = [path for path in sorted(claims.glob("*.json")) if path.name != _own_name()]
    dead = [path for path in others if _dead(path)]
    said = []
    if dead and len(dead) == len(others) and _clear_lock(workdir):
        said.append("cleared the lock that a killed run left behind")
    for path in dead:
        path.unlink(missing_ok=True)
    me = psutil.Process()
    own = claims / _own_name()
    files.write_json(own, {"host": socket.gethostname(), "pid": me.pid, "born": me.create_time()})
    atexit.register(own.unlink, missing_ok=True)
    return said


def _own_name() -> str:
    return f"{socket.gethostname()}-{psutil.Process().pid}.json"


def _dead(path: Path) -> bool:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["host"] != socket.gethostname():
            return False
        process = psutil.Process(told["pid"])
        return process.create_time() != told["born"] or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, KeyError):
        # An unreadable claim proves nothing, so the lock stays and Snakemake says how to clear it.
        return False


def _clear_lock(workdir: Path) -> bool:
    locks = workdir / ".snakemake" / "locks"
    found = locks.is_dir() and any(locks.iterdir())
    if found:
        files.remove(locks)
    return found
