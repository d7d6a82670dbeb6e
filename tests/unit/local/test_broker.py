"""Sockets of the host, handed over."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator

import pytest

from nitro.local import broker


@pytest.fixture
def host() -> Iterator[broker.HostSockets]:
    outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = threading.Thread(target=broker.serve, args=(outside,))
    server.start()
    yield broker.HostSockets(inside)
    inside.close()
    server.join(5)
    assert not server.is_alive(), "the broker ends with its other side"
    outside.close()


def test_a_tcp_socket_comes_listening(host: broker.HostSockets) -> None:
    with (
        host.open("tcp", "127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        served, _ = listener.accept()
        with served:
            client.sendall(b"hello")
            assert served.recv(5) == b"hello"


def test_a_udp_socket_comes_bound(host: broker.HostSockets) -> None:
    with (
        host.open("udp", "127.77.0.1", 0) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(b"hello", receiver.getsockname())
        assert receiver.recv(5) == b"hello"


def test_a_taken_port_is_the_error_that_it_is(host: broker.HostSockets) -> None:
    with host.open("tcp", "127.0.0.1", 0) as listener:
        with pytest.raises(OSError, match="tcp") as caught:
            host.open("tcp", "127.0.0.1", listener.getsockname()[1])
        assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1"])
def test_only_the_loopback_is_opened(host: broker.HostSockets, address: str) -> None:
    with pytest.raises(PermissionError):
        host.open("tcp", address, 0)


def test_the_inside_learns_that_the_outside_is_gone() -> None:
    outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    host = broker.HostSockets(inside)
    waiter = threading.Thread(target=host.wait_gone)
    waiter.start()
    waiter.join(0.1)
    assert waiter.is_alive()
    outside.close()
    waiter.join(5)
    assert not waiter.is_alive()
    with pytest.raises(OSError):  # noqa: PT011 - EPIPE or ECONNRESET
        host.open("tcp", "127.0.0.1", 0)
    inside.close()
