"""The SYN that asks and never connects."""

from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.local.syn import _flags_of_answer, checksum, listens, syn

# It needs a raw socket, which the daemon has in its namespace.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are root's")


@given(st.integers(1, 65535), st.integers(1, 65535), st.integers(0, 2**32 - 1))
def test_a_segment_carries_its_checksum(source: int, target: int, sequence: int) -> None:
    segment = syn("10.0.0.1", "10.0.0.2", source, target, sequence)
    pseudo = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    assert checksum(pseudo + struct.pack("!BBH", 0, 6, 20) + segment) == 0
    assert struct.unpack("!HHI", segment[:8]) == (source, target, sequence)


def test_the_checksum_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@given(st.binary(max_size=80))
def test_any_packet_is_looked_at_safely(packet: bytes) -> None:
    flags = _flags_of_answer(packet, 80, 40000)
    assert flags is None or 0 <= flags <= 255


@pytest.mark.extended
@needs_root
def test_a_listener_is_seen_and_sees_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listens("127.0.0.1", listener.getsockname()[1])
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


@needs_root
def test_a_closed_port_does_not_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not listens("127.0.0.1", port)
