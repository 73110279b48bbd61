"""A web server on this machine that can do what download servers do wrong."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server does with each request, and what it was asked.

    content: bytes by path. ranges: whether Range is understood. etag: version of the content. stop_after: for each of
    the next requests, bytes after which the connection breaks (None: all is sent). status: for each of the next
    requests, an error to answer (None: none). hold: keep a broken connection open, silent, until released.
    other_range: send another range than asked for. media: the type that answers claim to be of.
    """

    content: dict[str, bytes]
    ranges: bool = True
    etag: str | None = '"one"'
    stop_after: list[int | None] = field(default_factory=list)
    status: list[int | None] = field(default_factory=list)
    hold: threading.Event | None = None
    other_range: bool = False
    media: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Run the server on a free port; `site.address` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, site)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        if site.hold:
            site.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, site: Site) -> None:
    site.asked.append((request.path, request.headers.get("Range")))
    status = site.status.pop(0) if site.status else None
    body = site.content.get(request.path)
    if status or body is None:
        request.send_error(status or 404)
        return
    start = _start(request, site)
    if start > 0 and start >= len(body):
        request.send_error(416)
        return
    request.send_response(206 if start else 200)
    request.send_header("Content-Length", str(len(body) - start))
    if start:
        request.send_header("Content-Range", f"bytes {start + site.other_range}-{len(body) - 1}/{len(body)}")
    if site.media:
        request.send_header("Content-Type", site.media)
    if site.etag:
        request.send_header("ETag", site.etag)
    request.end_headers()
    stop = site.stop_after.pop(0) if site.stop_after else None
    request.wfile.write(body[start:] if stop is None else body[start : start + stop])
    request.wfile.flush()
    if stop is not None and site.hold:
        site.hold.wait()


def _start(request: BaseHTTPRequestHandler, site: Site) -> int:
    """First byte to send: a range counts only for the version that the client has."""
    asked = request.headers.get("Range")
    same = request.headers.get("If-Range") in (None, site.etag)
    return int(asked.removeprefix("bytes=").removesuffix("-")) if asked and site.ranges and same else 0
