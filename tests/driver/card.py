"""The C driver and the Python card in one process: the driver's registers are the card's."""

from __future__ import annotations

import ctypes as c
import mmap
from collections import deque
from collections.abc import Callable
from pathlib import Path

from nitro.ena.device import Device
from nitro.ena.memory import Memory
from nitro.ena.offload import Buffer
from nitro.ena.ports import scatter
from nitro.ena.profiles import Profile

MAC = bytes.fromhex("02aabbccddee")
ARENA = 64 << 20
ADDRESS = 0x1_0000_0000
CSUM4, CSUM6, TSO4, TSO6, RX_CSUM4 = 1 << 1, 1 << 3, 1 << 5, 1 << 6, 1 << 9

_CARD = [
    ("read", c.CFUNCTYPE(c.c_uint32, c.c_void_p, c.c_uint32)),
    ("write", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_uint32)),
    ("write_llq", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_void_p, c.c_uint32)),
    ("run", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32)),
    ("bus_master", c.CFUNCTYPE(None, c.c_void_p, c.c_bool)),
    ("link", c.CFUNCTYPE(None, c.c_void_p, c.c_bool)),
    ("want_reset", c.CFUNCTYPE(None, c.c_void_p)),
    ("want_poll", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32)),
    ("log", c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p)),
]


class CardCalls(c.Structure):
    _fields_ = [("context", c.c_void_p), *_CARD]


def _words(*names: str) -> list[tuple[str, type]]:
    return [(name, c.c_uint32) for name in names]


class Options(c.Structure):
    _fields_ = _words("vectors", "llq_bytes", "llq_entry", "no_llq", "plain_reads")


class Packet(c.Structure):
    _fields_ = _words(
        "length", "segment_bytes", "offloads", "udp", "mss", "l3_offset", "l3_bytes", "l4_bytes"
    )


class Received(c.Structure):
    _fields_ = _words("length", "fragments", "hash", "hash_is_l4", "checksum_good")


class Cable:
    """A port whose far end is two lists."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes]] = []
        self.arriving: deque[tuple[bytes, bytes]] = deque()

    def fileno(self) -> int:
        return -1

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        self.sent.append((bytes(header), b"".join(bytes(part) for part in parts)))
        return True

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        if not self.arriving:
            return 0
        head, frame = self.arriving.popleft()
        header[:] = head
        return scatter(frame, parts)

    def accept(self, *, checksums: bool, segments: bool) -> None:
        pass

    def close(self) -> None:
        pass


class Card:
    """A driver attached to a card of `profile`. Methods named after host.h do what it says."""

    def __init__(self, library: Path, profile: Profile) -> None:
        self.time = 1000.0
        self.links: list[bool] = []
        self.logs: list[str] = []
        self.reports: list[str] = []
        self.resets_wanted = 0
        self.polls_wanted: list[int] = []
        self.interrupts: list[int] = []
        self.silent = False  # the card swallows all interrupts
        self.cable = Cable()
        self._arena = mmap.mmap(-1, ARENA)
        memory = Memory()
        memory.map(ADDRESS, memoryview(self._arena))
        self.device = Device(
            profile,
            MAC,
            memory,
            self.cable,
            self._raise,
            lambda: self.time,
            strict=True,
            report=self.reports.append,
        )
        self.c = c.CDLL(str(library))
        self.c.host_new.restype = c.c_void_p
        self.c.host_delete.restype = c.c_size_t
        self.c.host_value.restype = c.c_uint64
        calls: dict[str, Callable[..., object]] = {
            "read": lambda _, offset: self.device.read(offset),
            "write": lambda _, offset, value: self.device.write(offset, value),
            "write_llq": self._write_llq,
            "run": self._run,
            "bus_master": lambda _, on: self.device.set_bus_master(on),
            "link": lambda _, up: self.links.append(up),
            "want_reset": self._want_reset,
            "want_poll": lambda _, pair: self.polls_wanted.append(pair),
            "log": lambda _, level, line: self.logs.append(line.decode()),
        }
        self._calls = CardCalls(None, *(kind(calls[name]) for name, kind in _CARD))
        where = c.addressof(c.c_char.from_buffer(self._arena))
        self._host = c.c_void_p(
            self.c.host_new(
                c.byref(self._calls), c.c_void_p(where), c.c_size_t(ARENA), c.c_uint64(ADDRESS)
            )
        )

    def __getattr__(self, name: str):
        function = getattr(self.c, f"host_{name}")

        def call(*arguments):
            return function(self._host, *arguments)

        return call

    # What the card does in the driver's process.

    def _write_llq(self, _, offset: int, source: int, size: int) -> None:
        self.device.bar2[offset : offset + size] = c.string_at(source, size)

    def _run(self, _, microseconds: int) -> None:
        self.time += microseconds * 1e-6
        self.step()

    def _want_reset(self, _) -> None:
        self.resets_wanted += 1

    def _raise(self, vector: int) -> None:
        if self.silent:
            return
        self.interrupts.append(vector)
        if vector == 0:
            self.interrupt()

    def step(self) -> None:
        """Let the card work."""
        self.device.run()
        self.device.receive()
        self.device.tick()

    # The driver.

    def attach(self, **options: int) -> int:
        known = {"vectors": len(self.device.vectors.io) + 1, "llq_bytes": len(self.device.bar2)}
        return int(self.c.host_attach(self._host, c.byref(Options(**(known | options)))))

    def up(self, pairs: int = 2, depth: int = 256, buffer: int = 4096) -> int:
        return int(self.c.host_up(self._host, pairs, depth, depth, buffer))

    def value(self, name: str) -> int:
        value = int(self.c.host_value(self._host, name.encode()))
        assert value != 2**64 - 1, f"no value {name}"
        return value

    def pass_seconds(self, seconds: int) -> None:
        """Time and the driver's watchdog, second by second."""
        for _ in range(seconds):
            self.advance(1_000_000)
            self.watchdog()

    def transmit(self, frame: bytes, pair: int = 0, segment: int = 65535, **fields: int) -> int:
        packet = Packet(length=len(frame), segment_bytes=segment, **fields)
        return int(self.c.host_send(self._host, pair, frame, c.byref(packet)))

    def flush(self, pair: int = 0) -> int:
        """Ring, let the card send, and take completions: how many."""
        self.ring(pair)
        self.step()
        return int(self.complete(pair))

    def deliver(self, frame: bytes, header: bytes = bytes(10)) -> None:
        """A frame comes in over the cable."""
        self.cable.arriving.append((header, frame))
        self.step()

    def receive(self, pair: int = 0) -> tuple[int, bytes, Received]:
        """What ena_rx_next says, and the packet."""
        frame = c.create_string_buffer(20000)
        received = Received()
        found = self.c.host_receive(self._host, pair, frame, len(frame), c.byref(received))
        return found, frame.raw[: received.length] if found > 0 else b"", received

    def receive_anywhere(self, pairs: int) -> tuple[int, bytes, Received]:
        """The first packet that any pair has: its pair, the packet."""
        for pair in range(pairs):
            found, frame, received = self.receive(pair)
            assert found >= 0, self.logs
            if found:
                return pair, frame, received
        raise AssertionError(f"no packet; {self.logs} {self.reports}")

    def close(self) -> None:
        """Detach; nothing may be left allocated and no rule broken."""
        self.detach()
        left = self.c.host_delete(self._host)
        self._host = c.c_void_p(None)
        assert left == 0, f"{left} bytes leaked"
