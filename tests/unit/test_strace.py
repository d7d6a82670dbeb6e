"""Calls of a traced program, as strace and OSv write them on the console."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nitro.strace import Call, Total, calls, totals

# strace 6.13 with --follow-forks --syscall-times, between what the program prints
LINUX = """\
{"nitro":"start","uptime":2.6,"command":"/usr/bin/server"}
nitro-strace 101 openat(AT_FDCWD, "/etc/a) = b", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000021>
nitro-strace 101   openat(AT_FDCWD, "/etc/b", O_RDONLY) = 3 <0.000015>
hello, unnitro-strace 102 read(3, "", 4096)           = 0 <0.000004>
nitro-strace 102 poll([{fd=3, events=POLLIN}], 1, 1000 <unfinished ...>
nitro-strace 101 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f0000000000 <0.000030>
nitro-strace 102 <... poll resumed>)       = 0 (Timeout) <1.000100>
nitro-strace 101 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
nitro-strace 101 exit_group(0)            = ?
nitro-strace 101 +++ exited with 0 +++
"""  # noqa: E501

OSV = """\
OSv v0.57.0-398-g0e34e4dc
/usr/bin/server   0  0.500000000 syscall_openat(-1 <= -100 "/etc/a (b)" 00 0)
/usr/bin/server   0  0.500010000 syscall_sys_ioctl(0x0 <= 1 0x5413 0x2000)
worker            1  0.600000000 syscall_read(0xffffffffffffffff <= 3 0x2000 0x10)
/usr/bin/server   0  1.500010000 syscall_long_mmap(0x2000 <= 0x0 4096 3)
/usr/bin/server   0  1.500020000 vfs_read(3 0x2000 0x10)
the program says 1 thing (of two)
"""


def test_straces_lines() -> None:
    assert list(calls(LINUX)) == [
        Call("openat", True, 0.000021),
        Call("openat", False, 0.000015),
        Call("read", False, 0.000004),
        Call("mmap", False, 0.00003),
        Call("poll", False, 1.0001),
        Call("exit_group", False, None),
    ]


def test_osvs_lines_have_the_time_since_the_threads_last() -> None:
    found = list(calls(OSV.replace("\n", "\r\n")))
    assert [(call.name, call.failed) for call in found] == [
        ("openat", True),
        ("ioctl", False),
        ("read", True),
        ("mmap", False),
        ("vfs_read", False),
    ]
    assert [call.seconds and round(call.seconds, 6) for call in found] == [
        *(None, 1e-5, None, 1.0, 1e-5)
    ]


def test_osvs_lines_of_a_begin_and_an_end_are_one_call() -> None:
    console = """\
/usr/bin/server   0  0.500000000 vfs_open("/a" 0x0 00)
worker            1  0.500000100 vfs_open("/b" 0x0 00)
/usr/bin/server   0  0.500000200 vfs_lseek(3 0x0 0)
/usr/bin/server   0  0.500000300 vfs_lseek_err(29)
/usr/bin/server   0  0.500000400 vfs_open_ret(3)
worker            1  0.500000500 vfs_open_err(2)
/usr/bin/server   0  0.500000600 vfs_close_ret()
/usr/bin/server   0  0.500000700 tcp_output(0x1)
/usr/bin/server   0  0.500000800 tcp_output_just_ret(0x1)
"""
    found = calls(console)
    assert [
        (call.name, call.failed, call.seconds and round(call.seconds, 9)) for call in found
    ] == [
        ("vfs_lseek", True, 1e-7),
        ("vfs_open", False, 4e-7),
        ("vfs_open", True, 4e-7),
        ("vfs_close_ret", False, 2e-7),  # its begin was lost
        ("tcp_output", False, 1e-7),
        ("tcp_output_just_ret", False, 1e-7),
    ]


def test_totals_begin_with_what_took_longest() -> None:
    found = totals(calls(LINUX))
    assert found[0] == Total("poll", 1, 0, 1.0001)
    assert found[1] == Total("openat", 2, 1, 0.000036)
    assert found[-1] == Total("exit_group", 1, 0, None)
    assert totals([]) == []


@given(st.text(), st.sampled_from(["nitro-strace 1 ", "x 0 0.500000000 ", ""]))
def test_any_console_is_read(text: str, start: str) -> None:
    assert all(total.count for total in totals(calls(f"{start}{text}\n{start}open({text}) = 0")))
