"""The process in which the harness runs one peer: module, function, input, file for the result, packages."""

import ctypes
import gc
import importlib.util
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROUND_SECONDS = 0.2


def main(module: str, function: str, given: str, saved: str, *packages: str) -> None:
    """Answer the commands on standard input, one JSON value each, until it ends."""
    # Peers may print: what they say goes to the log, the answers to the harness.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    call = getattr(_load(module), function)(given)
    call()
    for line in sys.stdin:
        answer = {"save": lambda: _save(call, saved), "memory": lambda: _memory(call), "time": lambda: _time(call)}
        answer["versions"] = lambda: {name: version(name) for name in packages}
        answers.write(json.dumps(answer[line.strip()]()) + "\n")
        answers.flush()


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_peers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _save(call: Any, saved: str) -> str:
    import harness
    import numpy as np

    result = call()
    if result is None:
        return ""
    np.save(saved, result)
    return harness.digest(np.load(saved))


def _time(call: Any) -> float:
    """Seconds of a call: the median of as many as fill a round."""
    taken: list[float] = []
    end = time.perf_counter() + ROUND_SECONDS
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)


def _memory(call: Any) -> float:
    """Megabytes that a call adds to the resident set at its peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = call()
    added = _status("VmHWM") - before
    del result
    return added / 1e3


def _status(key: str) -> float:
    """Kilobytes (of 1000 bytes) that the system tells about this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(key)) * 1.024


if __name__ == "__main__":
    main(*sys.argv[1:])
