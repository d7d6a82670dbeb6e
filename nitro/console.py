"""What a guest reports on its serial console: one line of JSON at each milestone.

The console is shared with the kernel and with the program that runs, and a guest may write
anything: what is not a complete milestone is skipped, and nothing here raises. It does not
fetch the console (`nitro.cloud`, `nitro.local`) and judges no milestone (`nitro.probe.boot`).
"""

from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nitro.printable import printable

LONGEST = 4096  # characters of one milestone
LINE = re.compile(r"[^\r\n]+")
_START = re.compile(r'\{\s*"nitro"\s*:')
_DECODER = json.JSONDecoder()


# What OSv says by itself: its first line, its interfaces' addresses, the boot chart (cumulative;
# "Booted up" without one), and the command line when it is about to start the program.
_OSV = re.compile(r"OSv (v?\d[\w.+-]*)")
_OSV_ADDRESS = re.compile(r"(eth\d+): (\d+\.\d+\.\d+\.\d+)")
_OSV_CLOCK = re.compile(r"(?:\t.+: (\d+\.\d+)ms, \(\+\d+\.\d+ms\)|Booted up in (\d+\.\d+) ms)")
_OSV_COMMAND = re.compile(r"Cmdline: (.*)")
# How the program ended, which OSv says with --verbose: that it called exit, that main returned
# another status than 0, or only that OSv goes down. The program's last line may lack its end.
_OSV_STATUS = re.compile(r"program (?:exited with status|\S.* returned) (-?\d{1,11})$")
_OSV_DOWN = re.compile(r"(?:VFS: unmounting /dev|Powering off\.)$")
_OSV_SIGNAL = re.compile(r"Uncaught signal (\d{1,2}) \(\S.*\)\. Powering off\.$")
_OSV_NOT_STARTED = ". Powering off."
#: OSv's abort, before its backtrace: of the program, or of the kernel for a fault of the program
OSV_ABORTED = re.compile(r"(?:Aborted|Assertion failed: .*)$")
_ABORT = 128 + signal.SIGABRT
_OSV_LONGEST = 400  # characters, from the end of a line, in which that is looked for
_CANNOT_START = 126  # as a shell has it


@dataclass(frozen=True)
class Milestone:
    """`uptime` is in seconds of the guest's kernel clock; `fields` is the rest of the object.

    None: OSv without a clock that it can count by, as where it runs without KVM's.
    """

    name: str
    uptime: float | None
    fields: dict[str, Any] = field(default_factory=dict)


def milestones(text: str) -> list[Milestone]:
    """The milestones in the order in which they were written."""
    return [milestone for _, _, milestone in located(text)]


def located(text: str) -> Iterator[tuple[int, int, Milestone]]:
    """The milestones in order, each with where in the text it begins and ends."""
    osv: _OsvConsole | None = None
    for line in LINE.finditer(text):
        if osv and not osv.ended:
            for start, milestone in osv.read(line[0]):
                yield line.start() + start, line.end(), milestone
        elif found := _OSV.fullmatch(line[0]):
            osv = _OsvConsole()
            yield line.start(), line.end(), Milestone("kernel", 0.0, {"release": found[0]})
        yield from _json(text, line)


def _json(text: str, line: re.Match[str]) -> Iterator[tuple[int, int, Milestone]]:
    """The milestones that a line has as objects of JSON."""
    position = line.start()
    while start := _START.search(text, position, line.end()):
        position = start.end()
        try:
            value, length = _DECODER.raw_decode(
                text[start.start() : min(line.end(), start.start() + LONGEST)]
            )
        except (ValueError, RecursionError):
            continue
        # What lies inside an object is no milestone of its own.
        position = start.start() + length
        if milestone := _milestone(value):
            yield start.start(), position, milestone


class _OsvConsole:
    """Milestones in OSv's own words, behind its first line."""

    def __init__(self) -> None:
        self._clock: float | None = None
        self._started = self.ended = False
        self._before = ""  # the last line with something in it

    def read(self, line: str) -> Iterator[tuple[int, Milestone]]:
        """Those that a line is or ends in, each with where in it that begins."""
        if self._started:
            yield from self._end(line)
        elif found := _OSV_CLOCK.fullmatch(line):
            self._clock = float(found[1] or found[2]) / 1000
        elif found := _OSV_ADDRESS.fullmatch(line):
            yield 0, Milestone("address", None, {"interface": found[1], "address": found[2]})
        elif found := _OSV_COMMAND.fullmatch(line):
            self._started = True
            yield 0, Milestone("start", self._clock, {"command": found[1]})
            yield 0, Milestone("ready", self._clock)

    def _end(self, line: str) -> Iterator[tuple[int, Milestone]]:
        """The end of the program, if the line has it."""
        begin = max(0, len(line) - _OSV_LONGEST)
        before, self._before = self._before, line[-_OSV_LONGEST:] or self._before
        if line == "[registers]":  # the kernel's own fault
            self.ended = True
            return
        if found := _OSV_SIGNAL.search(line, begin):
            start, code = found.start(), 128 + int(found[1])
        elif line.endswith(_OSV_NOT_STARTED):
            start, code = len(line), _CANNOT_START
        elif line == "[backtrace]" and OSV_ABORTED.search(before):
            start, code = 0, _ABORT
        elif found := _OSV_STATUS.search(line, begin):
            start, code = found.start(), int(found[1]) & 0xFF
        elif found := _OSV_DOWN.search(line, begin):
            start, code = found.start(), 0
        else:
            return
        self.ended = True
        yield start, Milestone("exit", None, {"code": code, "restart": False})


def tail(text: str, lines: int = 20) -> str:
    """The last lines that are not blank, printable."""
    said = [line.rstrip() for line in printable(text).split("\n") if line.strip()]
    return "\n".join(said[-lines:])


def _milestone(value: dict[str, Any]) -> Milestone | None:
    name, uptime = value.pop("nitro"), value.pop("uptime", None)
    if not isinstance(name, str) or isinstance(uptime, bool):
        return None
    # JSON has integers that no float holds.
    if not isinstance(uptime, int | float) or not 0 <= uptime <= 1e9 or math.isnan(uptime):
        return None
    return Milestone(name, float(uptime), value)
