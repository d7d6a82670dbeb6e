"""Chromium, from Debian, on a page of this machine: driven by its DevTools protocol, and pictures.

    python -m tools.browser PAGE PICTURE [--width 1200] [--height 1250]

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from nitro.debian import Wanted, chroot, tree
from nitro.errors import NitroError

CHROMIUM = Wanted(("chromium", "dash", "fonts-dejavu-core"), suite="bookworm")
_WITHIN = 240.0  # seconds, for the browser to start and for one answer
# It reads commands from descriptor 3 and writes answers to 4, each ended by a zero byte.
_START = "exec /usr/lib/chromium/chromium --remote-debugging-pipe {} about:blank 3<{}/to 4>{}/from"
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--user-data-dir=/tmp/profile", "--no-first-run", "--hide-scrollbars"),
)

#: The DOM's name of a key, its code, and the text that it types
_KEYS = {
    "ArrowRight": (39, ""),
    "Backspace": (8, ""),
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    " ": (32, " "),
}


@dataclass
class Browser:
    """A page under examination. `events` are those that the browser told so far."""

    events: list[dict[str, Any]] = field(default_factory=list)
    _to: IO[bytes] | None = None
    _from: IO[bytes] | None = None
    _session: str | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command. Raises NitroError where the browser refuses or is gone."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        assert self._to
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise NitroError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def value(self, script: str) -> Any:
        """What a JavaScript expression is, or what its promise comes to."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise NitroError(f"the page's script failed: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys as a person does: `Tab`, `Enter`, a letter; `Shift+Tab`."""
        for key in keys:
            shift, _, name = key.rpartition("+") if len(key) > 1 else ("", "", key)
            code, text = _KEYS.get(name, (ord(name[0].upper()), name))
            pressed = {
                "key": name,
                "windowsVirtualKeyCode": code,
                "modifiers": 8 if shift else 0,
            }
            typed = {"text": text} if text else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **pressed, **typed)
            self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def show(self, width: int, height: int, *, dark: bool = False) -> None:
        """Have a window of so many pixels, and a reader who likes it light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def told(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all events of a kind."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def _next(self) -> dict[str, Any]:
        assert self._from
        text = b""
        while (byte := self._from.read(1)) != b"\0":
            if not byte:
                raise NitroError("Chromium ended")
            text += byte
        message: dict[str, Any] = json.loads(text)
        return message

    def _open(self, url: str) -> None:
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        until = time.monotonic() + _WITHIN
        while not self.told("Page.loadEventFired"):
            if time.monotonic() > until:
                raise NitroError(f"{url} was not loaded within {_WITHIN:.0f} s")
            self.call("Page.getFrameTree")
            time.sleep(0.05)


@contextmanager
def opened(page: Path) -> Iterator[Browser]:
    """A page in Chromium, loaded. Raises NitroError where it cannot be."""
    with tempfile.TemporaryDirectory(prefix="nitro-browser-") as name:
        folder = Path(name)
        shutil.copyfile(page, folder / "page.html")
        for pipe in ("to", "from"):
            os.mkfifo(folder / pipe)
        script = _START.format(" ".join(_OPTIONS), chroot.WORK, chroot.WORK)
        failed: list[NitroError] = []

        def run() -> None:
            try:
                chroot.run([tree(CHROMIUM)], ["dash", "-c", script], folder, timeout=_WITHIN)
            except NitroError as error:
                failed.append(error)
                # Whoever waits for the other end of a pipe goes on.
                for pipe in ("to", "from"):
                    with suppress(OSError):
                        os.close(os.open(folder / pipe, os.O_RDWR | os.O_NONBLOCK))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with (folder / "to").open("wb", buffering=0) as to, (folder / "from").open("rb") as answers:
            browser = Browser(_to=to, _from=answers)
            try:
                browser._open(f"file://{chroot.WORK}/page.html")
            except (NitroError, OSError) as error:
                raise NitroError(f"Chromium: {next(iter(failed), error)}") from None
            yield browser
            with suppress(NitroError, OSError):
                browser._session = None
                browser.call("Browser.close")
        thread.join(30)


def take(page: Path, picture: Path, width: int = 1200, height: int = 1250) -> None:
    """Write what a window of that size shows of a page, as PNG."""
    with opened(page) as browser:
        browser.show(width, height)
        picture.write_bytes(browser.picture())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=1250)
    asked = parser.parse_args()
    take(asked.page, asked.picture, asked.width, asked.height)


if __name__ == "__main__":
    main()
