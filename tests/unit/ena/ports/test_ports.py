"""Ports that need no kernel: the stream socket and the switch; and how ports are spelled."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nitro.ena.offload import PLAIN, Offload, checksum
from nitro.ena.ports.open import open_port
from nitro.ena.ports.stream import StreamPort
from nitro.ena.ports.switch import Switch
from nitro.errors import InputError, NitroError
from tests.unit.ena.driver import MAC, PEER, ipv4_frame

FRAME = ipv4_frame()


def stream() -> tuple[StreamPort, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    theirs.settimeout(2)
    return StreamPort(ours), theirs


def read_frame(peer: socket.socket) -> bytes:
    length = int.from_bytes(peer.recv(4, socket.MSG_WAITALL), "big")
    return peer.recv(length, socket.MSG_WAITALL)


def test_stream_carries_frames_both_ways():
    port, peer = stream()
    assert port.send(PLAIN, [FRAME[:20], memoryview(FRAME)[20:]])
    assert read_frame(peer) == FRAME
    peer.sendall(len(FRAME).to_bytes(4, "big") + FRAME)
    header, first, second = bytearray(10), bytearray(30), bytearray(2000)
    assert port.receive(header, [first, second]) == len(FRAME)
    assert bytes(first + second)[: len(FRAME)] == FRAME
    assert port.receive(header, [first]) == 0
    port.close()


def test_stream_frames_in_pieces_and_in_heaps():
    port, peer = stream()
    data = b"".join(len(f).to_bytes(4, "big") + f for f in (FRAME, FRAME + b"2", FRAME + b"3"))
    header, room = bytearray(10), bytearray(2000)
    for at in range(0, 60, 7):
        peer.sendall(data[at : at + 7])
        assert port.receive(header, [room]) == 0
    peer.sendall(data[63:])
    lengths = [port.receive(header, [room]) for _ in range(4)]
    assert lengths == [len(FRAME), len(FRAME) + 1, len(FRAME) + 1, 0]
    port.close()


def test_stream_finishes_checksums_and_segments():
    port, peer = stream()
    header = Offload(1, 1, 54, 1000, 34, 16).pack()
    assert port.send(header, [ipv4_frame(bytes(2500))])
    frames = [read_frame(peer) for _ in range(3)]
    assert [len(frame) - 54 for frame in frames] == [1000, 1000, 500]
    for frame in frames:
        assert (
            checksum(
                frame[26:34] + bytes((0, 6)) + (len(frame) - 34).to_bytes(2, "big") + frame[34:]
            )
            == 0
        )
    port.close()


def test_stream_back_pressure_cuts_no_frame():
    port, peer = stream()
    sent = 0
    while port.send(PLAIN, [bytes(9000)]):
        sent += 1
        assert sent < 1000
    received = 0
    while received < sent:
        assert len(read_frame(peer)) == 9000
        received += 1
        if received == sent - 1:
            assert port.send(PLAIN, [FRAME])
    assert read_frame(peer) == FRAME
    port.close()


def test_stream_with_an_impossible_length_is_closed():
    port, peer = stream()
    peer.sendall(b"\xff\xff\xff\xff")
    assert port.receive(bytearray(10), [bytearray(100)]) == 0
    assert port.fileno() == -1


def test_stream_whose_peer_left_is_closed_and_loses_frames():
    port, peer = stream()
    peer.close()
    assert port.receive(bytearray(10), [bytearray(100)]) == 0
    assert port.fileno() == -1
    assert port.send(PLAIN, [FRAME])


def test_switch_floods_then_learns():
    switch = Switch()
    a, b, c = switch.port(), switch.port(), switch.port()
    room, header = bytearray(2000), bytearray(10)
    to_peer, to_mac = PEER + MAC + bytes(50), MAC + PEER + bytes(50)
    assert a.send(PLAIN, [to_peer])
    assert [port.receive(header, [room]) for port in (a, b, c)] == [0, 62, 62]
    assert b.send(PLAIN, [to_mac])
    assert [port.receive(header, [room]) for port in (a, b, c)] == [62, 0, 0]
    assert a.send(PLAIN, [b"\xff" * 6 + MAC + bytes(50)])
    assert [port.receive(header, [room]) for port in (a, b, c)] == [0, 62, 62]
    b.close()
    assert a.send(PLAIN, [to_peer])
    assert c.receive(header, [room]) == 62


@pytest.mark.parametrize("text", ["", "tap:", "fd:x", "udp:5", "unix:"])
def test_spelling(text: str):
    with pytest.raises(InputError, match="no port"):
        open_port(text)


def test_ports_that_cannot_be_had(tmp_path: Path):
    with pytest.raises(NitroError, match="cannot connect"):
        open_port(f"unix:{tmp_path / 'none'}")
    with pytest.raises(InputError, match="neither a tap nor a socket"):
        open_port("fd:999")


def test_an_inherited_socket():
    ours, theirs = socket.socketpair()
    port = open_port(f"fd:{ours.detach()}")
    assert port.send(PLAIN, [FRAME])
    assert read_frame(theirs) == FRAME
    port.close()
