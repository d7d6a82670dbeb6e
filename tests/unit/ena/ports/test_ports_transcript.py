"""Ports as they are asked and as they ask the kernel, as transcripts."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from nitro.ena.offload import PLAIN, Offload
from nitro.ena.ports import open as opening
from nitro.ena.ports import scatter
from nitro.ena.ports.stream import StreamPort
from nitro.ena.ports.switch import Switch
from nitro.ena.ports.tap import TapPort, is_tap
from nitro.errors import InputError
from tests.stand_ins import refuse
from tests.transcripts import compare
from tests.unit.ena.driver import ipv4_frame
from tests.unit.ena.recorder import shown
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
SEGMENTS = Offload(1, 1, 54, 40, 34, 16).pack()


@pytest.fixture(autouse=True)
def loop() -> None:
    """The C loop has no part in this."""


class Socket:
    """A socket of which the test says what it takes and gives."""

    def __init__(self, told: Told, takes: list[Any], gives: list[Any]) -> None:
        self.told, self.takes, self.gives = told, takes, gives
        self.closed = False

    def setblocking(self, on: bool) -> None:
        self.told.note(f"    blocking {on}")

    def fileno(self) -> int:
        return -1 if self.closed else 9

    def sendmsg(self, pieces: list[Any]) -> int:
        whole = b"".join(pieces)
        self.told.note(f"    sendmsg {[len(piece) for piece in pieces]} {shown(whole)}")
        taken = self.takes.pop(0) if self.takes else len(whole)
        if isinstance(taken, OSError):
            raise taken
        return len(whole) if taken is None else int(taken)

    def recv(self, size: int) -> bytes:
        self.told.note(f"    recv {size}")
        given = self.gives.pop(0) if self.gives else BlockingIOError()
        if isinstance(given, OSError):
            raise given
        return bytes(given)

    def close(self) -> None:
        self.told.note("    closed")
        self.closed = True
        if self.takes == ["close fails"]:
            raise OSError(errno.EIO, "no")


def framed(*sizes: int) -> bytes:
    return b"".join(struct.pack(">I", n) + bytes(k % 251 for k in range(n)) for n in sizes)


def test_stream(tmp_path: Path) -> None:
    told = Told(tmp_path)

    def port(takes: list[Any], gives: list[Any]) -> StreamPort:
        made: Any = Socket(told, takes, gives)
        return StreamPort(made)

    frame = ipv4_frame(b"x" * 90)
    sends: dict[str, list[Any]] = {
        "all": [],
        "none": [BlockingIOError(), BlockingIOError(), None],
        "a part": [3, 5, None],
        "all but a byte": [len(frame) + 3, BlockingIOError()],
        "exactly": [len(frame) + 4],
        "an error": [OSError(errno.EPIPE, "gone")],
        "a part, then an error": [3, ConnectionResetError(), None],
        "zero": [0, 0],
    }
    for what, takes in sends.items():
        told.note(f"the socket takes {what}")
        made = port(list(takes), [])
        for number in range(3):
            told.note(f"    {made.send(PLAIN, [frame[:20], frame[20:]])} {number}")
        told.note(f"    {made.send(SEGMENTS, [frame[:20], frame[20:]])}")
    room = 1 << 17
    gifts: dict[str, list[Any]] = {
        "nothing": [],
        "one frame": [framed(20)],
        "two frames": [framed(20, 30)],
        "two frames and a half": [framed(20, 30) + framed(40)[:20], framed(40)[20:]],
        "a length in pieces": [framed(5)[:1], framed(5)[1:3], framed(5)[3:4], framed(5)[4:]],
        "a frame in pieces": [framed(50)[:10], framed(50)[10:53], framed(50)[53:]],
        "an empty frame": [framed(0), framed(3)],
        "an empty frame and another": [framed(0, 3)],
        "the longest": [framed(room)],
        "one too long": [framed(3) + struct.pack(">I", room + 1) + bytes(8), framed(4)],
        "the end": [b""],
        "a frame and the end": [framed(4), b"", framed(5)],
        "an error": [OSError(errno.ECONNRESET, "reset")],
        "half a frame and the end": [framed(9)[:7], b""],
    }
    for what, gives in gifts.items():
        told.note(f"the socket gives {what}")
        made = port([], list(gives))
        for _ in range(5):
            header, first, second = bytearray(b"\7" * 10), bytearray(8), bytearray(60)
            length = made.receive(header, [first, second])
            said = shown(bytes(first + second))
            told.note(f"    {length} {header.hex()} {said} {made.fileno()}")
    made = port(["close fails"], [])
    told.outcome("a close that fails", made.close)
    told.outcome("accept", made.accept, checksums=True, segments=True)
    compare(HERE / "stream.txt", told.text)


def test_switch(tmp_path: Path) -> None:
    told = Told(tmp_path)
    switch = Switch()
    ports = [switch.port() for _ in range(3)]

    def frame(to: int, source: int, more: bytes = b"") -> bytes:
        return bytes([to & 0xFF]) * 6 + bytes([source]) * 6 + b"\x12\x34data" + more

    def look(what: str) -> None:
        told.note(what)
        for number, port in enumerate(ports):
            while True:
                header, room = bytearray(b"\7" * 10), bytearray(100)
                try:
                    waiting = os.eventfd_read(port.fileno())
                    os.eventfd_write(port.fileno(), waiting)
                except BlockingIOError:
                    waiting = 0
                length = port.receive(header, [room[:20], room[20:]])
                if not length:
                    break
                told.note(f"    port {number}: {waiting} {length} {header.hex()}")

    for source, to in ((0, 0x20), (1, 0x10), (0, 0x11), (2, 0x10), (1, 0x30), (0, 0xFF), (0, 0x10)):
        ports[source].send(PLAIN, [frame(to, 0x10 + 0x10 * source)])
        look(f"from {source} to {to:#x}")
    ports[1].send(PLAIN, [frame(0x22, 0x22)])
    ports[1].send(PLAIN, [frame(0x22, 0x40)])
    look("to oneself")
    ports[0].send(SEGMENTS, [ipv4_frame(b"x" * 90)])
    look("segments")
    for _ in range(1026):
        ports[0].send(PLAIN, [frame(0x60, 0x10)])
    told.note(f"{[len(port._frames) for port in ports]}")
    look("a full queue")
    ports[2].close()
    ports.pop()
    ports[0].send(PLAIN, [frame(0x30, 0x10)])
    look("to one that has gone")
    ports[0].accept(checksums=True, segments=True)
    for sizes in ((), (0,), (3,), (3, 0, 3), (20,), (5, 5, 5)):
        parts: list[Any] = [bytearray(size) for size in sizes]
        told.note(f"scatter {sizes}: {scatter(b'0123456789', parts)} {parts}")
    for port in ports:
        port.close()
    lines = told.lines
    short = [line for n, line in enumerate(lines) if n < 3 or line != lines[n - 1]]
    compare(HERE / "switch.txt", "\n".join(short) + "\n")


def test_taps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    tap = 9999
    refused: list[int] = []
    answers: list[Any] = []

    def kernel(_: int, number: int, __: Any) -> None:
        if number in refused:
            raise OSError(errno.EBUSY, "busy")

    def answer(*_: Any) -> int:
        found = answers.pop(0)
        if isinstance(found, OSError):
            raise found
        return int(found)

    close = os.close
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "ioctl", told.stand_in("ioctl", kernel))
        patch.setattr(os, "open", told.stand_in("open", lambda *_: tap))
        noted = told.stand_in("close")
        patch.setattr(os, "close", lambda fd: noted(fd) if fd == tap else close(fd))
        patch.setattr(os, "set_blocking", told.stand_in("set_blocking"))
        patch.setattr(os, "writev", told.stand_in("writev", answer))
        patch.setattr(os, "readv", told.stand_in("readv", answer))
        for request in (0, 0x400454CA, 0x400454D8, 0x400454D0):
            refused[:] = [request]
            told.outcome(f"open, {request:#x} refused", TapPort.open, "tap0")
        refused.clear()
        port = TapPort.open("tap1")
        told.note(f"{port.fileno()} {port.is_descriptor}")
        for checksums in (False, True):
            for segments in (False, True, True):
                what = f"accept {checksums} {segments}"
                told.outcome(what, port.accept, checksums=checksums, segments=segments)
        errors: tuple[Any, ...] = (
            *(100, BlockingIOError(), OSError(errno.EIO, "down"), OSError(errno.EINVAL, "no")),
            *(OSError(errno.EBADFD, "gone"), OSError(errno.EBADF, "x"), OSError(errno.ENODEV, "x")),
        )
        for error in errors:
            for name in ("send", "receive"):
                port = TapPort(tap)
                answers[:] = [error, 30]
                header: Any = bytes(10) if name == "send" else bytearray(10)
                told.outcome(f"{name}, {error!r}", getattr(port, name), header, [b"ab", b"c"])
                told.note(f"    {port.fileno()}")
                told.outcome("accept", port.accept, checksums=True, segments=True)
                told.outcome("close", port.close)
        for number in (errno.ENOENT, errno.EACCES):
            patch.setattr(os, "open", refuse(number))
            told.outcome("no device", TapPort.open, "tap0")
        targets = {9: Path("/dev/net/tun"), 8: Path("/dev/tun"), 7: Path("/x/dev/net/tun")}

        def linked(path: Path) -> Path:
            told.note(f"    readlink {path}")
            found = targets.get(int(path.name))
            if found is None:
                raise FileNotFoundError(path)
            return found

        patch.setattr(Path, "readlink", linked)
        for number in (9, 8, 7, 6):
            told.outcome(f"descriptor {number}", is_tap, number)
        for text in (
            *("tap:", "tap", "tap:x", "unix:", "unix", "fd:", "fd:x", "fd:-1", "other:x"),
            *("", ":", "unix:/nowhere/at/all"),
        ):
            told.outcome(f"port {text!r}", opening.open_port, text)
    with (tmp_path / "file").open("w") as file, pytest.raises(InputError) as raised:
        opening.open_port(f"fd:{file.fileno()}")
    told.note(re.sub(r"\d+", "N", raised.value.what))
    ours, theirs = socket.socketpair()
    inherited = opening.open_port(f"fd:{theirs.detach()}")
    told.note(f"{type(inherited).__name__}")
    inherited.close()
    ours.close()
    compare(HERE / "taps.txt", told.text)
