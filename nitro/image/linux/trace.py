"""Runs the command under strace, which writes to the console what it sees.

That is each look-up of a file that failed, in an image built with `trace=True`; `missing_files`
collects them. Or, with a recipe's `strace`, each of its system calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nitro.arch import X86_64, Arch
from nitro.debian import Tree, Wanted
from nitro.image.formats import system_calls
from nitro.image.linux import private
from nitro.image.rootfs import Node, Rootfs
from nitro.strace import MARK

_HOME = "/usr/lib/nitro/strace"
_MARK = "nitro-trace"

# openat(AT_FDCWD, "/etc/x", O_RDONLY) = -1 ENOENT (No such file or directory)
_FAILED = re.compile(r'"((?:[^"\\]|\\.)*)".*= -1 (?:ENOENT|ENOTDIR)\b')
# What every start-up seeks in vain: the C libraries' hardware-specific folders, translations, and
# optional files.
_USUAL = re.compile(
    rf"/glibc-hwcaps/|/(tls|haswell|{X86_64.ec2}|avx512_1)/lib[^/]*$"
    r"|/LC_[A-Z]+(/|$)|/locale(/|-archive$)"
    r"|^/etc/(ld\.so\.(preload|cache|nohwcap)|ld-musl-[^/]*\.path|localtime|gai\.conf)$"
    r"|^/etc/(nscd|suid-debug|terminfo|bindresvport\.blacklist)|^/var/run/nscd/"
    r"|^/(proc|sys|dev)/|/nitro/"
)


def packages(arch: Arch) -> Wanted:
    return Wanted(("strace",), arch=arch)


def add_missing(rootfs: Rootfs, strace: Tree) -> None:
    """Trace which files the command seeks in vain, each named once."""
    options = "--trace=%file --failed-only --string-limit=4096"
    _add(
        rootfs,
        strace,
        options,
        f'''match($0, /"[^"]+"/) && !seen[substr($0, RSTART, RLENGTH)]++ {{
    print "{_MARK} " $0
    fflush()
}}''',
    )


def add_calls(rootfs: Rootfs, strace: Tree, pattern: str) -> None:
    """Trace the command's system calls whose names match; `nitro.strace` reads them.

    `pattern` is a name with `*` for anything, also as OSv calls it (syscall_open).
    """
    names = system_calls.matching(pattern)
    every = len(names) == len(system_calls.NAMES)
    traced = "all" if every else ",".join(f"?{name}" for name in names)
    options = f"--trace='{traced}' --syscall-times"
    _add(rootfs, strace, options, f'{{ print "{MARK} " $0; fflush() }}')


def _add(rootfs: Rootfs, strace: Tree, options: str, program: str) -> None:
    """Put strace beside the program, with libraries of its own, and start the command by it.

    Its lines go through an awk `program`, so that no other output gets into a line.
    """
    tracer = private.add(rootfs, strace, "strace", _HOME)
    run = rootfs.nodes["/etc/nitro/run"]
    rootfs.nodes["/etc/nitro/command"] = run
    script = f"""#!/usr/lib/nitro/busybox sh
mkfifo /run/nitro/trace
awk '{program}' </run/nitro/trace >/dev/console &
{tracer} --follow-forks {options} \\
    --quiet=all --output=/run/nitro/trace /etc/nitro/command
code=$?
wait
exit $code
"""
    rootfs.nodes["/etc/nitro/run"] = Node(
        "program", "nitro", source=script.encode(), executable=True
    )


def missing_files(console: str | Iterable[str]) -> list[str]:
    """The absolute paths sought in vain, in order of the first attempt, each once.

    `console` is the text of the serial console. What every program's start-up seeks and never
    needs is left out.
    """
    lines = console.splitlines() if isinstance(console, str) else console
    found: dict[str, None] = {}
    for line in lines:
        _, mark, call = line.partition(f"{_MARK} ")
        match = _FAILED.search(call) if mark else None
        if match and match[1].startswith("/") and not _USUAL.search(match[1]):
            found[_unquote(match[1])] = None
    return list(found)


def _unquote(text: str) -> str:
    """Undo strace's escapes: octal bytes, quotes and backslashes."""
    raw = re.sub(
        rb"\\([0-7]{1,3}|.)",
        lambda m: bytes([int(m[1], 8) & 255]) if m[1][:1].isdigit() else m[1],
        text.encode(),
    )
    return raw.decode(errors="replace")
