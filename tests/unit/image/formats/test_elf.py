"""ELF files from outside: read, or refused with one line."""

from __future__ import annotations

from contextlib import suppress

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
