"""The names of system calls, and those that code makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.formats.system_calls import NAMES, made_by, matching

SYSCALL = "0f05"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("b801000000", {"write"}),  # mov $1, %eax
        ("48c7c039000000", {"fork"}),  # mov $57, %rax
        ("b8a9010000 4889fe 4c89c2", {"io_uring_setup"}),  # other registers are set behind it
        ("b801000000 b83b000000", {"execve"}),  # the last one counts
        ("41b83b000000", set()),  # mov $59, %r8d
        ("b8ff030000", set()),  # no call has this number
        ("b801000000" + "90" * 35, {"write"}),
        ("b801000000" + "90" * 36, set()),  # more than 40 bytes away
        ("", set()),
    ],
)
def test_the_number_stands_before_the_instruction(code: str, names: set[str]) -> None:
    assert made_by(bytes.fromhex(code + SYSCALL)) == names


def test_a_number_is_of_one_instruction() -> None:
    assert made_by(bytes.fromhex("b801000000" + SYSCALL + "90" + SYSCALL + "b802000000")) == {
        "write"
    }


@given(st.binary())
def test_any_bytes_have_calls_or_none(code: bytes) -> None:
    assert made_by(code + b"\x90\xb8\x3c\0\0\0\x0f\x05") >= {"exit"}


def test_names_stand_at_their_numbers() -> None:
    known = {0: "read", 59: "execve", 231: "exit_group", 334: "rseq", 435: "clone3", 462: "mseal"}
    assert known.items() <= NAMES.items()


@pytest.mark.parametrize("pattern", ["openat", "syscall_openat", "*nat2"])
def test_a_pattern_is_how_a_name_begins(pattern: str) -> None:
    assert "openat2" in matching(pattern)
    assert "open" not in matching(pattern)


def test_every_call_and_none() -> None:
    assert len(matching("syscall*")) == len(matching("*")) == len(NAMES)
    assert matching("vfs_read") == []
