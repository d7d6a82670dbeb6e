"""Dynamic symbols without section headers, against what pyelftools says of real libraries."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.image.formats.symbols import Symbols, read
from tests.unit.image import elves

PYTHON = Path(sys.executable).resolve()
DATA = PYTHON.read_bytes()


def test_the_same_names_as_by_section_headers() -> None:
    with PYTHON.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        assert table
        found = [s for s in table.iter_symbols() if s.name]
        defined = {s.name: s.entry.st_value for s in found if s.entry.st_shndx != "SHN_UNDEF"}
        outside = {s.name for s in found if s.entry.st_shndx == "SHN_UNDEF"}
    symbols = read(DATA)
    assert symbols.defined == defined
    assert symbols.needed | symbols.weak == outside
    assert "__libc_start_main" in symbols.needed
    assert "__gmon_start__" in symbols.weak


def test_a_static_program_has_none(tmp_path: Path) -> None:
    assert read(elves.write(tmp_path / "static").read_bytes()) == Symbols()


def test_no_elf_file() -> None:
    with pytest.raises(ValueError, match="not a 64-bit ELF file"):
        read(b"text")


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(16, 1500), st.integers(0, 255)), max_size=5))
def test_damaged_files_are_read_or_refused(damage: list[tuple[int, int]]) -> None:
    data = bytearray(DATA[: 1 << 16])
    for place, value in damage:
        data[place] = value
    with suppress(ValueError):
        read(bytes(data))
