"""What is freed stays with the process."""

import platform
import subprocess
import sys

import pytest

import smoke

PROGRAM = """
import resource, sys
import numpy as np
from karyobench.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def layers():
    held = [np.ones(20 * 2**17) for _ in range(3)]  # 20 MB each

layers()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    layers()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    """Pages that a process fetches from the system for twenty times the same memory."""
    command = [sys.executable, "-c", PROGRAM, how]
    environ = {"PYTHONPATH": str(smoke.ROOT / "scripts"), "OMP_NUM_THREADS": "1"}
    return int(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_was_freed_is_not_fetched_again():
    assert faults("leave") > 20 * faults("keep")
