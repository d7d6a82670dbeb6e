"""What vfio-user clients are answered, for requests right and wrong, as transcripts."""

from __future__ import annotations

import itertools
import mmap
import os
import select
import struct
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from nitro.ena.vfio import messages as m
from nitro.ena.vfio.messages import ProtocolError
from nitro.ena.vfio.pci import ConfigSpace
from nitro.ena.vfio.transport import Disconnected
from tests.transcripts import compare
from tests.unit.ena.vfio.client import Client

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
PAGE = mmap.PAGESIZE


class Talk:
    """A client whose requests and answers are noted, with what is mapped and open after each."""

    def __init__(self, profile: str = "c5", lines: list[str] | None = None, **more: bool) -> None:
        self.client = Client(profile, **more)
        self.lines: list[str] = [] if lines is None else lines
        self.written: list[tuple[int, int]] = []
        write = self.client.device.write

        def noted(offset: int, value: int) -> None:
            self.written.append((offset, value))
            write(offset, value)

        self.client.device.write = noted  # type: ignore[method-assign]
        self._open = self._descriptors()
        self._state = ""

    def _descriptors(self) -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def ask(
        self,
        what: str,
        command: int,
        payload: bytes = b"",
        *,
        fds: Sequence[int] = (),
        flags: int = 0,
    ) -> bytes:
        client = self.client
        client.post(command, payload, fds=fds, flags=flags)
        try:
            client.turn()
        except (ProtocolError, Disconnected) as error:
            self.lines.append(f"{what}: {type(error).__name__} {error}")
            return b""
        said, found = "no answer", b""
        if client.has_answer():
            error_number, found, received = client.reply()
            said = f"error {error_number}" if error_number else f"{len(found)}: {found.hex()[:160]}"
            if received:
                said += f", {len(received)} descriptors"
            for descriptor in received:
                os.close(descriptor)
        device = client.device
        regions = [(f"{r.base:#x}", f"{r.size:#x}", r.writable) for r in device.memory._regions]
        eventfds = sorted(client.irqs._eventfds)
        state = f"mapped {regions}, eventfds {eventfds}, bus master {device._bus_master}"
        if state != self._state:
            said += f"; {state}"
        self._state = state
        now = self._descriptors()
        if now != self._open:
            said += f"; descriptors {now - self._open:+}"
        self._open = now
        if self.written:
            said += f"; wrote {[(hex(a), hex(b)) for a, b in self.written]}"
            self.written.clear()
        if device.rules.broken:
            said += f"; broken {dict(device.rules.broken)}"
            device.rules.broken.clear()
        self.lines.append(f"{what}: {said}")
        return found


@pytest.mark.parametrize("mapped", [False, True])
def test_requests(mapped: bool) -> None:
    talk = Talk(map_llq=mapped)
    lines = talk.lines
    sizes = {2: 32, 3: 24, 4: 16, 5: 32, 7: 16, 8: 20, 9: 16, 10: 16}
    for command in range(16):
        size = sizes.get(command, 0)
        for length in sorted({0, max(0, size - 1), size, size + 1}):
            for flags in (0, m.NO_REPLY):
                what = f"{command}, {length} bytes, flags {flags:#x}"
                talk.ask(what, command, bytes(length), flags=flags)
        descriptor = os.eventfd(0)
        talk.ask(f"{command} with a descriptor", command, bytes(size), fds=[descriptor])
        os.close(descriptor)
        lines[-1] += " (one of them ours)"
        talk._open -= 1
    for payload in (
        *(b"", b"\0\0\0", b"\0\0\0\0", b"\1\0\0\0", b"\0\1\0\0", b"\0\0\1\0", b"\0\0\0\0{"),
        *(b"\0\0\0\0{}", b"\0\0\0\0{}\0rest", b"\0\0\0\0[1]\0", b"\0\0\0\0\xff\0"),
    ):
        talk.ask(f"version {payload!r}", 1, payload)
    for index in range(11):
        talk.ask(f"region {index}", 5, struct.pack("<IIIIQQ", 32, 0, index, 0, 0, 0))
    for index in range(7):
        talk.ask(f"irq {index}", 7, struct.pack("<IIII", 16, 0, index, 0))
    talk.client.close()
    compare(HERE / f"requests{'-mapped' * mapped}.txt", "\n".join(lines) + "\n")


def test_profiles() -> None:
    lines: list[str] = []
    for profile in ("c5", "gen8", "minimal"):
        talk = Talk(profile, lines)
        for index in (0, 1, 2, 7):
            talk.ask(f"{profile} {index}", 5, struct.pack("<IIIIQQ", 32, 0, index, 0, 0, 0))
        talk.ask(f"{profile} irqs", 7, struct.pack("<IIII", 16, 0, 2, 0))
        size = len(talk.client.device.bar2)
        for region in range(10):
            for offset in (0, 4, size - 4, size - 2, size, 0x3FFC, 0x4000, 0x1000):
                if offset >= 0:
                    body = struct.pack("<QII", offset, region, 4)
                    talk.ask(f"write {region} {offset:#x}", 10, body + b"\1\2\3\4")
                    talk.ask(f"read {region} {offset:#x}", 9, body)
        talk.client.close()
    for vectors, llq in ((2, True), (9, False), (129, True)):
        space = ConfigSpace(vectors, llq=llq)
        lines.append(f"{vectors} {llq}: {space.read(0, 0x90).hex()} {space.read(4090, 9).hex()}")
        for offset, data in ((4, b"\0\0"), (4, b"\xff"), (5, b"\1\2"), (3, b"abc"), (6, b"x")):
            space.write(offset, data)
            lines.append(f"    {offset} {data!r}: {space.read(0, 8).hex()} {space.bus_master}")
        space.reset()
        lines.append(f"    {space.read(0, 8).hex()} {space.bus_master}")
    compare(HERE / "regions.txt", "\n".join(lines) + "\n")


def test_guest_memory() -> None:
    talk = Talk()
    pages = os.memfd_create("guest")
    os.ftruncate(pages, 8 * PAGE)
    path = f"/proc/self/fd/{pages}"
    talk._open += 1

    def put(what: str, address: int, size: int, *, flags: int = 3, offset: int = 0, count: int = 1):
        body = struct.pack("<IIQQQ", 32, flags, offset, address, size)
        talk.ask(what, 2, body, fds=[pages] * count)

    def take(what: str, address: int, size: int, flags: int = 0) -> None:
        talk.ask(what, 3, struct.pack("<IIQQ", 24, flags, address, size))

    for flags in range(5):
        put(f"flags {flags}", 0x10000, PAGE, flags=flags)
        take("gone", 0x10000, PAGE)
    for count in (0, 1, 2):
        put(f"{count} descriptors", 0x10000, PAGE, count=count)
        take("gone", 0x10000, PAGE)
    for offset in (0, 1, PAGE, 7 * PAGE, 8 * PAGE, 1 << 63):
        put(f"offset {offset}", 0x10000, PAGE, offset=offset)
        take("gone", 0x10000, PAGE)
    for size in (0, 1, 2 * PAGE, 8 * PAGE, 8 * PAGE + 1, 1 << 62, (1 << 64) - 1):
        put(f"size {size}", 0x10000, size)
        take("gone", 0, 1 << 40)
    for address in ((1 << 64) - PAGE, (1 << 64) - PAGE + 1, (1 << 64) - 1):
        put(f"at {address:#x}", address, PAGE)
        take("all", 0, 0, 2)
    read_only = os.open(path, os.O_RDONLY)
    body = struct.pack("<IIQQQ", 32, 3, 0, 0x10000, PAGE)
    talk._open += 1
    talk.ask("a file that is not to be written", 2, body, fds=[read_only])
    talk.ask("read", 2, struct.pack("<IIQQQ", 32, 1, 0, 0x10000, PAGE), fds=[read_only])
    take("all", 0, 0, 2)
    put("first", 0x10000, 4 * PAGE)
    for address in (0x10000 - PAGE, 0x10000, 0x10000 + 3 * PAGE, 0x10000 + 4 * PAGE):
        put(f"overlapping at {address:#x}", address, PAGE)
        put(f"overlapping at {address:#x} by two", address - 1, 2)
    for address, size in (
        *((0x10000 - PAGE, PAGE), (0x10000 + PAGE, PAGE), (0x10000, 1), (0x14000, PAGE), (0, 0)),
        *((0x10000 + 4 * PAGE - 1, 1), (0xFFFF, 2)),
    ):
        take(f"{size:#x} at {address:#x}", address, size)
    for flags in (1, 2, 3, 4):
        put("again", 0x80000, PAGE)
        take(f"flags {flags}", 0x80000, 0, flags)
    os.close(read_only)
    os.close(pages)
    talk.client.close()
    compare(HERE / "guest-memory.txt", "\n".join(talk.lines) + "\n")


def test_interrupts() -> None:
    talk = Talk()
    eventfds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(3)]
    talk._open += 3
    all_flags = (0, 1, 2, 4, 32, 33, 34, 36, 32 | 1 << 3, 32 | 1 << 4, 63)
    for flags, index in itertools.product(all_flags, (0, 1, 2, 4, 5)):
        for start, count in ((0, 0), (0, 2), (7, 2), (8, 1), (8, 2), (9, 0), (9, 1)):
            if index != 2 and (start, count) != (0, 2):
                continue
            body = struct.pack("<IIIII", 20, flags, index, start, count) + b"\1\0"[:count]
            for fds in ([], eventfds[:2]):
                what = f"{flags} {index} {start}+{count}, {len(fds)} descriptors"
                talk.ask(what, 8, body, fds=fds)
                fired = []
                for each in eventfds:
                    try:
                        fired.append(os.eventfd_read(each))
                    except BlockingIOError:
                        fired.append(0)
                if any(fired):
                    talk.lines[-1] += f"; fired {fired}"
    talk.ask("none", 8, struct.pack("<IIIII", 20, 33, 2, 0, 0))
    for count, data in ((3, b"\1\1"), (2, b"\1\1"), (2, b"\0\2\1"), (3, b"\1\0\1")):
        talk.ask("set", 8, struct.pack("<IIIII", 20, 36, 2, 1, 3), fds=eventfds)
        body = struct.pack("<IIIII", 20, 34, 2, 1, count) + data
        talk.ask(f"marks {data!r} of {count}", 8, body)
        fired = [os.read(each, 8)[0] if _readable(each) else 0 for each in eventfds]
        talk.lines[-1] += f"; fired {fired}"
    for value in (1, 1 << 63, (1 << 64) - 2):
        os.eventfd_write(eventfds[0], value) if _empty(eventfds[0]) else None
        for number in (0, 1, 2, 3, 8, 9):
            talk.client.irqs.raise_vector(number)
        fired = [os.eventfd_read(each) if _readable(each) else 0 for each in eventfds]
        talk.lines.append(f"raised with {value}: {fired}")
    for each in eventfds:
        os.close(each)
    talk.client.close()
    compare(HERE / "eventfds.txt", "\n".join(talk.lines) + "\n")


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def _empty(descriptor: int) -> bool:
    if _readable(descriptor):
        os.eventfd_read(descriptor)
    return True


def test_registers() -> None:
    talk = Talk("gen8")
    size = len(talk.client.device.bar2)
    for region in (0, 1, 2, 3, 7, 8, 9):
        for count in (0, 1, 2, 3, 4, 8, 16):
            for offset in (0, 1, 2, 4, 0x58, 0x3FFC, 0x3FFD, 0x4000, size - 4, size - 8, size):
                body = struct.pack("<QII", offset, region, count)
                talk.ask(f"read {region} {offset:#x}+{count}", 9, body)
                data = bytes(range(0xF0, 0xF0 + count))
                if (region == 7 and offset < 8) or region != 7:
                    talk.ask(f"write {region} {offset:#x}+{count}", 10, body + data)
                    talk.ask(f"short {region} {offset:#x}+{count}", 10, body + data[1:])
    most = m.MAX_SIZE // 2
    talk.ask("more than is read at once", 9, struct.pack("<QII", 0, 1, most + 1))
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(talk.client.exactly(32 + most)))
    reader.start()
    talk.client.post(9, struct.pack("<QII", 0, 1, most))
    talk.client.turn()
    reader.join()
    talk.lines.append(f"as much as is read at once: {len(found[0])} {found[0][:32].hex()}")
    for command in (0, 4, 0xFF):
        body = struct.pack("<QII", 4, 7, 1) + bytes([command])
        talk.ask(f"command register {command}", 10, body)
        talk.ask("reset", 13)
    talk.client.close()
    text = "\n".join(line for line in talk.lines if not line.endswith(": error 22"))
    compare(HERE / "register-access.txt", text + "\n")
