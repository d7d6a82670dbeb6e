"""Dynamic symbols without section headers, against what pyelftools says of real libraries."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.image.formats.symbols import Exports, Symbols, read
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


def test_each_name_is_found_alone_as_well() -> None:
    """Each export of the interpreter, and none of what it imports or of other names."""
    symbols, exports = read(DATA), Exports(DATA)
    assert {name: exports.address(name) for name in symbols.defined} == symbols.defined
    outside = symbols.needed | symbols.weak | {f"{name}x" for name in symbols.defined}
    assert [name for name in outside if exports.address(name) is not None] == []


@pytest.mark.extended
@given(st.sets(st.text("abz_09", min_size=1, max_size=9), max_size=30), st.booleans())
def test_what_is_exported_and_nothing_else_is_found(names: set[str], gnu_hash: bool) -> None:
    offered, others = sorted(names)[::2], sorted(names)[1::2]
    with TemporaryDirectory() as folder:
        path = elves.write(Path(folder) / "f", exports=offered, gnu_hash=gnu_hash)
        exports = Exports(path.read_bytes())
    assert all(exports.address(name) is not None for name in offered)
    assert all(exports.address(name) is None for name in others)


def test_a_static_program_has_none(tmp_path: Path) -> None:
    data = elves.write(tmp_path / "static").read_bytes()
    assert read(data) == Symbols()
    assert Exports(data).address("main") is None


def test_no_elf_file() -> None:
    with pytest.raises(ValueError, match="not a 64-bit ELF file"):
        read(b"text")


@pytest.mark.parametrize("exports", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("imports", [0, 1, 5])
@pytest.mark.parametrize("gnu_hash", [False, True])
def test_all_symbols_are_read_by_either_table(
    tmp_path: Path, gnu_hash: bool, imports: int, exports: int
) -> None:
    """The GNU table has only what a file offers; one that offers nothing says no number at all."""
    needed = [f"needed{number}" for number in range(imports)]
    offered = [f"offered{number}" for number in range(exports)]
    path = elves.write(tmp_path / "f", imports=needed, exports=offered, gnu_hash=gnu_hash)
    if imports + exports == 0:
        assert read(path.read_bytes()) == Symbols()
        return
    # Without an offer the strings have to lie behind the symbols, which they do not here.
    if exports or not gnu_hash:
        symbols = read(path.read_bytes())
        assert set(symbols.defined) == set(offered)
        assert symbols.needed == set(needed)


def dynamic(path: Path) -> tuple[bytearray, int]:
    """A file's bytes, and the place of its dynamic section."""
    data = bytearray(path.read_bytes())
    [section] = [
        struct.unpack_from("<Q", data, at + 8)[0]
        for at in (64, 120)
        if struct.unpack_from("<I", data, at)[0] == 2
    ]
    return data, section


def test_strings_behind_the_symbols_say_how_many_there_are(tmp_path: Path) -> None:
    """As of a file that offers nothing, or has no table at all."""
    data, at = dynamic(elves.write(tmp_path / "f", imports=["one", "two"]))
    tags = {tag: at + 16 * n for n, (tag, _) in enumerate(struct.iter_unpack("<QQ", data[at:]))}
    [symbols] = struct.unpack_from("<Q", data, tags[6] + 8)
    strings = b"\0one\0two\0"
    table = bytes(data[symbols - 0x1000 :][: 3 * 24])
    end = len(data)
    data += table + strings
    struct.pack_into("<QQ", data, 64 + 32, len(data), len(data))
    struct.pack_into("<Q", data, tags[6] + 8, 0x1000 + end)
    struct.pack_into("<Q", data, tags[5] + 8, 0x1000 + end + len(table))
    struct.pack_into("<Q", data, tags[4], 0x7FFFFFFF)  # another tag in place of the table's
    assert read(bytes(data)).needed == {"one", "two"}


def test_a_place_far_beyond_the_end_is_refused(tmp_path: Path) -> None:
    """Above 2**63 no offset can be: of the program headers, and of a segment with the tables."""
    whole = elves.write(tmp_path / "f", exports=["one"], gnu_hash=True).read_bytes()
    for place in (39, 64 + 15):
        data = bytearray(whole)
        data[place] = 0x80
        with pytest.raises(ValueError, match="damaged dynamic symbols"):
            read(bytes(data))


@pytest.mark.parametrize("length", [6, 39, 57, 100])
def test_a_file_that_ends_in_its_headers_is_refused(tmp_path: Path, length: int) -> None:
    whole = elves.write(tmp_path / "f", exports=["one"]).read_bytes()
    with pytest.raises(ValueError, match="damaged dynamic symbols"):
        read(whole[:length])


def test_symbols_may_begin_and_end_with_a_segment(tmp_path: Path) -> None:
    """Each of the tables in a segment of its own, with nothing in front of it or behind it."""
    data, at = dynamic(elves.write(tmp_path / "f", exports=["one"]))
    tags = {tag: at + 16 * n for n, (tag, _) in enumerate(struct.iter_unpack("<QQ", data[at:]))}
    places = {tag: struct.unpack_from("<Q", data, tags[tag] + 8)[0] - 0x1000 for tag in (4, 5, 6)}
    headers = bytearray()
    for tag, place in places.items():
        address = 0x100000 * tag
        headers += struct.pack("<IIQQQQQQ", 1, 4, place, address, address, 16, 16, 8)
        struct.pack_into("<Q", data, tags[tag] + 8, address)
    start, count = len(data), len(places) + 1
    struct.pack_into("<Q", data, 32, start)
    struct.pack_into("<H", data, 56, count)
    data += headers + data[120:176]
    assert set(read(bytes(data)).defined) == {"one"}


def test_an_address_outside_the_file_is_refused(tmp_path: Path) -> None:
    data, at = dynamic(elves.write(tmp_path / "f", exports=["one"]))
    size = len(data)
    tags = {tag: at + 16 * n for n, (tag, _) in enumerate(struct.iter_unpack("<QQ", data[at:]))}
    for address in (0xFFF, 0x1000 + size):
        struct.pack_into("<Q", data, tags[6] + 8, address)
        with pytest.raises(ValueError, match=f"address {address:#x} is not in the file"):
            read(bytes(data))


def test_the_first_of_two_tags_counts_and_an_empty_one_ends_them(tmp_path: Path) -> None:
    data, at = dynamic(elves.write(tmp_path / "f", exports=["one"]))
    [size] = struct.unpack_from("<Q", data, 120 + 32)
    again = struct.pack("<QQ", 6, 0x1000)  # symbols at the ELF header: nonsense
    for extra, place in ((again, size - 16), (bytes(16) + again, size - 16)):
        changed = data[: at + place] + extra + bytes(16)
        struct.pack_into("<Q", changed, 120 + 32, place + len(extra) + 16)
        struct.pack_into("<Q", changed, 64 + 32, len(changed))
        assert set(read(bytes(changed)).defined) == {"one"}


def test_bytes_behind_the_last_whole_tag_are_none(tmp_path: Path) -> None:
    data, _ = dynamic(elves.write(tmp_path / "f", exports=["one"]))
    [size] = struct.unpack_from("<Q", data, 120 + 32)
    struct.pack_into("<Q", data, 120 + 32, size - 16 + 7)
    assert set(read(bytes(data)).defined) == {"one"}


def test_a_name_of_other_letters_is_read(tmp_path: Path) -> None:
    name = "gr\N{LATIN SMALL LETTER O WITH DIAERESIS}\N{EURO SIGN}e"
    path = elves.write(tmp_path / "f", imports=["before"], exports=[name, "behind"])
    assert read(path.read_bytes()).defined.keys() == {name, "behind"}


def test_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    """Linkers check no encoding; a kernel would be refused for a name that nobody asks for."""
    path = elves.write(tmp_path / "f", exports=["name", "other"])
    data = path.read_bytes().replace(b"name\0", b"n\xffme\0")
    assert "other" in read(data).defined


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(16, 1500), st.integers(0, 255)), max_size=5))
def test_damaged_files_are_read_or_refused(damage: list[tuple[int, int]]) -> None:
    data = bytearray(DATA[: 1 << 16])
    for place, value in damage:
        data[place] = value
    with suppress(ValueError):
        read(bytes(data))
    exports = Exports(bytes(data))
    assert all(exports.address(name) is None for name in ("", "no such symbol"))
