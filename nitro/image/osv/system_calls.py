"""Which system calls and tracepoints a kernel has: it names a tracepoint for each call."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from nitro.image.osv.segment import Segment

# A kernel's tracepoint for each call, named by the function behind it.
_ALIASES = {"fstatat": "newfstatat", "utimensat4": "utimensat"}
_TRACEPOINT = re.compile(rb"trace_syscall_(?:sys_|long_)?([a-z][a-z0-9_]*)\0")
_ANY = re.compile(rb"trace_([a-z][a-z0-9_]*)\0")
_OPTION = b"--strace "  # as its help has it


def offered_by(kernel: Segment) -> frozenset[str]:
    """Those that a kernel has, which names a tracepoint for each; empty when it names none."""
    names = (found[1].decode() for found in _TRACEPOINT.finditer(kernel.data))
    return frozenset(_ALIASES.get(name, name) for name in names)


def tracepoints(kernel: Segment, pattern: str) -> list[str]:
    """The names of its tracepoints that begin as `pattern`, in which `*` stands for anything."""
    names = {found[1].decode() for found in _ANY.finditer(kernel.data)}
    return sorted(name for name in names if fnmatchcase(name, f"{pattern}*"))


def writes_traces(kernel: Segment) -> bool:
    """Whether it can write them to the console, which it has an option for."""
    return _OPTION in kernel.data
