"""The calls of a traced program, read from the serial console: strace's lines and OSv's.

Strace, in a Linux guest, says of each call how long it took. OSv writes a line when a call has
ended, with the time of that: what passed since the thread's line before it is the most that the
call took. For some of its functions it writes one when they begin (`vfs_open`) and another when
they end (`vfs_open_ret`, or `vfs_open_err`): the two are one call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nitro.console import LINE

MARK = "nitro-strace"
"""What each of strace's lines begins with."""

# 101 openat(AT_FDCWD, "/x", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000021>
# 101 <... read resumed>"", 32) = 0 <0.51>
_LINUX = re.compile(
    MARK + r" +\d+ +(?:<\.\.\. (\w+) resumed>|(\w+)\().*\) += (\S+)(?: .*?)??(?: <(\d+\.\d+)>)?\s*"
)
# /usr/bin/server   0  0.512345678 syscall_read(0x5 <= 3 0x2000 0x10)
_OSV = re.compile(r"(\S[^()]{0,63}?) +\d{1,4} +(\d{1,12}\.\d{9}) ([a-z]\w*)\((.*)\)\s*")
_PREFIX = re.compile(r"syscall_(?:sys_|long_)?")
_FAILED = {"-1", "0xffffffff", "0xffffffffffffffff"}
_END = re.compile(r"(.+)_(ret|err)")


@dataclass(frozen=True)
class Call:
    """One that has ended; `seconds` is None where the console does not tell."""

    name: str
    failed: bool
    seconds: float | None


@dataclass
class Total:
    """All calls of a name."""

    name: str
    count: int = 0
    errors: int = 0
    seconds: float | None = None


def calls(text: str) -> list[Call]:
    """The calls in the order in which they ended; anything else on the console is skipped."""
    ended: dict[int, Call] = {}  # by the number of the line
    last: dict[str, float] = {}
    begun: dict[tuple[str, str], tuple[int, float]] = {}  # thread and name → line and time
    for number, line in enumerate(LINE.findall(text)):
        at = line.find(MARK)
        if at >= 0:
            if found := _LINUX.fullmatch(line, at):
                took = float(found[4]) if found[4] else None
                ended[number] = Call(found[1] or found[2], found[3] == "-1", took)
        elif found := _OSV.fullmatch(line):
            thread, now, name = found[1], float(found[2]), _PREFIX.sub("", found[3], count=1)
            before = last.get(thread)
            last[thread] = now
            end = _END.fullmatch(name)
            began = begun.pop((thread, end[1]), None) if end else None
            if end and began:
                del ended[began[0]]
                ended[number] = Call(end[1], end[2] == "err", max(0.0, now - began[1]))
                continue
            result, arrow, _ = found[4].partition("<=")
            ended[number] = Call(
                name,
                bool(arrow) and result.strip() in _FAILED,
                max(0.0, now - before) if before is not None else None,
            )
            if not arrow:
                begun[thread, name] = number, now
    return list(ended.values())


def totals(ended: Iterable[Call]) -> list[Total]:
    """By name, what took longest first."""
    found: dict[str, Total] = {}
    for call in ended:
        total = found.setdefault(call.name, Total(call.name))
        total.count += 1
        total.errors += call.failed
        if call.seconds is not None:
            total.seconds = round((total.seconds or 0.0) + call.seconds, 9)
    return sorted(found.values(), key=lambda one: (-(one.seconds or 0.0), -one.count, one.name))
