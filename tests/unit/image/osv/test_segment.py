"""What a kernel's headers say, and what is refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv.segment import Segment
from tests.unit.image.osv.kernel import BASE, BSS, NOTE, PVH, START32, build

KERNEL = build()


def test_the_headers_are_read() -> None:
    segment = Segment.parse(KERNEL + b"sections and symbols")
    assert segment.data == KERNEL
    assert segment.end == BASE + len(KERNEL) + BSS
    assert (segment.bios_entry, segment.pvh_entry) == (START32, PVH)
    assert segment.symbols == {}


def test_sections_are_left_out() -> None:
    bare = Segment.parse(KERNEL).without_sections()
    assert int.from_bytes(bare[40:48], "little") == 0
    assert Segment.parse(bare).without_sections() == bare


@pytest.mark.parametrize(
    ("place", "data", "what"),
    [
        (0, b"MZ", "not a 64-bit ELF file"),
        (18, b"\xb7", "another processor"),
        (32, b"\xff\xff\xff", "outside the file"),
        (120, b"\0", "0 segments to load"),
        (64, b"\1", "2 segments to load"),
        (128, b"\1", "not the whole start"),
        (155, b"\xff", "not the whole start"),
        (139, b"\0", "where no OSv kernel is"),
    ],
)
def test_foreign_headers(place: int, data: bytes, what: str) -> None:
    kernel = bytearray(KERNEL)
    kernel[place : place + len(data)] = data
    with pytest.raises(ValueError, match=what):
        Segment.parse(bytes(kernel))


@pytest.mark.extended
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6))
def test_damaged_headers_are_read_or_refused(damage: list[tuple[int, int]]) -> None:
    kernel = bytearray(KERNEL)
    for place, value in damage:
        kernel[place] = value
    with suppress(ValueError):
        segment = Segment.parse(bytes(kernel))
        assert segment.pvh_entry is None or segment.pvh_entry >= 0
        assert segment.symbols == {}


def with_headers(*changes: tuple[int, bytes]) -> bytes:
    kernel = bytearray(KERNEL)
    for place, data in changes:
        kernel[place : place + len(data)] = data
    return bytes(kernel)


def test_only_what_the_header_says_of_sections_is_cleared() -> None:
    """Their place, number and names: some loaders read them when they are there."""
    bare = Segment.parse(KERNEL).without_sections()
    assert bare[60:64] == bytes(4)
    assert bare[:40] + bare[48:60] == KERNEL[:40] + KERNEL[48:60]
    assert bare[64:] == KERNEL[64:]


def test_the_new_sizes_stand_in_the_segments_header() -> None:
    header = Segment.parse(KERNEL).resized(0x123456, 0x234567)[120:176]
    assert struct.unpack("<IIQQQQQQ", header)[5:7] == (0x123456, 0x234567)
    assert header[:32] + header[48:] == KERNEL[120:152] + KERNEL[168:176]


@pytest.mark.parametrize(
    ("place", "value", "fits"),
    [
        (136, 0x40000000, True),  # the lowest address that a kernel is linked to
        (136, 0x3FFFFFFF, False),
        (160, len(KERNEL), True),  # as much memory as is stored
        (160, len(KERNEL) - 1, False),
        (152, len(KERNEL), True),  # all that the file has
        (152, len(KERNEL) + 1, False),
    ],
)
def test_the_bounds_of_the_loaded_segment(place: int, value: int, fits: bool) -> None:
    kernel = with_headers((place, struct.pack("<Q", value)))
    if fits:
        assert Segment.parse(kernel).data == kernel
    else:
        with pytest.raises(ValueError, match=r"no OSv kernel is|whole start"):
            Segment.parse(kernel)


def test_the_program_headers_may_end_with_the_file() -> None:
    """Their last 8 bytes, the alignment, are not looked at."""
    start, end = len(KERNEL), len(KERNEL) + 3 * 56
    moved = with_headers((32, struct.pack("<Q", start))) + KERNEL[64 : 64 + 3 * 56]
    assert Segment.parse(moved).header == start + 56
    assert Segment.parse(moved[: end - 8]).header == start + 56
    with pytest.raises(ValueError, match="program headers lie outside"):
        Segment.parse(moved[: end - 9])


@pytest.mark.parametrize("length", [0, 20, 63])
def test_a_file_that_ends_in_its_header(length: int) -> None:
    with pytest.raises(ValueError, match="not a 64-bit ELF file"):
        Segment.parse(KERNEL[:length])
    with pytest.raises(ValueError, match="headers lie outside"):
        Segment.parse(KERNEL[:64])


def note(name: bytes, content: bytes, kind: int) -> bytes:
    """An ELF note: name and content are padded to 4 bytes each."""
    head = struct.pack("<III", len(name), len(content), kind)
    return head + name + bytes(-len(name) % 4) + content + bytes(-len(content) % 4)


ENTRY = struct.pack("<I", 0x1234)


@pytest.mark.parametrize(
    ("notes", "entry"),
    [
        (note(b"Xen\0", ENTRY, 18), 0x1234),
        (note(b"Xen\0", ENTRY + bytes(4), 18), 0x1234),  # Linux writes 8 bytes
        (note(b"GNU\0", b"12345", 3) + note(b"Xen\0", ENTRY, 18), 0x1234),
        (note(b"Longer\0", b"", 18) + note(b"Xen\0", ENTRY, 18), 0x1234),
        (note(b"Xen\0", ENTRY, 17) + note(b"Xen\0", ENTRY, 18), 0x1234),
        (note(b"Xen\0", b"123456", 18), None),
        (note(b"Xen\0", ENTRY, 17), None),
        (note(b"GNU\0", ENTRY, 18), None),
        (note(b"Xen\0", ENTRY, 18)[:11], None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("number", [0, 2])
def test_the_entry_for_pvh_is_found_among_notes(
    notes: bytes, entry: int | None, number: int
) -> None:
    """In whichever program header they are; without one QEMU cannot boot the kernel directly."""
    blank = bytes(56)
    there = struct.pack("<IIQQQQQQ", 4, 4, NOTE, 0, 0, len(notes), len(notes), 4)
    headers = [(64, blank), (176, blank), (64 + 56 * number, there), (NOTE, bytes(100))]
    kernel = with_headers(*headers, (NOTE, notes))
    assert Segment.parse(kernel).pvh_entry == entry


def test_notes_may_end_with_the_kernel() -> None:
    notes = note(b"Xen\0", ENTRY, 18)
    header = struct.pack("<IIQQQQQQ", 4, 4, len(KERNEL) - 20, 0, 0, 20, 20, 4)
    kernel = with_headers((64, header), (len(KERNEL) - 20, notes))
    assert Segment.parse(kernel).pvh_entry == 0x1234
    beyond = struct.pack("<IIQQQQQQ", 4, 4, len(KERNEL) - 20, 0, 0, 21, 21, 4)
    assert Segment.parse(with_headers((64, beyond), (len(KERNEL) - 20, notes))).pvh_entry is None


def test_other_bytes_at_an_address() -> None:
    changed = Segment.parse(KERNEL).with_bytes(BASE + 0x900, b"\xcc\xcc")
    assert changed.data == with_headers((0x900, b"\xcc\xcc"))
    assert changed.end == Segment.parse(KERNEL).end


def test_what_a_kernel_offers_to_programs() -> None:
    exports = Segment.parse(build(exports=["main", "osv_run"])).symbols
    assert exports == {"main": BASE + 0x900, "osv_run": BASE + 0x900}


def test_a_note_is_sought_in_whole_headers_only() -> None:
    """The number of headers is of the whole file, of which the segment may be a part."""
    cut = bytearray(with_headers((32, struct.pack("<Q", len(KERNEL) - 60))))
    whole = Segment.parse(KERNEL)
    for start in (len(KERNEL) - 48, len(KERNEL) - 47):
        cut[32:40] = struct.pack("<Q", start)
        blank = replace(whole, data=bytes(cut))
        assert blank.pvh_entry is None
