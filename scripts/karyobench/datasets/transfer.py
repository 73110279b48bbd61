"""Resumable transfer of one address into a partial file (RFC 9110, sections 13 and 14: If-Range and Range)."""

import http.client
import json
import logging
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from karyobench import files
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait after each failure in a row; progress starts the count again."""

_BLOCK = 1 << 20
_START = 1 << 10
_BLANK = b"\xef\xbb\xbf \t\r\n"
_PAGE = (b"<!doctype html", b"<html")
_REPORT_EVERY = 16 << 20
_TIMEOUT = 60
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}
_FINAL_CAUSES = (FileNotFoundError, IsADirectoryError, PermissionError, ssl.SSLCertVerificationError)
_HEADERS = {"User-Agent": "karyobench", "Accept-Encoding": "identity"}


class TransferError(KaryobenchError):
    """An address that did not give its file, after all retries."""


class _InterruptedError(Exception):
    """A fault that may pass."""


def transfer(url: str, partial: Path) -> None:
    """Bring all bytes of `url` (http, https or file) into `partial`, going on where an earlier call stopped.

    A resumed transfer is one that the server confirms with If-Range, so that the parts belong to one version of the
    file; otherwise it starts again. `{partial}.json` beside it keeps the version and the length.
    Raises TransferError naming the address and the cause.
    """
    if not url.startswith(("http://", "https://", "file://")):
        raise TransferError(f"{url}: only http, https and file addresses are read")
    partial.parent.mkdir(parents=True, exist_ok=True)
    failures, most = 0, _size(partial)
    while True:
        try:
            return _attempt(url, partial)
        except _InterruptedError as fault:
            failures = 0 if _size(partial) > most else failures
            most = max(most, _size(partial))
            if failures == len(PAUSES):
                raise TransferError(f"{url}: {fault} ({failures + 1} attempts)") from None
            log.warning("%s: %s; trying again in %g s", url, fault, PAUSES[failures])
            time.sleep(PAUSES[failures])
            failures += 1


def is_page(partial: Path) -> bool:
    """Whether a transfer brought a web page, by its media type or its first bytes: what sites send in place of a file.

    A server may answer 200 with a page that asks to sign in, to agree, or to come back later.
    """
    if _note(partial)["media"].lower().startswith("text/html"):
        return True
    with open(partial, "rb") as stream:
        return stream.read(_START).lstrip(_BLANK).lower().startswith(_PAGE)


def discard(partial: Path) -> None:
    """Remove a partial file and what is known of it."""
    files.remove(partial)
    files.remove(_note_path(partial))


def _attempt(url: str, partial: Path) -> None:
    note = _note(partial)
    have = _size(partial) if note["version"] else 0
    if have and have == note["length"]:
        return
    resume = {"Range": f"bytes={have}-", "If-Range": note["version"]} if have else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=_HEADERS | resume), timeout=_TIMEOUT) as reply:
            _receive(reply, partial, have if reply.status == http.HTTPStatus.PARTIAL_CONTENT else 0)
    except urllib.error.HTTPError as error:
        _judge_status(url, error, partial)
    except urllib.error.URLError as error:
        if isinstance(error.reason, _FINAL_CAUSES):
            raise TransferError(f"{url}: {error.reason}") from None
        raise _InterruptedError(error.reason) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _InterruptedError(f"{type(error).__name__} {error}".strip()) from None


def _judge_status(url: str, error: urllib.error.HTTPError, partial: Path) -> None:
    if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        discard(partial)
        raise _InterruptedError("the file has changed on the server; starting again") from None
    if error.code in _TRANSIENT_STATUS:
        raise _InterruptedError(f"HTTP {error.code} {error.reason}") from None
    raise TransferError(f"{url}: HTTP {error.code} {error.reason}") from None


def _receive(reply: http.client.HTTPResponse, partial: Path, start: int) -> None:
    """Append the reply after `start` bytes; 0 starts the file again. Raises _InterruptedError if it falls short."""
    if start and not reply.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        discard(partial)
        raise _InterruptedError("the server sent another range than asked for; starting again")
    told = reply.headers.get("Content-Length")
    length = start + int(told) if told else None
    with open(partial, "r+b" if start else "wb") as out:
        out.seek(start)
        if start:
            log.info("%s: resuming at %s", partial.name, _megabytes(start))
        else:
            _write_note(partial, reply, length)
        while block := reply.read(_BLOCK):
            out.write(block)
            _report(partial, out.tell() - len(block), out.tell(), length)
    if length is not None and _size(partial) != length:
        raise _InterruptedError(f"the connection ended after {_size(partial)} of {length} bytes")


def _write_note(partial: Path, reply: http.client.HTTPResponse, length: int | None) -> None:
    """Keep what identifies the version on the server, and the media type; a weak ETag promises no equal bytes."""
    tag = reply.headers.get("ETag", "")
    strong = tag if tag and not tag.startswith("W/") else None
    version = strong or reply.headers.get("Last-Modified")
    media = reply.headers.get("Content-Type", "")
    files.write_json(_note_path(partial), {"version": version, "length": length, "media": media})


def _note(partial: Path) -> dict[str, Any]:
    try:
        note = json.loads(_note_path(partial).read_text(encoding="utf-8"))
        return {key: note[key] for key in ("version", "length", "media")}
    except (OSError, ValueError, KeyError, TypeError):
        return {"version": None, "length": None, "media": ""}


def _note_path(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _report(partial: Path, before: int, now: int, length: int | None) -> None:
    if before // _REPORT_EVERY != now // _REPORT_EVERY:
        log.info("%s: %s%s received", partial.name, _megabytes(now), f" of {_megabytes(length)}" if length else "")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
