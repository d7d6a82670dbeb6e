"""The calls of a traced program, read from the serial console: strace's lines and OSv's.

Strace, in a Linux guest, says of each call how long it took. OSv writes a line when a call has
ended, with the time of that: what passed since the thread's line before it is the most that the
call took.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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


def calls(text: str) -> Iterator[Call]:
    """The calls in the order in which they ended; anything else on the console is skipped."""
    last: dict[str, float] = {}
    for line in LINE.findall(text):
        at = line.find(MARK)
        if at >= 0:
            if found := _LINUX.fullmatch(line, at):
                took = float(found[4]) if found[4] else None
                yield Call(found[1] or found[2], found[3] == "-1", took)
        elif found := _OSV.fullmatch(line):
            thread, now = found[1], float(found[2])
            result, arrow, _ = found[4].partition("<=")
            before = last.get(thread)
            last[thread] = now
            yield Call(
                _PREFIX.sub("", found[3], count=1),
                bool(arrow) and result.strip() in _FAILED,
                max(0.0, now - before) if before is not None else None,
            )


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
