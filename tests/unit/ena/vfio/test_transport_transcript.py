"""Streams of vfio-user messages, cut and damaged anywhere, as transcripts."""

from __future__ import annotations

import mmap
import os
import re
import socket
import struct
from pathlib import Path

import pytest

from nitro.ena.vfio import messages as m
from nitro.ena.vfio.messages import ProtocolError
from nitro.ena.vfio.transport import Disconnected
from tests.transcripts import compare
from tests.unit.ena.vfio.client import HEADER, Client
from tests.unit.ena.vfio.test_session_transcript import Talk

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
PAGE = mmap.PAGESIZE


def message(
    command: int = 4,
    payload: bytes = b"",
    *,
    ident: int = 1,
    size: int | None = None,
    flags: int = 0,
) -> bytes:
    length = 16 + len(payload) if size is None else size
    return HEADER.pack(ident, command, length, flags, 0) + payload


def receive(client: Client) -> str:
    try:
        client.transport.receive(client.session)
    except (ProtocolError, Disconnected) as error:
        return f"{type(error).__name__} {error}"
    answers = client.answers()
    return f"answered {len(answers)}: {answers.hex()[:120]}"


def test_streams() -> None:
    lines = []
    two = message() + message(7, struct.pack("<IIII", 16, 0, 2, 0), ident=2)
    for cut in range(1, len(two)):
        client = Client()
        said = []
        for part in (two[:cut], two[cut:]):
            client.socket.sendall(part)
            said.append(receive(client))
        lines.append(f"cut at {cut}: {said}")
        client.close()
    for what, data in (
        ("size 15", message(size=15)),
        ("size 16", message(size=16)),
        ("size 17", message(size=17)),
        ("the largest", message(size=m.MAX_SIZE)),
        ("too large", message(size=m.MAX_SIZE + 1)),
        *((f"flags {flags:#x}", message(flags=flags)) for flags in (1, 2, 8, 15, 16, 32, 48)),
        ("a good one and a bad one", message() + message(size=3)),
    ):
        client = Client()
        client.socket.sendall(data)
        lines.append(f"{what}: {receive(client)}")
        client.close()
    client = Client()
    client.socket.shutdown(socket.SHUT_WR)
    lines.append(f"the end: {receive(client)}")
    client.close()
    for count in (0, 1, 8, 16, 17, 40):
        for data in (message(), message() + message(ident=2), message()[:9], message() + b"\1"):
            client = Client()
            fds = [os.eventfd(0) for _ in range(count)]
            before = len(list(Path("/proc/self/fd").iterdir()))
            if count:
                socket.send_fds(client.socket, [data], fds)
            else:
                client.socket.sendall(data)
            answer = receive(client)
            after = len(list(Path("/proc/self/fd").iterdir()))
            lines.append(f"{count} descriptors, {len(data)} bytes: {answer}, {after - before:+}")
            client.socket.sendall(message(ident=3))
            lines.append(f"    and then {receive(client)}")
            for each in fds:
                os.close(each)
            client.close()
    compare(HERE / "streams.txt", "\n".join(lines) + "\n")


def posted4(offset: int, value: int, region: int = 0, count: int = 4) -> bytes:
    return message(10, struct.pack("<QIII", offset, region, count, value), flags=m.NO_REPLY)


def posted8(word: int, value: int, region: int = 2, count: int = 8) -> bytes:
    body = struct.pack("<QIIQ", word * 8, region, count, value)
    return message(10, body, flags=m.NO_REPLY)


def test_posted_writes() -> None:
    lines = []
    words = 8 * 1024 * 128 // 8
    entry = b"".join(posted8(16 + n, n + 1) for n in range(16))
    runs: dict[str, bytes] = {
        "registers": posted4(0x1000, 1) + posted4(0x1400, 2),
        "the last register": posted4(0x3FFC, 1) + posted4(0x4000, 2),
        "unaligned": posted4(2, 1) + posted4(1, 1),
        "of another size": posted4(4, 1, count=2),
        "of another region": posted4(0, 1, region=1) + posted4(4, 1, region=7),
        "one word": posted8(3, 1 << 63 | 5),
        "words": posted8(1, 1) + posted8(3, 2) + posted8(2, 3),
        "the last word": posted8(words - 1, 1) + posted8(words, 2),
        "an entry": entry,
        "two entries and a doorbell": entry + entry + posted4(0x1000, 1),
        "an entry at the end": b"".join(posted8(words - 16 + n, n) for n in range(16)),
        "an entry past the end": b"".join(posted8(words - 15 + n, n) for n in range(16)),
        "an entry of another region": b"".join(posted8(n, n, region=1) for n in range(16)),
        "an entry with a gap": entry[:-40] + posted8(40, 9),
        "an unaligned entry": b"".join(
            message(10, struct.pack("<QIIQ", 4 + 8 * n, 2, 8, n), flags=m.NO_REPLY)
            for n in range(16)
        ),
        "fifteen": entry[:-40],
        "seventeen": entry + posted8(90, 9),
        "half a message": posted8(1, 7) + posted8(2, 8)[:30],
        "half a register": posted4(0x1000, 1) + posted4(0x1000, 2)[:35],
        "with an answer": posted8(1, 1) + message(4) + posted8(2, 2),
    }
    for at in range(len(posted4(0x1000, 1))):
        changed = bytearray(posted4(0x1000, 1) + posted4(0x1004, 1))
        changed[at] ^= 0x10
        runs[f"a register, byte {at}"] = bytes(changed)
    for at in range(40):
        changed = bytearray(entry)
        changed[7 * 40 + at] ^= 0x08
        runs[f"an entry, byte {at} of the eighth"] = bytes(changed)
    for what, data in runs.items():
        for mapped in (False, True):
            talk = Talk(map_llq=mapped)
            client = talk.client
            client.socket.sendall(data)
            said = receive(client)
            client.session.carry_out_answered()
            stored = bytes(client.device.bar2)
            found = sorted({at.start() & ~7 for at in re.finditer(rb"[^\0]", stored)})
            kept = [(n // 8, stored[n : n + 8].rstrip(bytes(1)).hex()) for n in found[:20]]
            rest = len(client.transport._rest)
            line = f"{said}; wrote {talk.written}; LLQ {kept}; {rest} bytes left"
            if not mapped:
                lines.append(f"{what}: {line}")
                plain = line
            elif line != plain:
                lines.append(f"    mapped: {line}")
            client.close()
    compare(HERE / "posted.txt", "\n".join(lines) + "\n")
