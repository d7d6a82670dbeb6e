"""A guest's public address: ports of the host that lead into the namespace.

TCP is spliced by the kernel, two threads for a connection. A port refuses connections while
nothing in the guest listens on it, as an address of a machine should: before one is offered on
the host, a bare SYN asks the guest's kernel, which no program in the guest notices.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable

from nitro.local.broker import HostSockets
from nitro.local.hypervisor import PortRange
from nitro.local.syn import listens

log = logging.getLogger(__name__)

MAX_PORTS = 256  # of one guest: each is a socket on the host
MAX_CONNECTIONS = 512  # of one guest at a time
CONNECT_SECONDS = 5.0
POLL_SECONDS = (0.1, 2.0)  # between two looks at a port on which nothing listens: first, longest
TAKEN_SECONDS = 10.0  # for the guest that had the address before to give it up
_CHUNK = 1024 * 1024
_DATAGRAM = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset


class Relay:
    """All relayed ports of one guest. `answers` tells whether a TCP port of an address listens."""

    def __init__(
        self,
        host: HostSockets,
        public_ip: str,
        private_ip: str,
        answers: Callable[[str, int], bool] = listens,
    ) -> None:
        self.host, self.public_ip, self.private_ip = host, public_ip, private_ip
        self.answers = answers
        self.room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._ports: dict[tuple[str, int], _Port] = {}
        self._lock = threading.Lock()

    def permit(self, ranges: Iterable[PortRange]) -> None:
        """Relay these ports and no others. Ports that the host refuses are logged and left out."""
        wanted = wanted_ports(ranges)
        with self._lock:
            for key in self._ports.keys() - wanted:
                self._ports.pop(key).close()
            for kind, port in wanted - self._ports.keys():
                kind_of_port = _TcpPort if kind == "tcp" else _UdpPort
                self._ports[kind, port] = kind_of_port(self, port)

    def close(self) -> None:
        """Stop listening. Connections end with the guest."""
        self.permit(())


def wanted_ports(ranges: Iterable[PortRange]) -> set[tuple[str, int]]:
    """The ports of `ranges` as ("tcp", 80), the lowest MAX_PORTS of them."""
    return set(
        sorted(
            (r.protocol, port)
            for r in ranges
            # A wide range is cut here already: "all ports" would be 131,070 entries.
            for port in range(max(r.first, 1), min(r.last, r.first + MAX_PORTS) + 1)
        )[:MAX_PORTS]
    )


class _Port:
    """One relayed port, with a thread of its own."""

    kind = ""

    def __init__(self, relay: Relay, port: int) -> None:
        self.relay, self.port = relay, port
        self.socket: socket.socket | None = None
        self.closed = threading.Event()
        threading.Thread(target=self._run, name=f"relay-{port}", daemon=True).start()

    def open(self) -> socket.socket | None:
        deadline = time.monotonic() + TAKEN_SECONDS
        while not self.socket:
            try:
                self.socket = self.relay.host.open(self.kind, self.relay.public_ip, self.port)
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE and time.monotonic() < deadline
                if not taken or self.closed.wait(POLL_SECONDS[0]):
                    log.warning("%s", error)
                    break
        if self.closed.is_set():  # while the host opened it
            self.close()
            return None
        return self.socket

    def close(self) -> None:
        self.closed.set()
        if self.socket:
            # shutdown() wakes the thread that waits in accept() or recv(); close() would not.
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def _run(self) -> None:
        raise NotImplementedError


class _TcpPort(_Port):
    kind = "tcp"

    def _run(self) -> None:
        pause, longest = POLL_SECONDS
        while not self.relay.answers(self.relay.private_ip, self.port):
            if self.closed.wait(pause):
                return
            pause = min(pause * 1.1, longest)
        listener = self.open()
        while listener and not self.closed.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.relay.room.acquire()
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            with client:
                try:
                    guest = socket.create_connection(
                        (self.relay.private_ip, self.port), timeout=CONNECT_SECONDS
                    )
                except OSError:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return
                with guest:
                    guest.settimeout(None)
                    for end in (client, guest):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    back = threading.Thread(target=_splice, args=(guest, client), daemon=True)
                    back.start()
                    _splice(client, guest)
                    back.join()
        finally:
            self.relay.room.release()


class _UdpPort(_Port):
    kind = "udp"

    def _run(self) -> None:
        outside = self.open()
        clients: dict[tuple[str, int], socket.socket] = {}
        while outside and not self.closed.is_set():
            try:
                datagram, client = outside.recvfrom(_DATAGRAM)
            except OSError:
                break
            if client not in clients:
                if len(clients) >= MAX_CONNECTIONS:
                    clients.pop(next(iter(clients))).close()
                clients[client] = self._answers_to(outside, client)
            try:
                clients[client].send(datagram)
            except OSError:  # the guest said that nobody listens
                clients.pop(client).close()
        for guest in clients.values():
            guest.close()

    def _answers_to(self, outside: socket.socket, client: tuple[str, int]) -> socket.socket:
        guest = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        guest.connect((self.relay.private_ip, self.port))

        def pump() -> None:
            with contextlib.suppress(OSError):
                while not self.closed.is_set():
                    outside.sendto(guest.recv(_DATAGRAM), client)

        threading.Thread(target=pump, daemon=True).start()
        return guest


def _splice(source: socket.socket, target: socket.socket) -> None:
    """Move bytes until the source ends, then end the target's direction too."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _CHUNK)
    try:
        while moved := os.splice(source.fileno(), writer, _CHUNK):
            while moved:
                moved -= os.splice(reader, target.fileno(), moved)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One side was reset: so is the other.
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(reader)
        os.close(writer)
