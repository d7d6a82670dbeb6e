"""boot: how long an instance takes until it serves, by its own clock and as seen from outside.

The guest's times come from the milestones on its console and count from the start of its
kernel, so what firmware and boot loader need is not in them; the time to the first accepted
connection counts from the moment that the caller names. On AWS the console arrives late, which
is why no time is taken from when a milestone was seen.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from nitro import ending, listening
from nitro.console import milestones, tail
from nitro.ending import Ending
from nitro.errors import ProbeError
from nitro.probe.base import Options, Seconds
from nitro.probe.result import Metric, Result
from nitro.progress import Stage

STAGES = ("kernel", "driver", "link", "address", "start", "ready")
CONSOLE_EVERY = 1.0  # seconds
CONNECT_EVERY = 0.1  # seconds: the resolution of the time to the first connection
CONNECT_TIMEOUT = 1.0  # seconds
SETTLE = 3.0  # seconds for which a program that listens on no port is watched: it may end at once


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
    connection counts. `ends`: the program is meant to end, with status 0, and is waited for.
    `ports` are the recipe's TCP ports. `larger` advises a machine with so many MiB more.
    """

    console: Callable[[], str]
    address: tuple[str, int] | None
    launched: float
    ends: bool = False
    ports: Sequence[int] = ()
    larger: Callable[[int], str | None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    started: float = field(default_factory=time.time)


class BootFailed(ProbeError):
    """The instance does not do what was waited for. `console` is the end of what it wrote."""

    def __init__(self, what: str, console: str, *, hint: str | None = None) -> None:
        super().__init__(f"boot: {what}", hint=hint)
        self.console = console


def wait(watch: Watch, *, deadline: float, stage: Stage | None = None) -> Result:
    """Wait until the console says `ready` and a connection is accepted, or until a program that is
    meant to end has ended; `deadline` in seconds.

    Raises BootFailed when the deadline passes before, or as soon as the console says that it will
    not come to that. Metrics: `boot_<milestone>` and `boot_first_connection`, in s.
    """
    began, next_look, text = watch.clock(), 0.0, ""
    connected = None if watch.address else 0.0
    settled: float | None = None  # when the program has run for long enough
    while True:
        now = watch.clock()
        if connected is None and watch.address and accepts(watch.address):
            connected = watch.clock() - watch.launched
        if now >= next_look:
            text = watch.console() or text
            if is_done(text, watch) and settled is None:
                settled = now if watch.ends or watch.ports else now + SETTLE
            next_look = watch.clock() + CONSOLE_EVERY
        if settled is not None and now >= settled and connected is not None:
            break
        if now - began >= deadline:
            raise _too_late(text, watch, deadline, ready=settled is not None)
        if stage:
            stage.status(f"{_progress(text, watch)}, {now - began:.0f} s")
        watch.sleep(CONNECT_EVERY)
    return result(text, connected if watch.address else None, watch)


def is_done(text: str, watch: Watch) -> bool:
    """Whether a console says that nothing more is to be waited for, but for a connection.

    Raises BootFailed when it says that the guest or its program failed.
    """
    said = milestones(text)
    for milestone in said:
        if milestone.name == "fail":
            raise BootFailed(
                f"the guest failed: {milestone.fields.get('what', 'no reason')}", tail(text)
            )
    if panic := ending.panic(text):
        hint = "it lacks memory: choose a machine with more" if panic.lacks_memory else None
        raise BootFailed(f"the kernel panicked: {panic.reason}", tail(text), hint=hint)
    ends = ending.endings(text)
    if ends and (not ends[-1].restarts or ending.crash_loop(ends)):
        if watch.ends and ends[-1].status == 0:
            return True
        raise _ended(ends, text, watch)
    table = listening.read(said)
    if table and watch.address and watch.address[1] in table.ipv6_only:
        host, port = watch.address
        raise BootFailed(
            f"no connection to {host} port {port}", tail(text), hint=table.lacks([port])
        )
    return not watch.ends and any(milestone.name == "ready" for milestone in said)


def _ended(ends: Sequence[Ending], text: str, watch: Watch) -> BootFailed:
    last = ends[-1]
    times = f", as {len(ends)} times by now" if len(ends) > 1 else ""
    hint = None
    if last.out_of_memory:
        lacking = last.out_of_memory.lacking
        hint = watch.larger(lacking) if lacking else None
    elif last.no_space:
        hint = "choose an instance type with more memory"
    elif last.status == 0:
        hint = "a recipe whose program is meant to end says so: service = false"
    return BootFailed(f"the program {last}{times}", tail(ending.output(text)), hint=hint)


def _too_late(text: str, watch: Watch, deadline: float, *, ready: bool) -> BootFailed:
    """What has not happened within the deadline, and why, as far as the guest tells it."""
    hint = None
    if watch.ends:
        missing = "end of the program"
        hint = "a longer deadline is --probe boot:seconds=…, at most 3600"
    elif ready and watch.address:
        missing = "connection to {} port {}".format(*watch.address)
    else:
        missing = "`ready` on the console"
    table = listening.read(milestones(text))
    if table and not ready:  # what it said before it was ready no longer holds
        hint = table.lacks(watch.ports)
    return BootFailed(f"no {missing} within {deadline:g} s", tail(text), hint=hint)


def _progress(text: str, watch: Watch) -> str:
    """The last thing that the guest said, for who waits."""
    said = milestones(text)
    if not said:
        return "nothing yet"
    table = listening.read(said[-1:])
    return (table.lacks(watch.ports) if table else None) or said[-1].name


def result(text: str, connected: float | None, watch: Watch) -> Result:
    """The result of an instance whose console says `ready`."""
    metrics: dict[str, Metric] = {}
    for milestone in milestones(text):
        name = f"boot_{milestone.name}"
        if milestone.uptime is None or milestone.name not in STAGES or name in metrics:
            continue
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
