"""What every step shares: arguments, threads, log, exit status, and dying with the workflow that started it."""

import argparse
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from karyobench import files
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"),
)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Argument parser of a step, with the option that carries the step's configuration slice."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument(
        "--config",
        type=_json_object,
        required=True,
        metavar="JSON",
        help="the slice of config.yaml that this step uses, as one JSON object",
    )
    return made


def run(main: Callable[[argparse.Namespace], None], arguments: argparse.ArgumentParser) -> None:
    """Parse the command line, run `main`, and turn a user's mistake into one message and exit status 1.

    Steps import their numeric libraries inside `main`: these read their number of threads when imported, and the
    number belongs to the result (`threads` in the configuration), not to the machine.
    """
    args = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    limit_threads(getattr(args, "config", {}).get("threads", 1))
    keep_compiled_code()
    die_with_workflow()
    try:
        main(args)
    except KaryobenchError as error:
        log.error("error: %s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except MemoryError:
        log.error("error: out of memory; lower the tile or batch size, or ask for more mem_mb in the profile")
        sys.exit(1)


def limit_threads(count: int) -> None:
    """Set the number of threads of the numeric libraries that are imported after this call."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(count)
    # Threads that spin while they wait take the cores from those they wait for, once the machine does anything else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def keep_compiled_code() -> None:
    """Give numba a cache of its own for this very state of the library's compiled modules, unless one is named.

    Numba looks at the file of a function alone: after an edit of a function that another file's calls, it would go on
    with the old code. Where the library cannot be written to, numba chooses a place itself.
    """
    room = Path(__file__).parent
    if not os.access(room, os.W_OK):
        return
    sources = (path.read_bytes() for path in sorted(room.glob("*/*.py")))
    compiled = b"".join(source for source in sources if b"numba" in source)
    kept = room / "__pycache__" / f"numba-{files.digest(compiled)[:12]}"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(kept))


def die_with_workflow(poll_seconds: float = 0.5) -> None:
    """End this process when the Snakemake process above it ends, however that dies.

    Snakemake killed with SIGKILL leaves its jobs running; an orphan would write beside the next run's job.
    A step started by hand has no such ancestor and is left alone.
    """
    driver = next((p for p in psutil.Process().parents() if _is_snakemake(p)), None)
    if driver is not None:
        threading.Thread(target=_watch, args=(driver, poll_seconds), daemon=True).start()


def _is_snakemake(process: psutil.Process) -> bool:
    try:
        return any("snakemake" in word.rsplit("/", 1)[-1] for word in process.cmdline()[:4])
    except psutil.Error:
        return False


def _watch(driver: psutil.Process, poll_seconds: float) -> None:
    while _lives(driver):
        time.sleep(poll_seconds)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object, such as '{}'")
    return value
