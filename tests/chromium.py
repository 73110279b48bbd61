"""A headless Chromium under the DevTools protocol, over the two pipes that it offers for that; nothing to install."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60
"""Seconds after which an answer counts as missing; generous, since test machines are shared."""

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--disable-dev-shm-usage", "--remote-debugging-pipe"),
)
# The browser reads commands from descriptor 3 and writes answers to 4.
_START = """
import fcntl, os, sys
for place, end in enumerate([fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]], start=3):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
_MIDDLE = """(() => {
  const element = document.querySelector(%s);
  element.scrollIntoView({ block: "center" });
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""
_KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9}
_KEYS |= {"Enter": 13, " ": 32, "Escape": 27}
_TEXT = {"Enter": "\r", " ": " "}


def found() -> str | None:
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def running(folder: Path) -> Iterator["Browser"]:
    """A browser whose profile lies in `folder`; it ends with the context."""
    to_read, its_output = os.pipe()
    its_input, to_write = os.pipe()
    command = [sys.executable, "-c", _START, str(its_input), str(its_output), str(found()), *_FLAGS]
    command += [f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        command, pass_fds=(its_input, its_output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(its_input)
    os.close(its_output)
    try:
        yield Browser(to_read, to_write)
    finally:
        os.close(to_write)
        os.close(to_read)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


class Browser:
    """Sends commands and gathers answers and events."""

    def __init__(self, to_read: int, to_write: int) -> None:
        self._read, self._write = to_read, to_write
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Result of a command. Raises RuntimeError when the browser refuses it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_for(self, method: str, session: str) -> None:
        """Return once the event is among those that came."""
        while not any(e["method"] == method and e.get("sessionId") == session for e in self.events):
            self.events.append(self._next())

    def page(self, width: int = 1200, height: int = 800, dark: bool = False) -> "Page":
        """A new, empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, width, height, dark)

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            received = os.read(self._read, 1 << 20) if ready else b""
            if not received:
                raise TimeoutError(f"Chromium said nothing within {PATIENCE} s, or ended")
            self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


class Page:
    """A page as a reader has it: keys, clicks, and what it says and loads meanwhile."""

    def __init__(self, browser: Browser, session: str, width: int, height: int, dark: bool) -> None:
        self._browser, self._session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def without_scripts(self) -> None:
        """From now on run none of the scripts of pages; `run` still works."""
        self._call("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, address: str) -> "Page":
        """Load an address and wait until it has loaded."""
        self._browser.events = [e for e in self._browser.events if e["method"] != "Page.loadEventFired"]
        if self.run("location.href").partition("#")[0] == address.partition("#")[0]:
            # Another fragment alone would not load the page again.
            self._call("Page.navigate", url="about:blank")
            self._browser.wait_for("Page.loadEventFired", self._session)
            self._browser.events = [e for e in self._browser.events if e["method"] != "Page.loadEventFired"]
        self._call("Page.navigate", url=address)
        self._browser.wait_for("Page.loadEventFired", self._session)
        return self

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression. Raises RuntimeError when it throws."""
        told = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{script}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def click(self, selector: str) -> None:
        """Press the mouse on the middle of the first element that matches."""
        x, y = self.run(_MIDDLE % json.dumps(selector))
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other."""
        for key in keys:
            about = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
            self._call("Input.dispatchKeyEvent", type="keyDown", text=_TEXT.get(key, ""), **about)
            self._call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Enter text where the focus is."""
        self._call("Input.insertText", text=text)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """PNG of what is seen, or of the whole page."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=whole, **(self._clip() if whole else {}))
        path.write_bytes(base64.b64decode(shot["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and exceptions that nothing caught."""
        told = [e for e in self._events("Runtime.consoleAPICalled") if e["type"] in ("error", "warning", "assert")]
        told += self._events("Runtime.exceptionThrown")
        told += [e for e in self._events("Log.entryAdded") if e["entry"]["level"] in ("error", "warning")]
        return [json.dumps(e) for e in told]

    @property
    def requests(self) -> list[str]:
        """Addresses of all that the page asked for."""
        return [e["request"]["url"] for e in self._events("Network.requestWillBeSent")]

    def _clip(self) -> dict[str, Any]:
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.run("0")
        of_mine = (e for e in self._browser.events if e.get("sessionId") == self._session)
        return [e["params"] for e in of_mine if e["method"] == method]

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)
