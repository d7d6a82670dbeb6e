"""A fuzzer for the card: bytes become register writes, admin commands, ring contents and frames.

A corpus grows by coverage: an input that runs a line (and its caller's line) that no earlier one
ran is kept, and inputs are bred from those kept. Tracing is slow, so after a while only each
twentieth case is traced. All of it follows from the seed. After each case: no exception left the
card, no byte changed around the guest's memory, in memory that was unmapped or after a reset, and
it took no longer than `TIMEOUT`.

    python -m tests.unit.ena.fuzz --cases 200000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from nitro.ena.constants import RX_DOORBELLS, TX_DOORBELLS, UNMASK, Reg
from nitro.ena.memory import Memory
from nitro.ena.profiles import Profile
from tests.unit.ena.driver import BASE, Driver, ipv4_frame

TIMEOUT = 2.0  # seconds of processor time
GUARD = bytes(range(256)) * 16
MEMORY = 1 << 18
_REGISTERS = [int(reg) for reg in Reg]
_OPCODES = (1, 2, 3, 4, 8, 9, 11, 0, 5, 255)
_FEATURES = (1, 2, 3, 4, 7, 10, 11, 12, 14, 18, 20, 26, 27, 28, 29, 0, 64)
_VALUES = (0, 1, 2, 15, 16, 17, 127, 128, 255, 256, 1023, 1024, 4095, 32767, 32768, 65535)


class Input:
    """Bytes, read from the front; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece.ljust(count, b"\0")

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Mostly a small or telling number, sometimes any."""
        kind = self.byte()
        if kind < 160:
            return _VALUES[kind % len(_VALUES)]
        return int.from_bytes(self.take(4), "little")

    def address(self) -> int:
        """Mostly in memory, sometimes across its edge, sometimes anywhere."""
        kind = self.byte()
        if kind < 200:
            return BASE + (int.from_bytes(self.take(2), "little") << 4) % MEMORY
        if kind < 230:
            return BASE + MEMORY - self.byte()
        return int.from_bytes(self.take(6), "little")


class Target:
    """One card, used for many cases; each starts at power-on with whatever memory holds."""

    def __init__(self, profile: str | Profile) -> None:
        self.driver = Driver(profile)
        self._surrounded = bytearray(GUARD + bytes(MEMORY) + GUARD)
        self.driver.ram = bytearray(0)
        self._taken: list[tuple[memoryview, bytes]] = []
        self._provide()
        self._operations: tuple[Callable[[Input], None], ...] = (
            self._register,
            self._doorbell,
            self._doorbell,
            self._scribble,
            self._command,
            self._command,
            self._negotiate_llq,
            self._queue,
            self._queue,
            self._descriptors,
            self._descriptors,
            self._descriptors,
            self._frame,
            self._frame,
            self._time,
            self._receive,
            self._take_away,
            self._take_away,
        )

    def case(self, data: bytes) -> None:
        """Run one case. Raises whatever the card raises, AssertionError for a stain."""
        list(self.steps(data))

    def steps(self, data: bytes) -> Iterator[None]:
        """The same, in steps."""
        started = time.thread_time()  # a busy machine is no hang
        driver = self.driver
        driver.device.power_on()
        driver.device.set_bus_master(True)
        if not self._complete:
            self._provide()
        driver.aq_tail = driver.acq_head = driver.aenq_head = 0
        driver._next = BASE + 0x1000
        for name in ("aq", "acq", "aenq", "control"):
            setattr(driver, name, driver.alloc(4096))
        driver.port.drain()
        driver.raised.clear()
        source = Input(data)
        start = source.byte()
        if start & 7:
            driver.set_rings()
            if start & 24:
                driver.poke(driver.control, struct.pack("<I168xI", 1, 2))
                driver.post(9, struct.pack("<12xBBBxQQI", 0, 28, 0, driver.control, 0, 0))
            driver.write(Reg.INTR_MASK, 0)
            driver.write(Reg.AENQ_HEAD_DB, 4)
        while source:
            self._operations[source.byte() % len(self._operations)](source)
            driver.run()
            yield
        self._reset_under_traffic()
        for memory, before in self._taken:
            assert bytes(memory) == before, "the card wrote to memory that was taken away"
        self._taken.clear()
        edge = len(GUARD)
        intact = self._surrounded[:edge] == GUARD and self._surrounded[-edge:] == GUARD
        assert intact, "the card wrote around the guest's memory"
        assert time.thread_time() - started < TIMEOUT, "the card hung"

    def _provide(self) -> None:
        """Map all of the guest's memory."""
        inner = memoryview(self._surrounded)[len(GUARD) : -len(GUARD)]
        memory: Memory = self.driver.memory
        memory.clear()
        memory.map(BASE, inner)
        self.driver.ram = inner  # type: ignore[assignment]
        self._complete = True

    def _reset_under_traffic(self) -> None:
        """After a reset nothing is the card's: not a byte may change, whatever still arrives."""
        device = self.driver.device
        device.power_on()
        before = bytes(self.driver.ram)
        for offset in (TX_DOORBELLS, RX_DOORBELLS, UNMASK):
            device.write(offset, 1)
        self.driver.port.deliver(ipv4_frame())
        self.driver.now += 1
        self.driver.run()
        device.receive()
        assert bytes(self.driver.ram) == before, "the card wrote after a reset"

    def _register(self, source: Input) -> None:
        choice = source.byte()
        offset = _REGISTERS[choice % len(_REGISTERS)] if choice < 250 else source.number() & 0x3FFC
        self.driver.write(offset, source.number())
        self.driver.device.read(offset)

    def _doorbell(self, source: Input) -> None:
        base = (TX_DOORBELLS, RX_DOORBELLS, UNMASK)[source.byte() % 3]
        self.driver.write(base + 4 * (source.byte() % 10), source.number())

    def _scribble(self, source: Input) -> None:
        at = source.address() - BASE
        data = source.take(source.byte())
        if 0 <= at <= MEMORY - len(data):
            self.driver.ram[at : at + len(data)] = data

    def _command(self, source: Input) -> None:
        """An admin command with some fields that make sense."""
        opcode = _OPCODES[source.byte() % len(_OPCODES)]
        body = bytearray(60)
        struct.pack_into("<IQ", body, 0, source.number(), source.address())
        body[12:16] = bytes((0, _FEATURES[source.byte() % len(_FEATURES)], 1, 0))
        if opcode == 9:
            body[16:44] = source.take(28)
        elif opcode == 3:
            depth, vector = source.number() & 0xFFFF, source.byte() % 10
            struct.pack_into("<BBHIQ", body, 0, 32, (2, 4)[source.byte() & 1], depth, vector, BASE)
            struct.pack_into("<Q", body, 8, source.address())
        elif opcode == 1:
            place = (1, 3)[source.byte() & 1]
            direction = 1 + (source.byte() & 1)
            cq, depth = source.byte() % 8, source.number() & 0xFFFF
            address = source.address() if place == 1 else 0
            struct.pack_into("<BxBBHHQ", body, 0, direction << 5, place, 1, cq, depth, address)
        for _ in range(source.byte() % 3):
            body[source.byte() % 60] = source.byte()
        if self.driver.device.admin.ready:
            self.driver.post(opcode, bytes(body), flags=source.byte() & 6)

    def _negotiate_llq(self, source: Input) -> None:
        """LLQ with 128-byte entries, mostly as cards offer it."""
        payload = bytearray(36)
        before = (1, 2, 4, 8, 3)[source.byte() % 5]
        for at, value in ((10, 1), (14, 1), (18, before), (22, 1 + source.byte() % 2), (28, 3)):
            struct.pack_into("<H", payload, at, value)
        if self.driver.device.admin.ready:
            self.driver.post(9, struct.pack("<12xBBBx", 0, 4, 0) + payload)

    def _queue(self, source: Input) -> None:
        """A queue pair's half, made as it should be."""
        direction, depth = 1 + (source.byte() & 1), 1 << 2 + source.byte() % 5
        words = 2 if direction == 1 else 4
        if not self.driver.device.admin.ready:
            return
        ring, cq_ring = 0x8000 * (1 + source.byte() % 7), 0x8000 * (1 + source.byte() % 7) + 0x4000
        cq = struct.pack("<BBHIQ", 32, words, depth, 1 + source.byte() % 4, BASE + cq_ring)
        self.driver.post(3, cq)
        self.driver.run()
        queues = self.driver.device.queues.completion
        index = max(queues, default=0)
        place = 1 if source.byte() & 3 else 3
        address = BASE + ring if place == 1 else 0
        sq = struct.pack("<BxBBHHQ", direction << 5, place, 1, index, depth, address)
        self.driver.post(1, sq)

    def _descriptors(self, source: Input) -> None:
        """Descriptors for a queue that is there, a few bits wrong, and its doorbell."""
        device = self.driver.device
        choice, count = source.byte(), 1 + source.byte() % 6
        if choice & 1 and device.queues.rx:
            rx = list(device.queues.rx.values())[choice // 2 % len(device.queues.rx)]
            for n in range(count):
                tail = rx.tail + n
                control = 0x1C | 1 ^ (tail // rx.depth & 1) ^ (source.byte() == 255)
                length, address = source.number() & 0xFFFF, source.address()
                entry = struct.pack("<HBBHHQ", length, 0, control, tail % rx.depth, 0, address)
                self._store(rx.address + tail % rx.depth * 16, entry)
            self.driver.write(RX_DOORBELLS + 4 * rx.index, rx.tail + count & 0xFFFF)
        elif device.queues.tx:
            tx = list(device.queues.tx.values())[choice // 2 % len(device.queues.tx)]
            for n in range(count):
                tail = tx.tail + n
                w0 = source.number() & 0xFFFF | (1 ^ (tail // tx.depth & 1)) << 24 | 1 << 28
                w0 |= (n == 0) << 26 | (n == count - 1) << 27
                w1, w2 = int.from_bytes(source.take(4), "little"), source.address()
                w3 = w2 >> 32 & 0xFFFF | source.byte() << 24
                if n == 0 and count > 1 and source.byte() & 1:
                    w0 = w0 & ~0xFFFF | 1 << 14 | 1 << 23 | (source.byte() & 15) << 16
                    w2 = int.from_bytes(source.take(4), "little")
                entry = struct.pack("<4I", w0, w1, w2 & 0xFFFFFFFF, w3)
                slot = tail % tx.depth
                if tx.address:
                    self._store(tx.address + slot * 16, entry)
                else:
                    self.driver.bar2[slot * 128 : slot * 128 + 16] = entry
            self.driver.write(TX_DOORBELLS + 4 * tx.index, tx.tail + count & 0xFFFF)

    def _store(self, address: int, data: bytes) -> None:
        at = address - BASE
        if 0 <= at <= MEMORY - len(data):
            self.driver.ram[at : at + len(data)] = data

    def _frame(self, source: Input) -> None:
        kind, size = source.byte(), min(source.number(), 65000)
        if kind & 1:
            frame = ipv4_frame(bytes(size), protocol=6 if kind & 2 else 17)
        else:
            frame = source.take(min(size, 200) + 14)
        header = source.take(10) if kind & 4 else struct.pack("<BBHHHH", 1, 1, 54, 1448, 34, 16)
        self.driver.port.deliver(frame[:65549], header if kind & 8 else bytes(10))

    def _receive(self, source: Input) -> None:
        """A queue as it should be, which receives."""
        self._queue(Input(bytes((1, 2))))
        self.driver.run()
        for queue in self.driver.device.queues.rx.values():
            for n in range(queue.tail, queue.tail + 4):
                address = BASE + (source.byte() << 10) % MEMORY
                control = 0x1C | 1 ^ (n // queue.depth & 1)
                entry = struct.pack("<HBBHHQ", 1024, 0, control, n % queue.depth, 0, address)
                self._store(queue.address + n % queue.depth * 16, entry)
            self.driver.write(RX_DOORBELLS + 4 * queue.index, queue.tail + 4 & 0xFFFF)
        self.driver.port.deliver(ipv4_frame(bytes(source.byte())))

    def _time(self, source: Input) -> None:
        self.driver.now += source.byte() / 50
        self.driver.device.notices.set_link(bool(source.byte()))

    def _take_away(self, source: Input) -> None:
        """The client takes memory away, all or a quarter, or gives back what is missing.

        In between the card does without. The guest goes on in a copy, so whoever writes to the
        original is the card.
        """
        choice = source.byte()
        if not self._complete:
            self._provide()
        elif choice < 128:
            inner = memoryview(self._surrounded)[len(GUARD) : -len(GUARD)]
            self._taken.append((inner, bytes(inner)))
            self._surrounded = bytearray(self._surrounded)
            self._provide()
            start = (choice & 3) * MEMORY // 4
            self.driver.memory.unmap(BASE + start, MEMORY // 4 if choice & 4 else MEMORY)
            self._complete = False


class Fuzzer:
    """Breeds inputs. `explore` traces every case, `run` some."""

    def __init__(self, seed: int, profiles: tuple[str, ...] = ("c5", "gen8")) -> None:
        self._random = random.Random(seed)
        self._targets = [*map(Target, profiles), Target(_hostile(seed))]
        self.corpus: list[bytes] = []
        self.lines: set[tuple[str, int, int]] = set()

    def explore(self, cases: int) -> None:
        """Run cases with tracing; keep those that reach something new."""
        for _ in range(cases):
            data = self._breed()
            before = len(self.lines)
            tracer = sys.gettrace()  # a debugger's, or that of a coverage measurement
            sys.settrace(self._trace)
            try:
                self._run(data)
            finally:
                sys.settrace(tracer)
            if len(self.lines) > before:
                self.corpus.append(data)

    def run(self, cases: int) -> None:
        """Run cases, each twentieth of them as `explore` does."""
        for number in range(cases):
            if number % 20:
                self._run(self._breed())
            else:
                self.explore(1)

    def _run(self, data: bytes) -> None:
        try:
            self._random.choice(self._targets).case(data)
        except BaseException as error:
            raise AssertionError(f"input {data.hex()}") from error

    def _breed(self) -> bytes:
        rng = self._random
        if not self.corpus or rng.random() < 0.1:
            return rng.randbytes(rng.randrange(4, 200))
        data = bytearray(rng.choice(self.corpus))
        if rng.random() < 0.3:
            other = rng.choice(self.corpus)
            data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(3):
                case 0:
                    data[at : at + 1] = rng.randbytes(1)
                case 1:
                    data[at:at] = rng.randbytes(rng.randrange(1, 12))
                case 2:
                    del data[at : at + rng.randrange(1, 12)]
        return bytes(data[:400])

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if "nitro/ena" not in name:
            return None
        caller = frame.f_back.f_lineno if frame.f_back else 0

        def line(inner: FrameType, what: str, value: Any) -> Any:
            if what == "line":
                self.lines.add((name, caller, inner.f_lineno))
            return line

        return line


def _hostile(seed: int) -> Profile:
    from nitro.ena import profiles

    return profiles.find(f"hostile:any@{seed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzzer = Fuzzer(options.seed)
    started = time.monotonic()
    fuzzer.explore(options.cases // 100)
    fuzzer.run(options.cases - options.cases // 100)
    print(f"corpus: {len(fuzzer.corpus)} inputs, {len(fuzzer.lines)} lines")
    print(f"{options.cases} cases in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
