"""Processes of a data-parallel training ("ranks"): started here, or by srun inside a SLURM job of several tasks.

A rank is the same step with the same arguments. It knows its place from the variables that torchrun sets as well.
"""

import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

LAUNCHERS = ("local", "srun")

_MARK = "KARYOBENCH_RANKS"
_POLL_SECONDS = 0.05
_LATE_SECONDS = 10.0
_APART_SECONDS = 60.0


def launch(count: int, threads: int, launcher: str, per_node: int | None) -> bool:
    """Start `count` ranks of the running script and wait until all have ended well.

    False, at once, where nothing is to be started: one process does all, or this one is a rank, which now knows its
    place. launcher: `local`, or `srun` in a SLURM job of so many tasks, which takes this process's place: `per_node`
    ranks on each node (all on one unless told), each with `threads` processors. No rank outlives this process.
    Raises KaryobenchError when a rank fails; the others are ended then.
    """
    if count == 1:
        return False
    if _MARK in os.environ:
        _join(os.environ[_MARK])
        return False
    here = count if launcher == "local" else per_node or count
    places = {_MARK: launcher, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(here), "MASTER_PORT": _free_port()}
    places["TORCH_CPP_LOG_LEVEL"] = "ERROR"  # each rank would warn that it looks for unused weights
    if launcher == "srun":
        _become_srun([f"--nodes={count // here}", f"--ntasks-per-node={here}", f"--cpus-per-task={threads}"], places)
    _run(count, places | {"MASTER_ADDR": "127.0.0.1"})
    return True


def on_this_machine(count: int) -> int:
    """How many of the `count` ranks run on this machine. Raises KaryobenchError in a process that is none of them."""
    if os.environ.get("WORLD_SIZE") != str(count) or "RANK" not in os.environ:
        raise KaryobenchError(f"train.ranks is {count}, and this process is none of them; start scripts/train.py")
    return int(os.environ["LOCAL_WORLD_SIZE"])


def _run(count: int, places: dict[str, str]) -> None:
    """Run the ranks as children, each with a pipe from here that says nothing: it closes when this process is gone."""
    started = [
        subprocess.Popen(
            [sys.executable, *sys.argv],
            stdin=subprocess.PIPE,
            env={**os.environ, **places, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(count)
    ]
    try:
        with _passing_on_termination(started) as told_to_end:
            failure = _first_failure(started, told_to_end)
    finally:
        for process in started:
            process.kill()
            process.wait()
    if failure is not None:
        number, code = failure
        how = f"was killed by signal {-code}" if code < 0 else "failed; its message stands above"
        raise KaryobenchError(f"rank {number} of {count}, counted from 0, {how}")


def _first_failure(started: list[subprocess.Popen[bytes]], told_to_end: list[int]) -> tuple[int, int] | None:
    """Number and exit status of a rank that failed, as soon as one has; None when all have ended well.

    Ranks that were told to end are given the time that their checkpoint takes; after it they end together, unless one
    was told before it could listen, and the others wait for it.
    """
    end = math.inf
    while True:
        codes = [process.poll() for process in started]
        failed = [(number, code) for number, code in enumerate(codes) if code]
        if failed:
            end = min(end, time.monotonic() + (_APART_SECONDS if told_to_end else 0))
        if None not in codes or time.monotonic() >= end:
            return failed[0] if failed else None
        time.sleep(_POLL_SECONDS)


@contextmanager
def _passing_on_termination(started: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """A list that is empty until SIGTERM arrives, which is passed on to the ranks."""
    told: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        told.append(number)
        for process in started:
            process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _become_srun(options: list[str], places: dict[str, str]) -> NoReturn:
    """Let srun take this process's place: it passes signals on to the ranks and ends all when one fails."""
    command = ["srun", *options, "--kill-on-bad-exit=1", "--input=none", sys.executable, *sys.argv]
    try:
        os.execvpe("srun", command, {**os.environ, **places})
    except OSError as error:
        raise KaryobenchError(f"srun cannot be started ({error.strerror}); use --launcher local") from None


def _join(launcher: str) -> None:
    """Take this rank's place among the others, and speak only for all or of itself."""
    if launcher == "srun":
        told = {"RANK": "PROCID", "LOCAL_RANK": "LOCALID", "GROUP_RANK": "NODEID", "MASTER_ADDR": "LAUNCH_NODE_IPADDR"}
        os.environ.update({name: os.environ[f"SLURM_{variable}"] for name, variable in told.items()})
    else:
        threading.Thread(target=_end_with_launcher, daemon=True).start()
    if os.environ["RANK"] != "0":
        log.setLevel(logging.WARNING)
    sys.excepthook = _report_late


def _end_with_launcher() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _report_late(*exception: Any) -> None:
    """Print an exception when nobody has ended this rank: one that lost its partner waits for what the partner says."""
    time.sleep(_LATE_SECONDS)
    sys.__excepthook__(*exception)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return str(probe.getsockname()[1])
