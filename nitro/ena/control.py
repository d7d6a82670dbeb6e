"""Commands to a running card, one a line over a unix stream socket.

    link up | link down        plug the cable in or out
    fault NAME on | off | once turn a fault on or off, or have it the next time (`faults.py`)
    faults                     the faults that happened so far, as `name count` lines
    reset                      ask the driver to reset the card
    hints                      send the hints again
    rules                      the rules broken so far, as `name count` lines
    counters                   the card's counters

Each answer ends with a line `ok` or `error: …`.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import asdict
from pathlib import Path

from nitro.ena.aenq import NOTIFY_HINTS
from nitro.ena.constants import Event
from nitro.ena.device import Device
from nitro.errors import NitroError

_LONGEST = 4096
_TIMEOUT = 1.0
_NOT_ASKED_FOR = "error: the driver did not enable these events\n"


class Control:
    """A listening socket: each connection carries one command and its answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            self._listener.listen(4)
        except OSError as error:
            self._listener.close()
            raise NitroError(f"cannot listen at {path}: {error.strerror or error}") from error

    def fileno(self) -> int:
        return self._listener.fileno()

    def ready(self, device: Device) -> None:
        """Carry out the command of a client that connected; a silent one is dropped."""
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_TIMEOUT)
            line = connection.recv(_LONGEST).decode(errors="replace").strip()
            connection.sendall(execute(device, line).encode())

    def close(self) -> None:
        self._listener.close()
        self._path.unlink(missing_ok=True)


def execute(device: Device, line: str) -> str:
    """Carry out one command on `device`; the answer."""
    match line.split():
        case ["link", "up" | "down" as state]:
            device.notices.set_link(state == "up")
        case ["fault", name, "on" | "off" | "once" as state]:
            try:
                if state == "once":
                    device.faults.once(name)
                else:
                    device.faults.set(name, state == "on")
            except KeyError:
                return f"error: no fault named {name}\n"
        case ["reset"]:
            if not device.notices.send(Event.RESET_REQUEST):
                return _NOT_ASKED_FOR
        case ["hints"]:
            if not device.notices.send(Event.NOTIFICATION, NOTIFY_HINTS, device.features.hints()):
                return _NOT_ASKED_FOR
        case ["rules"]:
            return _lines(dict(sorted(device.rules.broken.items())))
        case ["faults"]:
            return _lines(dict(sorted(device.faults.happened.items())))
        case ["loop"]:
            return f"{'native' if device.loop else 'python'}\nok\n"
        case ["counters"]:
            return _lines(asdict(device.counters))
        case _:
            return f"error: no command {line!r}\n"
    return "ok\n"


def _lines(counts: dict[str, int]) -> str:
    return "".join(f"{name} {count}\n" for name, count in counts.items()) + "ok\n"
