"""How a program is started, by its ELF file, by what the kernel has, and by the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.libraries import Sysroot
from nitro.image.osv.programs import Choice, choose
from nitro.image.osv.segment import Segment
from nitro.recipe import Launch
from tests.unit.image import elves
from tests.unit.image.osv.kernel import build

LINUX = "/lib64/ld-linux-x86-64.so.2"
KERNEL = Segment.parse(build(exports=["printf", "fork", "write"]))
IO_URING = b"\xb8\xa9\x01\x00\x00\x0f\x05"  # mov $425, %eax; syscall
VFORK = b"\x48\xc7\xc0\x3a\x00\x00\x00\x0f\x05"  # mov $58, %rax; syscall
WRITE = b"\xb8\x01\x00\x00\x00\x0f\x05"


def dynamic(root: Path, *imports: str, thread_local: int = 0) -> Path:
    for name in ("liba.so.1", "libc.so.6", "ld-linux-x86-64.so.2"):
        folder = "lib64" if name.startswith("ld-") else "usr/lib"
        elves.write(root / folder / name, exports=["of_a"] if name == "liba.so.1" else [])
    return elves.write(
        root / "usr/bin/program",
        needed=["liba.so.1", "libc.so.6"],
        interpreter=LINUX,
        imports=imports,
        thread_local=thread_local,
    )


def chosen(program: Path, asked: Launch | None = None, kernel: Segment = KERNEL) -> Choice:
    root = program.parents[2]
    return choose("/usr/bin/program", program, asked, Sysroot(root), kernel)


def test_a_dynamic_program_whose_imports_are_there_is_osvs(tmp_path: Path) -> None:
    found = chosen(dynamic(tmp_path, "printf", "of_a"))
    assert found.launch == "osv"
    assert "exports all that it imports" in found.why
    assert not found.warnings


def test_a_symbol_that_the_kernel_lacks_takes_linuxs_linker(tmp_path: Path) -> None:
    found = chosen(dynamic(tmp_path, "printf", "getcontext", "makecontext"))
    assert found.launch == "linux-ld"
    assert found.why == "the kernel does not export getcontext, makecontext"


def test_thread_local_storage_beyond_osvs_room_takes_linuxs_linker(tmp_path: Path) -> None:
    assert chosen(dynamic(tmp_path, thread_local=512)).launch == "osv"
    found = chosen(dynamic(tmp_path, thread_local=4096))
    assert found.launch == "linux-ld"
    assert "4096 bytes of thread-local storage" in found.why


@pytest.mark.parametrize("reader", ["program", "liba.so.1", "libc.so.6"])
def test_a_reader_of_its_memory_map_takes_linuxs_linker(reader: str, tmp_path: Path) -> None:
    """As V8 does, which node has in a library; libc's own is not used with OSv's linker."""
    program = dynamic(tmp_path, "printf")
    path = program if reader == "program" else tmp_path / "usr/lib" / reader
    path.write_bytes(path.read_bytes() + b"/proc/self/maps\0")
    found = chosen(program)
    assert found.launch == ("osv" if reader == "libc.so.6" else "linux-ld")
    assert (f"{reader} reads /proc/self/maps" in found.why) == (reader != "libc.so.6")


def test_linuxs_linker_needs_system_calls(tmp_path: Path) -> None:
    old = Segment.parse(build(exports=["printf"], calls=()))
    found = chosen(dynamic(tmp_path, "getcontext"), kernel=old)
    assert found.launch == "osv"
    assert "no system calls for Linux's linker" in found.why
    assert "getcontext" in found.warnings[0]


@pytest.mark.extended
def test_a_symbol_that_a_library_lacks_is_a_warning(tmp_path: Path) -> None:
    program = dynamic(tmp_path, "printf")
    elves.write(tmp_path / "usr/lib/liba.so.1", imports=["makecontext"])
    found = chosen(program)
    assert found.launch == "osv"
    [warning] = found.warnings
    assert "does not export makecontext, of /usr/lib/liba.so.1" in warning


def test_a_program_that_starts_processes_is_told(tmp_path: Path) -> None:
    [warning] = chosen(dynamic(tmp_path, "fork")).warnings
    assert warning.startswith("/usr/bin/program calls fork: OSv has one process")


def test_a_static_program_is_read_for_its_system_calls(tmp_path: Path) -> None:
    program = elves.write(tmp_path / "usr/bin/program", code=WRITE + IO_URING + VFORK)
    found = chosen(program)
    assert found.launch == "static"
    processes, calls = found.warnings
    assert "/usr/bin/program has the system calls vfork: OSv has one process" in processes
    assert "does not have io_uring_setup of the system calls" in calls
    plain = elves.write(tmp_path / "usr/bin/plain", code=WRITE)
    assert not chosen(plain).warnings


def test_nothing_is_said_of_the_calls_of_a_kernel_that_does_not_name_its_own(
    tmp_path: Path,
) -> None:
    program = elves.write(tmp_path / "usr/bin/program", code=IO_URING)
    assert not chosen(program, kernel=Segment.parse(build(calls=()))).warnings


def test_a_debug_build_starts_nothing_at_its_entry_point(tmp_path: Path) -> None:
    """Its copying of memory is not inlined, and overwrites the stack."""
    copier = "_ZN16unaligned_copierILj14ELj8EE6storerILj9EvEclE"
    debug = Segment.parse(build(exports=["printf", copier]))
    static = elves.write(tmp_path / "usr/bin/static", code=WRITE)
    [warning] = chosen(static, kernel=debug).warnings
    assert warning.startswith("the kernel was built without optimization (mode=debug)")
    program = dynamic(tmp_path, "printf")
    assert not chosen(program, kernel=debug).warnings
    [warning] = chosen(program, "linux-ld", debug).warnings
    assert "when it starts Linux's linker: a page fault" in warning
    found = chosen(dynamic(tmp_path, "getcontext"), kernel=debug)
    assert found.launch == "osv"
    assert found.why.endswith("a kernel built without optimization starts no other linker")
    assert "getcontext" in found.warnings[0]


def test_an_older_release_is_given_dynamic_programs_only(tmp_path: Path) -> None:
    says = b"Statically linked executables are not supported!\n"
    old = Segment.parse(build(exports=["printf"], calls=(), says=says))
    with pytest.raises(InputError, match="the kernel does not start static programs: it is of v0"):
        chosen(elves.write(tmp_path / "usr/bin/static"), kernel=old)
    program = dynamic(tmp_path, "getcontext")
    found = chosen(program, kernel=old)
    assert found.launch == "osv"
    assert found.warnings[0].endswith("the program ends when it uses one")  # and no other linker
    with pytest.raises(InputError, match="the kernel does not start Linux's linker"):
        chosen(program, "linux-ld", old)


def test_the_recipe_overrides(tmp_path: Path) -> None:
    program = dynamic(tmp_path, "getcontext")
    assert chosen(program, "linux-ld") == Choice("linux-ld", "asked for")
    wished = chosen(program, "osv")
    assert wished.launch == "osv"
    assert "getcontext" in wished.warnings[0]
    with pytest.raises(InputError, match='launch = "static" does not fit'):
        chosen(program, "static")
    with pytest.raises(InputError, match='launch = "osv" does not fit'):
        chosen(elves.write(tmp_path / "usr/bin/static"), "osv")


def test_scripts_are_not_started(tmp_path: Path) -> None:
    script = tmp_path / "usr/bin/script"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    with pytest.raises(InputError, match="OSv starts ELF files only"):
        chosen(script)
