"""FastLZ blocks, and the segments that OSv's loader image has of them."""

from __future__ import annotations

import random
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


def test_segments_are_found_wherever_they_lie() -> None:
    data = (LONG * 13)[: 1 << 20] + LONG
    assert fastlz.unpack_segments(compressed_disk(data)) == data


def test_a_mebibyte_of_nothing_has_no_segments() -> None:
    assert fastlz.unpack_segments(bytes(1 << 20)) is None
