"""Checksums and segmentation in plain Python."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.offload import (
    GSO_TCPV4,
    GSO_TCPV6,
    PLAIN,
    Offload,
    TcpHeaders,
    checksum,
    finish_checksum,
    ones_sum,
    wire_frames,
)
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


@given(
    head=st.binary(max_size=120),
    start=st.integers(0, 130),
    kind=st.sampled_from([GSO_TCPV4, GSO_TCPV6]),
    first=st.sampled_from([0x45, 0x46, 0x4F, 0x65]),
)
def test_headers_are_found_inside_the_bytes_or_not_at_all(
    head: bytes, start: int, kind: int, first: int
):
    changed = head[:14] + bytes([first]) + head[15:] if len(head) > 14 else head
    found = TcpHeaders.find(Offload(1, kind, 0, 1000, start, 16), changed)
    if found:
        assert 14 <= found.l3 < found.l4 == start
        assert found.l4 + 20 <= found.end <= len(changed)
        assert kind == GSO_TCPV6 or changed[found.l3] >> 4 == 4


@pytest.mark.parametrize("offset", range(16))
def test_a_tcp_header_has_twenty_bytes_or_more_all_of_them_there(offset: int):
    frame = bytearray(ipv4_frame(bytes(20)))
    frame[46] = offset << 4
    whole = TcpHeaders.find(Offload(1, GSO_TCPV4, 0, 1000, 34, 16), frame)
    assert (whole is not None) == (5 <= offset <= 10)
    frame[14] = 0x46  # as if the IP header ended elsewhere
    assert TcpHeaders.find(Offload(1, GSO_TCPV4, 0, 1000, 34, 16), frame) is None


def test_headers_without_a_payload_are_whole_and_any_less_is_not():
    frame, offload = ipv4_frame(b""), Offload(1, GSO_TCPV4, 0, 1000, 34, 16)
    found = TcpHeaders.find(offload, frame)
    assert found is not None
    assert (found.end, found.sequence, found.identity, found.flags) == (54, 1, 7, 0x18)
    assert all(TcpHeaders.find(offload, frame[:length]) is None for length in range(54))
