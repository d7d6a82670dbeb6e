"""What programs ask of a kernel; damaged ones are refused in a line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.libraries import Sysroot
from nitro.image.osv.demands import of_dynamic, of_static, some
from nitro.image.osv.programs import choose
from nitro.image.osv.segment import Segment
from tests.unit.image import elves
from tests.unit.image.osv.kernel import build

KERNEL = Segment.parse(build(exports=["printf"]))


def test_what_libraries_and_kernel_lack_is_found_with_who_needs_it(tmp_path: Path) -> None:
    program = elves.write(tmp_path / "program", imports=["printf", "of_b", "nobodys"])
    first = elves.write(tmp_path / "a", imports=["nobodys", "libraries"])
    second = elves.write(tmp_path / "b", exports=["of_b"])
    lacks = of_dynamic("/program", program, {"/a": first, "/b": second}, KERNEL)
    assert lacks.symbols == {"nobodys": "/program", "libraries": "/a"}


def test_calls_that_start_processes_are_told_apart(tmp_path: Path) -> None:
    code = bytes.fromhex("b839000000 0f05 b83b000000 0f05 b8a9010000 0f05".replace(" ", ""))
    lacks = of_static(elves.write(tmp_path / "program", code=code), KERNEL)
    assert lacks.processes == ("execve", "fork")
    assert lacks.calls == {"io_uring_setup"}


def test_long_lists_are_cut() -> None:
    assert some("abc") == "a, b, c"
    assert some("abcde") == "a, b, c, d, e"
    assert some("abcdef") == "a, b, c, d and 2 more"


@pytest.mark.extended
@pytest.mark.parametrize("interpreter", [None, "/lib64/ld-linux-x86-64.so.2"])
@given(data=st.data())
def test_damaged_programs_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, interpreter: str | None, data: st.DataObject
) -> None:
    root = tmp_path_factory.getbasetemp() / "damaged-programs"
    program = elves.write(
        root / "program",
        interpreter=interpreter,
        needed=["liba.so"] if interpreter else [],
        imports=["printf", "fork"] if interpreter else [],
        code=b"\xb8\x01\0\0\0\x0f\x05",
        thread_local=8,
    )
    raw = bytearray(program.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    program.write_bytes(raw[: data.draw(st.integers(4, len(raw)))])
    with suppress(InputError):
        choose("/program", program, None, Sysroot(root), KERNEL)
