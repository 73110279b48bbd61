"""A fair race: every peer with its own packages, in its own process, with the same threads, in turns.

A benchmark is a module that names its peers. A peer is a function of that module, `prepare(input: str)`, which loads
the input and returns a function without arguments: only that one is timed, and what it returns is an array (or None).
The module is imported with the peer's interpreter too, so at its top it imports the standard library, numpy and this
module alone. Peers are installed below the folder that `--peers` names; the project's own run with this interpreter.

    def ours(path): ...
    rows = harness.run(__file__, [harness.Peer("ours", "ours"), harness.Peer("theirs", "theirs", ENVIRONMENT)],
                       {"1000 x 1000": "tile.npy"}, harness.parser(__doc__).parse_args())
    print(harness.machine(rows))
    print(harness.table(rows, first="ours"))

Rounds interleave: in each, every peer repeats its call for a fifth of a second, at least once; the round counts with
the median of these calls, the table with the median of the rounds. Memory is what one call adds to the resident set at
its peak, its result included. Linux only.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

WORKER = Path(__file__).with_name("worker.py")
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR")


@dataclass(frozen=True)
class Environment:
    """Packages of one virtual environment: each of `installs` is the arguments of one `pip install`."""

    name: str
    installs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Peer:
    """One competitor. function: its name in the benchmark's module, or in the file `module` where that is set.

    packages: those whose versions the page tells.
    """

    name: str
    function: str
    environment: Environment | None = None
    packages: tuple[str, ...] = ()
    module: str | Path | None = None


@dataclass
class Row:
    """What one peer did with one input.

    rounds: seconds per round. megabytes: added at the peak. digest: of the result. result: the array itself.
    repeatable: whether the last call's result equals the first one's bit for bit.
    """

    peer: str
    input: str
    rounds: list[float]
    megabytes: float
    digest: str
    repeatable: bool
    result: np.ndarray | None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Median over the rounds."""
        return median(self.rounds)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments that every benchmark takes."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--peers", type=Path, default=Path(".peers"), metavar="DIR", help="where peers are installed")
    made.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts")
    made.add_argument("--threads", type=int, default=2, help="threads of every peer")
    made.add_argument("--only", nargs="+", metavar="PEER", help="names of the peers that run; default: all")
    return made


def run(module: str | Path, peers: Sequence[Peer], inputs: dict[str, str], args: argparse.Namespace) -> list[Row]:
    """Run every peer on every input. inputs: name in the table -> what the peers' functions are given."""
    chosen = [peer for peer in peers if not args.only or peer.name in args.only]
    rows = []
    for name, given in inputs.items():
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            workers = [stack.enter_context(_Worker(module, peer, given, folder, args)) for peer in chosen]
            digests = [worker.ask("save") for worker in workers]
            memory = [worker.ask("memory") for worker in workers]
            rounds = [[worker.ask("time") for worker in workers] for _ in range(args.rounds)]
            for index, (peer, worker) in enumerate(zip(chosen, workers, strict=True)):
                again = worker.ask("save")
                taken = [times[index] for times in rounds]
                facts = (memory[index], again, again == digests[index], worker.result(), worker.ask("versions"))
                rows.append(Row(peer.name, name, taken, *facts))
    return rows


def table(rows: Sequence[Row], first: str, judge: tuple[str, Callable[[Row], str]] | None = None) -> str:
    """Markdown table; ratios are to the peer named `first`. judge: title of one more column, and its cell of a row."""
    title = ["input", "peer", "median ms", "fastest..slowest round", f"times {first}", "extra MB", "digest", "repeats"]
    title += [judge[0]] if judge else []
    lines = [title, ["---"] * len(title)]
    for row in rows:
        base = next(r for r in rows if r.peer == first and r.input == row.input)
        cells = [row.input, row.peer, f"{1e3 * row.seconds:.1f}"]
        cells += [f"{1e3 * min(row.rounds):.1f}..{1e3 * max(row.rounds):.1f}", f"{row.seconds / base.seconds:.1f}"]
        cells += [f"{row.megabytes:.1f}", row.digest, "yes" if row.repeatable else "no"]
        lines.append(cells + ([judge[1](row)] if judge else []))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(rows: Sequence[Row]) -> str:
    """One paragraph: processor, cores, Python, and the versions of the peers' packages."""
    versions = sorted({f"{name} {version}" for row in rows for name, version in row.versions.items()})
    model = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")), ": unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = [f"{model.split(':')[1].strip()}, {os.cpu_count()} cores, {memory:.0f} GiB", platform.system()]
    return "; ".join([*facts, f"Python {platform.python_version()}", ", ".join(versions)]) + "."


def copy_speed(size: int = 1 << 28) -> float:
    """Bytes per second that one core copies from memory to memory: the best of nine."""
    import time

    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        np.copyto(target, source)
        taken.append(time.perf_counter() - start)
    return size / min(taken)


def install(environment: Environment, folder: Path) -> Path:
    """Interpreter of an environment, which is made unless it is there as wanted."""
    home = folder.resolve() / environment.name
    python, stamp, wanted = home / "bin" / "python", home / "installed.json", json.dumps(environment.installs)
    if not stamp.is_file() or _read(stamp) != wanted:
        venv.create(home, with_pip=True, clear=True)
        for packages in environment.installs:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text(wanted)
    return python


def _read(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8")


class _Worker:
    """The process of one peer with one input: it does what it is told, one thing at a time."""

    def __init__(self, module: str | Path, peer: Peer, given: str, folder: Path, args: argparse.Namespace) -> None:
        python = install(peer.environment, args.peers) if peer.environment else sys.executable
        environ = dict(os.environ, OMP_WAIT_POLICY="PASSIVE")
        environ |= {f"{library}_NUM_THREADS": str(args.threads) for library in _THREADS}
        if peer.environment:
            environ.pop("PYTHONPATH", None)
        self.name, self.log, self.saved = peer.name, folder / f"{peer.function}.log", folder / f"{peer.function}.npy"
        command = [python, WORKER, peer.module or module, peer.function, given, self.saved, *peer.packages]
        with self.log.open("w") as log:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, env=environ)

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.communicate()

    def ask(self, what: str) -> Any:
        try:
            self.process.stdin.write(f"{what}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended:\n{_read(self.log)[-2000:]}")
        return json.loads(answer)

    def result(self) -> np.ndarray | None:
        return np.load(self.saved, allow_pickle=False) if self.saved.is_file() else None


def digest(result: np.ndarray) -> str:
    """Ten hexadecimal digits that tell arrays apart."""
    told = f"{result.dtype.str}{result.shape}".encode() + np.ascontiguousarray(result).tobytes()
    return hashlib.sha256(told).hexdigest()[:10]
