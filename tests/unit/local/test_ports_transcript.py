"""Ports that are relayed, the SYN that asks for one, and the time that guests get."""

from __future__ import annotations

import errno
import random
import socket
import struct
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.local import ntp, relay, syn
from nitro.local.hypervisor import PortRange
from tests.stand_ins import refuse
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


def test_ports_that_are_relayed(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for ranges in (
        [],
        [("tcp", 80, 80)],
        [("tcp", 0, 1)],
        [("tcp", 0, 0)],
        [("tcp", -1, 2)],
        [("tcp", 10, 9)],
        [("udp", 1, 65535)],
        [("tcp", 1, 255)],
        [("tcp", 1, 256)],
        [("tcp", 0, 256)],
        [("tcp", 1, 257)],
        [("tcp", 65535, 65535), ("udp", 1, 300)],
        [("udp", 1, 300), ("tcp", 1, 2), ("tcp", 2, 3)],
        [("tcp", 1000, 1100), ("udp", 1, 200)],
    ):
        wanted = sorted(relay.wanted_ports(PortRange(*each) for each in ranges))
        told.note(f"{ranges}: {len(wanted)}, {wanted[:3]} … {wanted[-3:]}")
    compare(HERE / "relayed-ports.txt", told.text)


def test_opening_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    now, answers = [0.0], list[Any]()

    class Host:
        open = staticmethod(told.stand_in("open", lambda *_: answer()))

    def answer() -> Any:
        now[0] += 3.0
        found = answers.pop(0) if answers else OSError(errno.EADDRINUSE, "taken")
        if isinstance(found, OSError):
            raise found
        return found

    class Kept(relay._Port):
        kind = "tcp"

        def _run(self) -> None:
            """Opened by the test."""

    opened = SimpleNamespace(
        shutdown=told.stand_in("shutdown"), close=told.stand_in("close socket")
    )
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(relay.log, "warning", told.stand_in("warning"))
    taken, denied = OSError(errno.EADDRINUSE, "taken"), OSError(errno.EACCES, "denied")
    for what, script in (
        ("at once", [opened]),
        ("taken at first", [taken, taken, opened]),
        ("taken for too long", []),
        ("denied", [denied, opened]),
    ):
        owner: Any = SimpleNamespace(host=Host, public_ip="127.0.0.9", private_ip="10.0.0.4")
        port = Kept(owner, 80)
        monkeypatch.setattr(port.closed, "wait", told.stand_in("wait", lambda *_: False))
        answers[:] = script
        told.outcome(what, lambda port=port: port.open() is opened)
        told.outcome("close", port.close)
        told.note(f"    {port.closed.is_set()}")
        answers[:] = [opened]
        told.outcome("open again", lambda port=port: port.open() is opened)
    port = Kept(owner, 81)
    monkeypatch.setattr(port.closed, "wait", told.stand_in("wait", lambda *_: True))
    answers[:] = [taken, opened]
    told.outcome("closed while it waits", port.open)
    port.closed.set()
    answers[:] = [opened]
    told.outcome("closed while it is opened", port.open)
    opened.shutdown = told.stand_in("shutdown", refuse(errno.ENOTCONN))
    told.outcome("close what is not connected", port.close)
    monkeypatch.undo()
    compare(HERE / "opening-a-port.txt", told.text)


def test_a_syn_and_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    for sequence in (0, 1, 0xFFFFFFFF):
        for port in (1, 80, 65535):
            header = syn.syn("10.0.0.1", "10.0.0.255", 40000, port, sequence)
            told.note(f"{port} {sequence}: {header.hex()}")
    for data in (b"", b"\0\0", b"\xff\xff", b"\xff\xff\0\1", b"\xff" * 64, bytes(range(64))):
        told.note(f"{data.hex()}: {syn.checksum(data):#x}")

    def packet(flags: int, ports: tuple[int, int] = (80, 32769), words: int = 5) -> bytes:
        head = bytes([0x40 | words]).ljust(words * 4, b"\0")
        return head + struct.pack("!HHIIBBHHH", *ports, 1, 2, 0x50, flags, 1, 0, 0)

    now, packets = [0.0], list[Any]()

    class Socket:
        def __init__(self, *kind: int) -> None:
            told.note(f"    socket{tuple(map(int, kind))}")
            for name in ("connect", "send", "settimeout"):
                setattr(self, name, told.stand_in(name, partial(fail, name)))

        def __enter__(self) -> Socket:
            return self

        def __exit__(self, *_: object) -> None:
            told.note("    closed")

        def getsockname(self) -> tuple[str, int]:
            return ("10.0.0.1", 1234)

        def recv(self, size: int) -> bytes:
            told.note(f"    recv({size})")
            now[0] += 0.2
            found = packets.pop(0) if packets else TimeoutError("late")
            if isinstance(found, OSError):
                raise found
            return bytes(found)

    fails: list[str] = []

    def fail(name: str, *_: object) -> None:
        if name in fails:
            raise OSError(errno.ENETUNREACH, "no route")

    monkeypatch.setattr(socket, "socket", Socket)
    monkeypatch.setattr(random, "randrange", told.stand_in("randrange", lambda a, b: a + 1))
    monkeypatch.setattr(random, "getrandbits", told.stand_in("getrandbits", lambda n: 7))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    other = packet(0x12, (81, 32769))
    scripts = {
        "accepted": [packet(0x12)],
        "refused": [packet(0x14)],
        "reset": [packet(0x04)],
        "no SYN": [packet(0x10)],
        "no ACK": [packet(0x02)],
        "accepted and reset": [packet(0x16)],
        "with more flags": [packet(0x12 | 0xC9)],
        "others first": [other, packet(0x12, (80, 32768)), b"", packet(0x12)[:33], packet(0x12)],
        "too many others": [other] * 9,
        "options": [packet(0x12, words=6)],
        "short": [packet(0x12)[:34]],
        "shorter": [bytes([0x45]).ljust(19, b"\0")],
        "short options": [packet(0x12, words=15)[:40], packet(0x12, words=15)],
        "nothing": [],
    }
    for what, script in scripts.items():
        packets[:] = script
        told.outcome(what, syn.listens, "10.0.0.255", 80)
    packets[:] = [other] * 9
    told.outcome("in less time", syn.listens, "10.0.0.255", 80, 0.3)
    for name in ("connect", "send"):
        fails[:] = [name]
        told.outcome(f"{name} fails", syn.listens, "10.0.0.255", 80)
    monkeypatch.undo()
    compare(HERE / "syn.txt", told.text)


def test_the_time(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for moment in (0, 0.5, 1.999999999, 2_085_978_495.75, 2_085_978_496, 4e9):
        told.note(f"{moment}: {ntp.timestamp(moment).hex()}")
    for first in range(256):
        for size in (47, 48, 68):
            request = bytes([first, 9, 0x86, 7]).ljust(40, b"\1") + b"\2" * 28
            found = ntp.answer(request[:size], 5.25, 6.5)
            if found:
                told.note(f"{first:#x} {size}: {found.hex()}")
    sent: list[tuple[bytes, object]] = []
    clock = iter([5.25, 6.5, 7.25, 8.5])
    server: Any = SimpleNamespace(clock=lambda: next(clock))
    for request in (bytes([0x23]).ljust(48, b"\0"), b""):
        connection: Any = SimpleNamespace(sendto=lambda data, to: sent.append((data, to)))
        ntp._Handler((request, connection), ("10.0.0.4", 123), server)
    told.note(f"{[(data.hex(), to) for data, to in sent]}")
    compare(HERE / "ntp.txt", told.text)
