"""What strace wrote on the console, read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.linux import trace

CONSOLE = """\
{"nitro":"start","uptime":2.6,"command":"/usr/bin/server"}
nitro-trace 101 access("/etc/ld.so.preload", R_OK)      = -1 ENOENT (No such file or directory)
nitro-trace 101 openat(AT_FDCWD, "/usr/share/zoneinfo/Europe/Berlin", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
nitro-trace 101 openat(AT_FDCWD, "/usr/lib/glibc-hwcaps/x86-64-v3/libc.so.6", O_RDONLY) = -1 ENOENT (No such file or directory)
server: hello nitro-trac
nitro-trace 102 newfstatat(AT_FDCWD, "/etc/a \\"b\\303\\274", 0x7ffe, 0) = -1 ENOENT (No such file or directory)
nitro-trace 102 openat(AT_FDCWD, "/srv/secret", O_RDONLY) = -1 EACCES (Permission denied)
nitro-trace 102 stat("relative", 0x7ffe) = -1 ENOENT (No such file or directory)
nitro-trace 103 openat(AT_FDCWD, "/usr/share/zoneinfo/Europe/Berlin", O_RDONLY) = -1 ENOENT (No such file or directory)
"""  # noqa: E501


def test_files_sought_and_not_found() -> None:
    assert trace.missing_files(CONSOLE) == [
        "/usr/share/zoneinfo/Europe/Berlin",
        '/etc/a "bü',
    ]


def test_console_without_a_trace() -> None:
    assert trace.missing_files("GRUB loading...\n") == []


@pytest.mark.extended
@given(st.text())
def test_any_console_is_read(text: str) -> None:
    marked = f'nitro-trace 1 open("{text}") = -1 ENOENT'
    assert all(path.startswith("/") for path in trace.missing_files(marked))
