"""A machine's serial console on the user's own terminal, until Ctrl-] or the machine's end."""

from __future__ import annotations

import os
import selectors
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

LEAVE = b"\x1d"  # Ctrl-]
_CHUNK = 65536
_MARKS = (b'"nitro"', b"Kernel panic", b"kernel BUG")


@dataclass(frozen=True)
class ConsoleSession:
    """What the machine wrote, and whether the keyboard left it running."""

    written: bytes
    left: bool = False


def attach(
    process: subprocess.Popen[bytes],
    keyboard: int,
    screen: int,
    *,
    enough: Callable[[bytes], bool] = lambda _: False,
    settle: float = 0,
) -> ConsoleSession:
    """Copy `process`'s output to the descriptor `screen`, and `keyboard` to its input.

    The process must have been started with pipes. Returns once it has ended, the keyboard said
    Ctrl-], or `settle` seconds after `enough` became true of all that was written; a keyboard that
    is no terminal may end before.
    """
    assert process.stdin
    assert process.stdout
    written = bytearray()
    with selectors.DefaultSelector() as events, _raw(keyboard):
        events.register(process.stdout, selectors.EVENT_READ)
        with suppress(PermissionError):  # a plain file or /dev/null: nobody types
            events.register(keyboard, selectors.EVENT_READ)
        until: float | None = None
        while until is None or time.monotonic() < until:
            left = None if until is None else max(0.0, until - time.monotonic())
            for key, _ in events.select(left):
                data = os.read(key.fd, _CHUNK)
                if key.fd == process.stdout.fileno():
                    if not data:
                        return ConsoleSession(bytes(written))
                    written += data
                    _write_all(screen, data)
                    # Only a line that may say so, which may come in pieces, is worth looking at
                    # everything again.
                    line = written.rfind(b"\n", 0, len(written) - len(data)) + 1
                    said = bytes(written[line:])
                    if any(mark in said for mark in _MARKS) and enough(bytes(written)):
                        until = until or time.monotonic() + settle
                elif not data:
                    events.unregister(keyboard)
                elif LEAVE in data:
                    return ConsoleSession(bytes(written), left=True)
                else:
                    _write_all(process.stdin.fileno(), data)
    return ConsoleSession(bytes(written))


@contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    """Keys go through one by one; the terminal is put back in the end."""
    if not os.isatty(keyboard):
        yield
        return
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSADRAIN)  # what was typed ahead counts
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
