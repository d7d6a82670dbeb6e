"""A vfio-user client for tests: sends messages, right and wrong, over a socket pair."""

from __future__ import annotations

import array
import json
import mmap
import os
import select
import socket
import struct
from collections.abc import Sequence

from nitro.ena.device import Device, bar2_size
from nitro.ena.memory import Memory
from nitro.ena.profiles import PROFILES
from nitro.ena.vfio.irqs import Irqs
from nitro.ena.vfio.llq_memory import LlqMemory
from nitro.ena.vfio.session import Session
from nitro.ena.vfio.transport import Transport
from tests.unit.ena.cables import FakePort, SocketPort
from tests.unit.ena.driver import MAC, Defaults

HEADER = struct.Struct("<HHIII")


class Client:
    """One end of the socket; the card is behind the other."""

    def __init__(self, profile: str = "c5", *, map_llq: bool = False) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(5)
        card = PROFILES[profile]
        self.port = SocketPort() if Defaults.loop else FakePort()
        self.irqs = Irqs(card.queues + 1)
        self.llq = LlqMemory(bar2_size(card)) if map_llq else None
        self.device = Device(
            card,
            MAC,
            Memory(),
            self.port,
            self.irqs.raise_vector,
            lambda: 1.0,
            loop=Defaults.loop,
            bar2=self.llq.view if self.llq else None,
        )
        self.transport = Transport(theirs)
        self.session = Session(self.transport, self.device, self.irqs, self.llq)
        self._ident = 0

    def post(
        self, command: int, payload: bytes = b"", *, fds: Sequence[int] = (), flags: int = 0
    ) -> None:
        self._ident += 1
        data = HEADER.pack(self._ident, command, 16 + len(payload), flags, 0) + payload
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([data], rights)

    def turn(self) -> None:
        """The server handles what has arrived."""
        self.session.carry_out_answered()
        if _is_readable(self.transport.fileno()):
            self.transport.receive(self.session)
        self.device.run()

    def reply(self) -> tuple[int, bytes, list[int]]:
        """Errno (0: none), payload and descriptors of the next reply."""
        data, ancillary, _, _ = self.socket.recvmsg(1 << 20, 4096)
        ident, _, size, flags, error = HEADER.unpack_from(data)
        assert ident == self._ident
        assert size == len(data)
        assert flags & 0xF == 1
        fds = array.array("i")
        for _, _, rights in ancillary:
            fds.frombytes(rights)
        return (error if flags & 1 << 5 else 0), data[16:], list(fds)

    def has_answer(self) -> bool:
        """Whether a reply has arrived."""
        return _is_readable(self.socket.fileno())

    def answers(self) -> bytes:
        """All replies that have arrived, whole."""
        found = b""
        while _is_readable(self.socket.fileno()):
            found += self.socket.recv(1 << 20)
        return found

    def exactly(self, count: int) -> bytes:
        """So many bytes of replies; waits for them."""
        found = b""
        while len(found) < count:
            found += self.socket.recv(count - len(found))
        return found

    def call(
        self, command: int, payload: bytes = b"", *, fds: Sequence[int] = (), expect: int = 0
    ) -> bytes:
        """Send, let the server work, return the payload; the errno must be `expect`."""
        self.post(command, payload, fds=fds)
        self.turn()
        error, answer, received = self.reply()
        for descriptor in received:
            os.close(descriptor)
        assert error == expect
        return answer

    def version(self, major: int = 0, *, expect: int = 0, **capabilities: object) -> bytes:
        text = json.dumps({"capabilities": capabilities}).encode() + b"\0"
        return self.call(1, struct.pack("<HH", major, 1) + text, expect=expect)

    def write(self, region: int, offset: int, data: bytes, *, expect: int = 0) -> None:
        self.call(10, struct.pack("<QII", offset, region, len(data)) + data, expect=expect)

    def read(self, region: int, offset: int, count: int, *, expect: int = 0) -> bytes:
        answer = self.call(9, struct.pack("<QII", offset, region, count), expect=expect)
        return answer[16:]

    def map(self, address: int, size: int, *, flags: int = 3, expect: int = 0) -> mmap.mmap:
        descriptor = os.memfd_create("guest")
        os.ftruncate(descriptor, size)
        payload = struct.pack("<IIQQQ", 32, flags, 0, address, size)
        self.call(2, payload, fds=[descriptor], expect=expect)
        mapping = mmap.mmap(descriptor, size)
        os.close(descriptor)
        return mapping

    def close(self) -> None:
        self.socket.close()
        self.transport.close()
        self.port.close()
        if self.llq:
            self.llq.close()


def _is_readable(descriptor: int) -> bool:
    """Whatever its number: select() knows those below 1,024 only."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
