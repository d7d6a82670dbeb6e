"""Checksums and segmentation in plain Python."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.offload import PLAIN, Offload, checksum, finish_checksum, ones_sum, wire_frames
from tests.unit.ena.driver import MAC, PEER, ipv4_frame


def plain_sum(data: bytes) -> int:
    """RFC 1071 as it is written."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(max_size=300))
def test_sum_is_that_of_the_rfc(data: bytes):
    assert ones_sum(data) == plain_sum(data)


@given(st.binary(min_size=20, max_size=100).map(bytearray), st.integers(0, 120), st.integers(0, 40))
def test_finishing_never_leaves_the_frame(frame: bytearray, start: int, offset: int):
    length = len(frame)
    finish_checksum(frame, start, offset)
    assert len(frame) == length


@given(st.binary(min_size=10, max_size=10), st.binary(max_size=200))
def test_any_header_with_any_frame(header: bytes, frame: bytes):
    assert all(isinstance(piece, bytearray) for piece in wire_frames(header, bytearray(frame)))


def test_a_plain_frame_is_itself():
    assert list(wire_frames(PLAIN, bytearray(b"frame"))) == [b"frame"]


@given(st.binary(min_size=1, max_size=5000), st.integers(8, 2000))
def test_segments_carry_the_payload_in_order(payload: bytes, size: int):
    header = Offload(1, 1, 54, size, 34, 16).pack()
    frames = list(wire_frames(header, bytearray(ipv4_frame(payload))))
    assert b"".join(bytes(frame[54:]) for frame in frames) == payload
    for frame in frames:
        pseudo = frame[26:34] + struct.pack(">HH", 6, len(frame) - 34)
        assert checksum(pseudo + frame[34:]) == 0
        assert checksum(frame[14:34]) == 0


def test_ipv6_segments():
    addresses = bytes(range(32))
    tcp = struct.pack(">HHIIBBHHH", 1, 2, 100, 0, 5 << 4, 0x19, 0, 0, 0)
    ip = struct.pack(">IHBB", 6 << 28, 20 + 2500, 6, 64) + addresses
    frame = MAC + PEER + b"\x86\xdd" + ip + tcp + bytes(range(250)) * 10
    frames = list(wire_frames(Offload(1, 4, 74, 1000, 54, 16).pack(), bytearray(frame)))
    assert [len(f) - 74 for f in frames] == [1000, 1000, 500]
    assert [f[67] for f in frames] == [0x10, 0x10, 0x19]
    for f in frames:
        assert int.from_bytes(f[18:20], "big") == len(f) - 54
        pseudo = addresses + struct.pack(">IHH", len(f) - 54, 0, 6)
        assert checksum(pseudo + f[54:]) == 0
