"""A guest's ports on the host: here the guest is another address of the loopback."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.local import broker
from nitro.local.broker import HostSockets
from nitro.local.hypervisor import PortRange
from nitro.local.relay import MAX_PORTS, Relay, wanted_ports

PUBLIC, PRIVATE = "127.78.0.1", "127.78.0.2"


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def relay() -> Iterator[Relay]:
    outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = threading.Thread(target=broker.serve, args=(outside,))
    server.start()
    made = Relay(broker.HostSockets(inside), PUBLIC, PRIVATE, answers)
    yield made
    made.close()
    inside.close()
    server.join(5)
    outside.close()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that is free on both addresses."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


def connect(port: int) -> socket.socket:
    """Connect to the public address as soon as it accepts."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection((PUBLIC, port), timeout=5)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Echo(threading.Thread):
    """A guest's program that sends back what it gets, until the peer has ended."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server((PRIVATE, port))

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(65536):
                    peer.sendall(data)


def test_bytes_pass_both_ways_and_so_do_ends(relay: Relay) -> None:
    port = free_port()
    echo = Echo(port)
    echo.start()
    relay.permit([PortRange("tcp", port, port)])
    sent = os.urandom(3_000_000)
    with connect(port) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=send)
        writer.start()
        received = bytearray()
        while data := client.recv(65536):
            received += data
        writer.join()
    assert bytes(received) == sent
    echo.listener.close()


@pytest.mark.extended
def test_a_port_refuses_until_the_guest_listens(relay: Relay) -> None:
    port = free_port()
    relay.permit([PortRange("tcp", port, port)])
    time.sleep(0.2)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((PUBLIC, port), timeout=1)
    echo = Echo(port)
    echo.start()
    with connect(port) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
    echo.listener.close()


def test_a_guest_that_stopped_listening_resets_connections(relay: Relay) -> None:
    port = free_port()
    echo = Echo(port)
    echo.start()
    relay.permit([PortRange("tcp", port, port)])
    connect(port).close()
    echo.listener.shutdown(socket.SHUT_RDWR)
    echo.listener.close()
    echo.join(5)
    # The reset may come before `connect` has returned.
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection((PUBLIC, port), timeout=5) as client,
    ):
        client.recv(1)


def test_ports_no_longer_permitted_close(relay: Relay) -> None:
    port = free_port()
    echo = Echo(port)
    echo.start()
    relay.permit([PortRange("tcp", port, port)])
    connect(port).close()
    relay.permit([])
    for _ in range(500):  # the host may still be opening it
        if not answers(PUBLIC, port):
            break
        time.sleep(0.01)
    assert not answers(PUBLIC, port)
    echo.listener.close()


def test_datagrams_pass_both_ways(relay: Relay) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as guest,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        guest.bind((PRIVATE, port))
        guest.settimeout(0.2)
        client.settimeout(30)
        relay.permit([PortRange("udp", port, port)])
        for _ in range(150):  # the relay may not have bound the port yet
            client.sendto(b"ping", (PUBLIC, port))
            try:
                data, sender = guest.recvfrom(100)
                break
            except TimeoutError:
                continue
        guest.sendto(data + b" pong", sender)
        assert client.recv(100) == b"ping pong"


def test_an_address_is_taken_over_from_another_guest(relay: Relay) -> None:
    """An elastic address moves, and the guest that had it may be told later."""
    port = free_port()
    echo = Echo(port)
    echo.start()
    refused = threading.Event()

    class Watched(HostSockets):
        def open(self, kind: str, host: str, port: int) -> socket.socket:
            try:
                return relay.host.open(kind, host, port)
            except OSError:
                refused.set()
                raise

    before = Relay(relay.host, PUBLIC, PRIVATE, answers)
    before.permit([PortRange("tcp", port, port)])
    connect(port).close()
    after = Relay(Watched(socket.socket()), PUBLIC, PRIVATE, answers)
    after.permit([PortRange("tcp", port, port)])
    assert refused.wait(30)
    before.close()
    with connect(port) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
    after.close()
    echo.listener.close()


def test_a_port_that_the_host_refuses_spoils_no_other(relay: Relay) -> None:
    taken, port = free_port(), free_port()
    echoes = [Echo(taken), Echo(port)]
    for echo in echoes:
        echo.start()
    with socket.create_server((PUBLIC, taken)):
        relay.permit([PortRange("tcp", taken, taken), PortRange("tcp", port, port)])
        with connect(port) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
    for echo in echoes:
        echo.listener.close()


@pytest.mark.extended
@given(
    st.lists(st.builds(PortRange, st.sampled_from(["tcp", "udp"]), *[st.integers(0, 65535)] * 2))
)
def test_wide_ranges_are_cut(ranges: list[PortRange]) -> None:
    ports = wanted_ports(ranges)
    assert len(ports) <= MAX_PORTS
    for kind, port in ports:
        assert port > 0
        assert any(r.protocol == kind and r.first <= port <= r.last for r in ranges)


def test_single_ports_are_all_relayed() -> None:
    ranges = [PortRange("tcp", 80, 80), PortRange("udp", 53, 53), PortRange("tcp", 5201, 5203)]
    assert wanted_ports(ranges) == {
        ("tcp", 80),
        ("udp", 53),
        ("tcp", 5201),
        ("tcp", 5202),
        ("tcp", 5203),
    }
