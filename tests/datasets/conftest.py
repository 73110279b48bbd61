"""Fixtures of the datasets room."""

import contextlib
import faulthandler
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import file_server
import hostile_archives
from karyobench.datasets import archives, transfer

SECONDS = 300
MEMORY = 3 << 30


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., file_server.Site]]:
    """Start servers of given content; retries do not wait."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0, 0.0))
    with contextlib.ExitStack() as running:
        yield lambda content, **faults: running.enter_context(file_server.serving(file_server.Site(content, **faults)))


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory of its own, an end to hanging and to asking for memory, a limit that makes bombs small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(archives, "TAR_LIMIT", hostile_archives.BOMB - 1)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, before[1]))
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    resource.setrlimit(resource.RLIMIT_AS, before)
