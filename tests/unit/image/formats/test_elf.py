"""ELF files from outside: read, or refused with one line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.formats import elf
from tests.unit.image import elves

LOADER = "/lib64/ld-linux-x86-64.so.2"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(b"\x7fELF" + rest)
    with suppress(InputError):
        assert elf.read(path).bits in (32, 64)


@pytest.mark.extended
@given(st.data())
def test_any_damage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    elves.write(path, needed=["liba.so"], rpath="/opt", interpreter=LOADER)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(InputError):
        assert elf.read(path).bits in (32, 64)


def test_what_a_program_needs(tmp_path: Path) -> None:
    path = elves.write(
        tmp_path / "program",
        needed=["liba.so", "libb.so.1"],
        rpath="/opt/a:/opt/b",
        runpath="$ORIGIN:",
        interpreter=LOADER,
        thread_local=77,
    )
    assert elf.is_elf(path)
    assert elf.read(path) == elf.Object(
        "ET_DYN", 62, 64, LOADER, ("liba.so", "libb.so.1"), ("/opt/a", "/opt/b"), ("$ORIGIN",), 77
    )


def test_a_library_that_needs_nothing(tmp_path: Path) -> None:
    path = elves.write(tmp_path / "bare", machine=183)
    assert elf.read(path) == elf.Object("ET_DYN", 183, 64, None, (), (), (), 0)
    assert elf.machine_name(183) == "aarch64"
    assert elf.machine_name(0xABCD) == str(0xABCD)


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    """A build reads a file several times; what it compiles meanwhile has the same name."""
    path = elves.write(tmp_path / "f", needed=["one.so"])
    assert elf.read(path).needed == ("one.so",)
    elves.write(path, needed=["another.so"])
    assert elf.read(path).needed == ("another.so",)


def test_code_is_what_is_loaded_to_be_executed(tmp_path: Path) -> None:
    path = elves.write(tmp_path / "f", code=b"\x0f\x05")
    [segment] = elf.code(path)
    assert b"\x0f\x05" in segment
    assert elf.code(elves.write(tmp_path / "g")) == []
    data = bytearray(path.read_bytes())
    for size, fits in ((len(data), True), (len(data) + 1, False)):
        data[64 + 32 : 64 + 40] = size.to_bytes(8, "little")
        path.write_bytes(data)
        if fits:
            assert elf.code(path)
        else:
            with pytest.raises(InputError, match="a segment lies outside the file"):
                elf.code(path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\x7fELF")
    with pytest.raises(InputError, match=f"{path}: not an ELF file that can be read"):
        elf.read(path)
    (tmp_path / "text").write_bytes(b"\x7fEL")
    assert not elf.is_elf(tmp_path / "text")
