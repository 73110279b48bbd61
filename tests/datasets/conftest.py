"""Fixtures of the datasets room."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import file_server
from karyobench.datasets import transfer


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
