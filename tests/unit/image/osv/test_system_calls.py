"""System calls and tracepoints that a kernel names."""

from __future__ import annotations

from nitro.image.osv.segment import Segment
from nitro.image.osv.system_calls import offered_by, tracepoints, writes_traces
from tests.unit.image.osv.kernel import build


def test_a_kernel_names_its_calls_by_the_functions_behind_them() -> None:
    kernel = Segment.parse(build(calls=["sys_exit", "long_mmap", "write", "fstatat"]))
    assert offered_by(kernel) == {"exit", "mmap", "write", "newfstatat"}
    assert offered_by(Segment.parse(build(calls=[]))) == frozenset()


def test_tracepoints_begin_as_a_pattern() -> None:
    kernel = Segment.parse(build(calls=["open", "openat", "read"]))
    assert tracepoints(kernel, "syscall_open") == ["syscall_open", "syscall_openat"]
    assert tracepoints(kernel, "sys*read") == ["syscall_read"]
    assert tracepoints(kernel, "open") == []


def test_a_kernel_that_writes_traces_has_an_option_for_it() -> None:
    assert writes_traces(Segment.parse(build()))
    assert not writes_traces(Segment.parse(build(calls=[])))
