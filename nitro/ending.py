"""How a program or its machine ended, read from the serial console.

The guest says `start` and `exit` for each run of its program; the kernel says in its own words
that it panicked, or whom it killed for lack of memory. What is not said is not guessed.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Any

from nitro.console import OSV_ABORTED, Milestone, located

QUICK = 10.0  # seconds: a program that ran for less ended quickly
LOOP = 3  # quick ends in a row that make a crash loop
_STEP_MIB = 64

# mm/oom_kill.c: __oom_kill_process
_KILLED = re.compile(
    r"Out of memory: Killed process \d+ \((.{1,16}?)\) "
    r"total-vm:(\d{1,15})kB, anon-rss:(\d{1,15})kB, file-rss:\d+kB, shmem-rss:(\d{1,15})kB"
)
# kernel/panic.c, lib/bug.c; a line of the kernel's own begins with its clock
_PANIC = re.compile(
    r"^\[ *\d+\.\d+\].{0,20}? (?:Kernel panic - not syncing: |(?=kernel BUG at ))([^\r\n]*)",
    re.MULTILINE,
)
_NO_SPACE = re.compile(r"No space left on device", re.IGNORECASE)  # strerror(ENOSPC)
_LACKS_MEMORY = re.compile(
    r"^\[ *\d+\.\d+\].{0,20}? (?:Initramfs unpacking failed: |Out of memory)",
    re.MULTILINE,
)
# OSv's first line, and how it says that it stops; the reason is in the line before
_OSV = re.compile(r"^OSv v?\d", re.MULTILINE)
_OSV_STOPS = re.compile(
    r"^([^\r\n]*)\r?\n(?:\r?\n)?(?:\[registers\]|\[backtrace\]|Halting\.)\r?$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """The kernel killed a process for lack of memory; sizes in MiB.

    `used` is what the process had, `reserved` what it had asked for. `total` is what the machine
    has, `free` what it had when the program started; None where the guest did not say.
    """

    process: str
    used: int
    reserved: int
    total: int | None
    free: int | None

    @property
    def lacking(self) -> int | None:
        """MiB that the machine would have needed more: for all that the process had asked for, or
        for twice what it had where it had asked for far more, as some runtimes do."""
        if self.free is None:
            return None
        wanted = self.reserved if self.reserved <= 4 * self.used else 2 * self.used
        return max(1, -(-(wanted - self.free) // _STEP_MIB)) * _STEP_MIB

    def __str__(self) -> str:
        had = "" if self.free is None else f" of {self.free} MiB that were free when it started"
        machine = "" if self.total is None else f", on a machine with {self.total} MiB"
        return f"{self.process} had {self.used} MiB{had}{machine}"


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of the program.

    `status` is the shell's: 128 + n for signal n. `seconds` is how long it ran, None where the
    console no longer says. `restarts`: the guest starts it again. `no_space`: it failed, and had
    said that there was no space left on the device.
    """

    status: int
    seconds: float | None
    restarts: bool
    out_of_memory: OutOfMemory | None = None
    no_space: bool = False

    @property
    def quick(self) -> bool:
        return self.seconds is not None and self.seconds < QUICK

    def __str__(self) -> str:
        after = "" if self.seconds is None else f" after {self.seconds:.1f} s"
        if self.out_of_memory:
            return f"was killed for lack of memory{after}: {self.out_of_memory}"
        why = ": there was no space left for its files, which are kept in memory"
        end = f"ended with status {self.status}{_signal(self.status)}{after}"
        return end + (why if self.no_space else "")


@dataclass(frozen=True, slots=True)
class Panic:
    """The kernel stopped. `lacks_memory`: it had said before that memory ran out."""

    reason: str
    lacks_memory: bool


def endings(text: str) -> list[Ending]:
    """Every end of the program that the console tells of, in order."""
    found: list[Ending] = []
    start: Milestone | None = None
    began = 0
    for first, last, milestone in located(text):
        if milestone.name == "start":
            start, began = milestone, last
        elif milestone.name == "exit":
            found.append(_ending(milestone, start, text[began:first]))
            start, began = None, last
    return found


def crash_loop(ends: list[Ending]) -> bool:
    """Whether the program ended quickly the last LOOP times."""
    return len(ends) >= LOOP and all(end.quick for end in ends[-LOOP:])


def panic(text: str) -> Panic | None:
    """The kernel's panic, if there was one."""
    found = _PANIC.search(text)
    if not found and _OSV.search(text) and (stopped := _OSV_STOPS.search(text)):
        reason = stopped[1].strip()
        if OSV_ABORTED.search(reason) and _started(text, stopped.start()):
            return None  # the program's end
        return Panic(reason, lacks_memory="Out of memory" in reason)
    if not found:
        return None
    return Panic(found[1].strip(), bool(_LACKS_MEMORY.search(text, 0, found.start())))


def _started(text: str, until: int) -> bool:
    return any(m.name == "start" and last <= until for _, last, m in located(text))


def output(text: str) -> str:
    """What the program wrote when it last ran, without the guest's own lines."""
    pieces: list[str] = []
    after, over = 0, False
    for first, last, milestone in located(text):
        if milestone.name == "start":
            pieces, over = [], False
        elif not over:
            pieces.append(text[after:first])
            over = milestone.name == "exit"
        after = last
    if not over:
        pieces.append(text[after:])
    return "".join(pieces).replace("\r\n", "\n").strip("\n")


def _ending(exited: Milestone, start: Milestone | None, said: str) -> Ending:
    code = exited.fields.get("code")
    return Ending(
        status=code if isinstance(code, int) else 0,
        seconds=_between(start, exited),
        restarts=exited.fields.get("restart") is True,
        out_of_memory=_out_of_memory(said, start) if code == 128 + signal.SIGKILL else None,
        no_space=bool(code) and bool(_NO_SPACE.search(said)),
    )


def _between(start: Milestone | None, end: Milestone) -> float | None:
    if start is None or start.uptime is None or end.uptime is None:
        return None
    return max(0.0, round(end.uptime - start.uptime, 2))


def _out_of_memory(said: str, start: Milestone | None) -> OutOfMemory | None:
    killed = _KILLED.search(said)
    if not killed:
        return None
    fields: dict[str, Any] = start.fields if start else {}
    used = int(killed[3]) + int(killed[4])
    return OutOfMemory(
        process=killed[1],
        used=used >> 10,
        reserved=int(killed[2]) >> 10,
        total=_mib(fields.get("memory_kib")),
        free=_mib(fields.get("free_kib")),
    )


def _mib(kib: object) -> int | None:
    return kib >> 10 if isinstance(kib, int) and kib >= 0 else None


def _signal(status: int) -> str:
    try:
        return f" ({signal.Signals(status - 128).name})"
    except ValueError:
        return ""
