"""System calls in code, and those that a kernel names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv.segment import Segment
from nitro.image.osv.system_calls import made_by, offered_by
from tests.unit.image.osv.kernel import build

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
        ("b801000000" + "90" * 60, set()),  # too far away
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
    assert made_by(code + b"\xb8\x3c\0\0\0\x0f\x05") >= {"exit"}


def test_a_kernel_names_its_calls_by_the_functions_behind_them() -> None:
    kernel = Segment.parse(build(calls=["sys_exit", "long_mmap", "write", "fstatat"]))
    assert offered_by(kernel) == {"exit", "mmap", "write", "newfstatat"}
    assert offered_by(Segment.parse(build(calls=[]))) == frozenset()
