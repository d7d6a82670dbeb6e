"""FastLZ blocks, and the segments that OSv's loader image has of them."""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv import fastlz
from tests.unit.image.osv.kernel import compressed_disk, pack

WORDS = st.lists(st.sampled_from([b"kernel", b"a", b"memory", b"\0" * 40, b"xyz"]), max_size=200)
LONG = random.Random(1).randbytes(9000) * 9 + b"end"


@given(WORDS.map(b"".join))
def test_what_was_packed_is_unpacked(data: bytes) -> None:
    if data:
        assert fastlz.decompress(pack(data), len(data)) == data


@pytest.mark.extended
def test_long_distances_and_lengths_of_level_2() -> None:
    assert pack(LONG)[0] >> 5 == 1
    assert len(pack(LONG)) < len(LONG) // 4
    assert fastlz.decompress(pack(LONG), len(LONG)) == LONG


@given(st.binary(max_size=300), st.integers(0, 4000))
def test_any_block_is_unpacked_or_refused(block: bytes, size: int) -> None:
    with suppress(ValueError):
        assert len(fastlz.decompress(block, size)) == size


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (b"", "not a FastLZ block"),
        (b"\x40abc", "not a FastLZ block"),
        (b"\x05abc", "in the middle"),
        (b"\x00a\x20\x05", "in front of the block"),
        (b"\x00a", "to 1 bytes, not 9"),
    ],
)
def test_broken_blocks(block: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        fastlz.decompress(block, 9)


@pytest.mark.extended
def test_segments_are_found_wherever_they_lie() -> None:
    data = (LONG * 13)[: 1 << 20] + LONG
    assert fastlz.unpack_segments(compressed_disk(data)) == data


def test_a_mebibyte_of_nothing_has_no_segments() -> None:
    assert fastlz.unpack_segments(bytes(1 << 20)) is None


NOISE = random.Random(2).randbytes(9000)


@pytest.mark.parametrize("length", [3, 8, 9, 10, 263, 264, 265, 519, 520])
@pytest.mark.parametrize("level", [1, 2])
def test_a_match_of_any_length(level: int, length: int) -> None:
    """From 9 bytes on a length takes a byte more, in level 2 one for each 255."""
    if level == 1 and length > 264:
        return  # two instructions
    rest = length - 9
    more = b"" if rest < 0 else bytes([255] * (rest // 255) + [rest % 255])
    if level == 1 and rest >= 0:
        more = bytes([rest])
    short = min(length - 2, 7)
    block = bytes([(level - 1) << 5 | 9]) + NOISE[:10] + bytes([short << 5]) + more + b"\4"
    expected = (NOISE[5:10] * 200)[:length]
    assert fastlz.decompress(block, 10 + length) == NOISE[:10] + expected


@pytest.mark.parametrize("distance", [1, 2, 256, 257, 8190, 8191, 8192, 8193, 8447, 9000])
@pytest.mark.parametrize("level", [1, 2])
def test_a_match_at_any_distance(level: int, distance: int) -> None:
    """Level 2 has 16 bits more where its 13 bits are all ones."""
    runs = b"".join(
        bytes([len(r) - 1]) + r for r in (NOISE[i : i + 32] for i in range(0, 9000, 32))
    )
    runs = bytes([runs[0] | (level - 1) << 5]) + runs[1:]
    if level == 1 and distance > 8192:
        return  # out of its reach
    far = level == 2 and distance > 8191
    high, low = (31, 255) if far else divmod(distance - 1, 256)
    match = bytes([1 << 5 | high, low]) + (struct.pack(">H", distance - 8192) if far else b"")
    start = 9000 - distance
    expected = NOISE + (NOISE[start:] * 3)[:3]
    assert fastlz.decompress(runs + match, 9003) == expected


def test_a_match_begins_at_the_first_byte_at_most() -> None:
    assert fastlz.decompress(b"\2abc\x20\2", 6) == b"abcabc"
    with pytest.raises(ValueError, match="in front of the block"):
        fastlz.decompress(b"\2abc\x20\3", 6)


def test_an_instruction_cut_short_is_refused() -> None:
    whole = b"\x22abc\xff\xff\xff\0\1"  # level 2: literals, then a match of 255 + 255 bytes more
    for end in range(1, len(whole)):
        with pytest.raises(ValueError, match=r"in the middle|unpacks to"):
            fastlz.decompress(whole[:end], 3 + 9 + 510)


def segments(*sizes: tuple[int, int], front: int = 8, count: int | None = None) -> bytes:
    """Stored bytes and their table, as in a loader image: (size, size as stored) each."""
    stored = sum(kept for _, kept in sizes)
    table = b"".join(struct.pack("<II", *one) for one in sizes)
    number = struct.pack("<I", len(sizes) if count is None else count)
    return bytes(front) + struct.pack("<I", 4 + stored) + b"s" * stored + number + table


def test_where_segments_lie() -> None:
    data = segments((1 << 20, 100), (1 << 20, 200), (5, 5))
    assert fastlz.find_segments(data) == (12, [(1 << 20, 100), (1 << 20, 200), (5, 5)])
    assert fastlz.find_segments(segments((1 << 20, 100), (5, 5), front=0))
    assert fastlz.find_segments(data + b"more") == fastlz.find_segments(data)


@pytest.mark.parametrize(
    "data",
    [
        segments((1 << 20, 100), count=1),
        segments((1 << 20, 100), (5, 5), count=3),
        segments((1 << 20, 100), (5, 5))[:-1],
        segments((1 << 20, 100), (5, 5), front=0)[1:],
        segments((1 << 20, 100), (5, 5), front=0)[4:],
        segments((1 << 20, 100), (5, 5)).replace(b"\x6d\0\0\0", b"\x6e\0\0\0"),
    ],
    ids=["one segment", "count", "end", "place cut", "no place", "another place"],
)
def test_what_is_no_table_of_segments(data: bytes) -> None:
    assert fastlz.find_segments(data) is None


def test_a_segment_that_is_no_shorter_is_stored_as_it_is() -> None:
    whole = struct.pack("<I", 4 + 5 + (1 << 20)) + bytes(1 << 20) + b"abcde"
    table = struct.pack("<IIIII", 2, 1 << 20, 1 << 20, 5, 5)
    assert fastlz.unpack_segments(whole + table) == bytes(1 << 20) + b"abcde"
    table = struct.pack("<IIIII", 2, 1 << 20, 1 << 20, (1 << 20) + 1, 5)
    with pytest.raises(ValueError, match="larger than a MiB"):
        fastlz.unpack_segments(whole + table)
