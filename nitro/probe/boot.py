"""boot: how long an instance takes until it serves, by its own clock and as seen from outside.

The guest's times come from the milestones on its console and count from the start of its
kernel, so what firmware and boot loader need is not in them; the time to the first accepted
connection counts from the moment that the caller names. On AWS the console arrives late, which
is why no time is taken from when a milestone was seen.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from nitro.console import milestones, tail
from nitro.errors import ProbeError
from nitro.probe.base import Options, Seconds
from nitro.probe.result import Metric, Result
from nitro.progress import Stage

STAGES = ("kernel", "driver", "link", "address", "start", "ready")
CONSOLE_EVERY = 1.0  # seconds
CONNECT_EVERY = 0.1  # seconds: the resolution of the time to the first connection
CONNECT_TIMEOUT = 1.0  # seconds


class Boot(Options):
    """Measured from outside, by `wait`. `seconds` is the deadline, not a length."""

    tool: ClassVar[str] = "boot"
    seconds: Seconds = 180


@dataclass
class Watch:
    """What to watch of a booting instance.

    `console` returns what it has written so far, and may raise when the instance is gone.
    `address` is the host and TCP port that it is to serve, None where it serves none that the
    caller reaches. `launched` is the moment, by `clock`, from which the time to the first
    connection counts.
    """

    console: Callable[[], str]
    address: tuple[str, int] | None
    launched: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    started: float = field(default_factory=time.time)


def wait(watch: Watch, *, deadline: float, stage: Stage | None = None) -> Result:
    """Wait until the console says `ready` and a connection is accepted; `deadline` in seconds.

    Raises ProbeError, with the end of the console, when the deadline passes before or the
    guest says that it failed. Metrics: `boot_<milestone>` and `boot_first_connection`, in s.
    """
    began, next_look, text = watch.clock(), 0.0, ""
    connected = None if watch.address else 0.0
    ready = False
    while True:
        now = watch.clock()
        if connected is None and watch.address and accepts(watch.address):
            connected = watch.clock() - watch.launched
        if not ready and now >= next_look:
            text = watch.console() or text
            ready = is_ready(text)
            next_look = watch.clock() + CONSOLE_EVERY
        if ready and connected is not None:
            break
        if now - began >= deadline:
            host, port = watch.address or ("", 0)
            missing = f"connection to {host} port {port}" if ready else "`ready` on the console"
            raise _failed(f"no {missing} within {deadline:g} s", text)
        if stage:
            seen = milestones(text)
            stage.status(f"{seen[-1].name if seen else 'nothing yet'}, {now - began:.0f} s")
        watch.sleep(CONNECT_EVERY)
    return result(text, connected if watch.address else None, watch)


def is_ready(text: str) -> bool:
    """Whether a console says `ready`. Raises ProbeError when it says `fail`."""
    for milestone in milestones(text):
        if milestone.name == "ready":
            return True
        if milestone.name == "fail":
            raise _failed(f"the guest failed: {milestone.fields.get('what', 'no reason')}", text)
    return False


def result(text: str, connected: float | None, watch: Watch) -> Result:
    """The result of an instance whose console says `ready`."""
    metrics: dict[str, Metric] = {}
    for milestone in milestones(text):
        name = f"boot_{milestone.name}"
        if milestone.name in STAGES and name not in metrics:
            metrics[name] = Metric(milestone.uptime, "s", "less")
    if connected is not None:
        metrics["boot_first_connection"] = Metric(round(connected, 3), "s", "less")
    seconds = round(watch.clock() - watch.launched, 3)
    return Result("boot", "boot", metrics, text, started=watch.started, seconds=seconds)


def accepts(address: tuple[str, int]) -> bool:
    """Whether a TCP connection to a host and port is accepted."""
    try:
        socket.create_connection(address, CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True


def _failed(what: str, text: str) -> ProbeError:
    said = tail(text)
    console = f"its console ends:\n{said}" if said else "its console is empty"
    return ProbeError(f"boot: {what}; {console}")
