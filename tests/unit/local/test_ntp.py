"""The time server, asked as NTP's clients ask."""

from __future__ import annotations

import socket
import struct
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.local.ntp import TimeServer, answer, timestamp

MARK = b"\x01\x02\x03\x04\x05\x06\x07\x08"


def request(first: int = 0x23, poll: int = 6) -> bytes:
    return bytes((first, 0, poll, 0)) + bytes(36) + MARK


def test_a_client_gets_the_time() -> None:
    found = answer(request(), 1_000_000_000.25, 1_000_000_000.5)
    assert found is not None
    assert len(found) == 48
    assert (found[0] >> 6, found[0] >> 3 & 7, found[0] & 7) == (0, 4, 4)  # leap, version, mode
    assert found[1] == 3, "the stratum of AWS's"
    assert found[2] == 6
    assert struct.unpack_from(">b", found, 3) == (-20,), "a precision of about a microsecond"
    assert struct.unpack_from(">II", found, 4) == (0, 1024), "no delay, a dispersion of 1/64 s"
    assert found[12:16] == bytes((127, 0, 0, 1))
    assert found[16:24] == found[32:40], "the clock was set right when the request came"
    assert found[24:32] == MARK, "the originate timestamp is the client's transmit timestamp"
    assert found[32:40] == struct.pack(">II", 3_208_988_800, 1 << 30)
    assert found[40:48] == struct.pack(">II", 3_208_988_800, 1 << 31)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_the_version_is_the_clients(version: int) -> None:
    found = answer(request(version << 3 | 3), 0, 0)
    assert found is not None
    assert found[0] >> 3 & 7 == version


@pytest.mark.parametrize("first", [0x20, 0x21, 0x24, 0x26, 0x27, 0x03, 0x2B])
def test_other_modes_and_versions_get_nothing(first: int) -> None:
    assert answer(request(first), 0, 0) is None


def test_the_era_after_2036_wraps() -> None:
    assert timestamp(2**32 - 2_208_988_800) == bytes(8)


@given(st.binary(max_size=100))
def test_any_packet_is_survived(packet: bytes) -> None:
    found = answer(packet, time.time(), time.time())
    assert found is None or len(found) == 48


def test_it_answers_on_a_socket() -> None:
    with TimeServer(("127.0.0.1", 0), lambda: 1_000_000_000.0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(server.server_address)
            client.send(b"noise")
            client.send(request())
            assert client.recv(100)[24:32] == MARK
        server.shutdown()
        thread.join()
