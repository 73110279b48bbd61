"""Transfers arrive whole whatever the server does, resume where they can, and say clearly where they cannot."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from karyobench import files
from karyobench.datasets import transfer
from karyobench.datasets.transfer import TransferError

BODY = bytes(range(256)) * 16_000
STEP = Path(__file__).resolve().parents[2] / "scripts" / "download.py"


def test_a_broken_connection_is_resumed_where_it_broke(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000, 2_000_000])
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY
    assert [asked for _, asked in site.asked] == [None, "bytes=1000000-", "bytes=3000000-"]


def test_a_later_call_resumes(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000], status=[None, 404])
    with pytest.raises(TransferError, match="HTTP 404"):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY
    assert site.asked[-1][1] == "bytes=1000000-"


def test_a_complete_partial_file_is_not_asked_for_again(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY})
    for _ in range(2):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert len(site.asked) == 1


@pytest.mark.parametrize("faults", [{"ranges": False}, {"etag": None}, {"etag": 'W/"weak"'}])
def test_without_a_confirmed_range_the_file_starts_again(faults: dict, serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000], **faults)
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY


def test_parts_of_two_versions_are_never_joined(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000], status=[None, 404])
    with pytest.raises(TransferError):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    site.content["/a.zip"], site.etag = BODY[::-1], '"two"'
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY[::-1]


def test_a_file_that_shrank_on_the_server_starts_again(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000], status=[None, 404])
    with pytest.raises(TransferError):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    site.content["/a.zip"] = BODY[:500]
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY[:500]


def test_another_range_than_asked_for_is_never_joined(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000, None, None], other_range=True)
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY


def test_a_server_that_never_gets_further_is_given_up(serve: Callable, tmp_path: Path) -> None:
    """Each second attempt starts again and gets as far as the first: that is no progress."""
    site = serve({"/a.zip": BODY}, stop_after=[1_000_000] * 50, other_range=True)
    with pytest.raises(TransferError, match="4 attempts"):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert len(site.asked) <= 6


def test_passing_faults_are_retried(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": b"whole"}, status=[503, 429, 500])
    transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"whole"


def test_faults_that_stay_end_after_the_retries(serve: Callable, tmp_path: Path) -> None:
    site = serve({"/a.zip": b"whole"}, status=[503] * 10)
    with pytest.raises(TransferError, match=r"a\.zip: HTTP 503 .*4 attempts"):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert len(site.asked) == 4


def test_final_answers_are_not_retried(serve: Callable, tmp_path: Path) -> None:
    site = serve({})
    with pytest.raises(TransferError, match="HTTP 404"):
        transfer.transfer(site.address + "/a.zip", tmp_path / "part")
    assert len(site.asked) == 1


def test_no_network(serve: Callable, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    serve({})
    with pytest.raises(TransferError, match="refused"):
        transfer.transfer(f"http://127.0.0.1:{port}/a.zip", tmp_path / "part")


def test_file_addresses(tmp_path: Path) -> None:
    (tmp_path / "a b.zip").write_bytes(BODY)
    transfer.transfer((tmp_path / "a b.zip").as_uri(), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BODY
    with pytest.raises(TransferError, match="No such file"):
        transfer.transfer((tmp_path / "absent.zip").as_uri(), tmp_path / "other")


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="only http, https and file"):
        transfer.transfer("ftp://127.0.0.1/a.zip", tmp_path / "part")


def test_a_killed_download_is_resumed_by_the_next(serve: Callable, workdir: Path) -> None:
    """The step itself, ended by SIGKILL while the server is silent in the middle of the file."""
    site = serve({"/a.zip": BODY}, stop_after=[3_000_000], hold=threading.Event())
    source = {"url": site.address + "/a.zip", "sha256": files.digest(BODY)}
    command = [sys.executable, STEP, "--config", json.dumps({"dataset": "d", "source": source})]
    command += ["--partial", "partial", "--output", "raw/d/source.json"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as killed:
        until(lambda: any(p.suffix == ".zip" and p.stat().st_size > 1_000_000 for p in workdir.glob("partial/*")))
        os.kill(killed.pid, signal.SIGKILL)
    assert list(workdir.glob("raw/**/*.*")) == []
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert (workdir / "raw/d/a.zip").read_bytes() == BODY
    first_byte = int(site.asked[-1][1].removeprefix("bytes=").removesuffix("-"))
    assert first_byte > 1_000_000
    assert list(workdir.glob("partial/*")) == []


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
