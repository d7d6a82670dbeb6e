"""Traffic as drivers cause it, and a little that they should not, on two cards: one of the model
alone, one with the C loop. After each step, all that a guest, a peer or a person can see is equal.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

import pytest

from nitro.ena.native.loop import Loop
from nitro.ena.offload import HEADER, PLAIN
from nitro.ena.profiles import PROFILES, Profile, with_all_offloads
from tests.lengths import length
from tests.unit.ena.driver import BASE, Driver, Ring, data_descriptor, ipv4_frame
from tests.unit.ena.frames import good4, good6
from tests.unit.ena.native.state import assert_same, with_loop

DATA = BASE + 0x100000  # where packets lie
BUFFERS = BASE + 0x200000

Step = Callable[["Guest"], None]


class Guest:
    """A driver with rings of its own, told what to do by the same steps as another one."""

    def __init__(self, profile: Profile, *, llq: int, queues: int, fill: int) -> None:
        self.driver = Driver(profile, strict=False)
        self.layout, self._queues, self._fill = llq, queues, fill
        self._place = self.driver._next
        self.begin(reset=False)

    def begin(self, *, reset: bool = True, late: bool = False) -> None:
        """Do what a driver does at its start."""
        driver, llq, queues, fill = self.driver, self.layout, self._queues, self._fill
        driver._next = self._place
        if reset:
            driver.memory.clear()
            driver.memory.map(BASE, memoryview(driver.ram))
            driver.device.notices.set_link(True)
            for name in list(driver.device.faults.active):
                driver.device.faults.set(name, False)
            driver.reset()
            driver.poke(self._place, bytes(0x20000))
        driver.device.faults.set("out-of-order", late)
        driver.start()
        if llq:
            negotiate_llq(driver, llq)
        self.tx = driver.tx_queue(32, llq=bool(llq))
        self.rx = [driver.rx_queue(32, fill=0, vector=1 + n) for n in range(queues)]
        for ring in self.rx:
            self.post(ring, [fill] * 12, 0)
        table = struct.pack("<HH", 0, 0) * 3 + struct.pack("<HH", queues - 1, 0)
        driver.poke(driver.control, table * 2)
        payload = struct.pack("<HHHBxIHH", 0, 0, 3, 0, 0xFFFFFFFF, 0, 0)
        driver.set_feature(12, payload, buffer=32)
        for vector in range(1, queues + 1):
            driver.unmask(vector)

    def post(self, ring: Ring, sizes: list[int], wrong: int) -> None:
        """Post receive buffers; the last one has bits of its control byte `wrong`."""
        driver = self.driver
        for number, size in enumerate(sizes):
            slot = ring.tail % ring.depth
            address = BUFFERS + (ring.sq * 0x20000) + slot * 0x1000
            phase = 1 ^ (ring.tail // ring.depth & 1)
            control = 0x1C | phase
            if number == len(sizes) - 1:
                control ^= wrong
            entry = struct.pack("<HBBHHQ", size, 0, control, slot, 0, address)
            driver.poke(ring.address + slot * 16, entry)
            ring.tail += 1
        driver.ring(ring)

    def put(self, descriptors: list[tuple[int, int, int, int]], header: bytes) -> None:
        """Put a packet's descriptors into the TX ring, or into LLQ entries, behind one another."""
        ring, driver = self.tx, self.driver
        if not self.layout:
            for words in descriptors:
                driver.descriptor(ring, words)
            return
        rest, room = descriptors, self.layout
        while rest:
            taken, rest = rest[:room], rest[room:]
            phase = 1 ^ (ring.tail // ring.depth & 1)
            entry = b"".join(struct.pack("<4I", w[0] | phase << 24, *w[1:]) for w in taken)
            at = (ring.llq or 0) + ring.tail % ring.depth * 128
            entry = entry.ljust(16 * self.layout, b"\0") + header if room == self.layout else entry
            driver.bar2[at : at + 128] = entry.ljust(128, b"\0")[:128]
            ring.tail += 1
            room = 8


def negotiate_llq(driver: Driver, before: int) -> None:
    payload = bytearray(36)
    for at, value in ((10, 1), (14, 1), (18, {1: 1, 2: 2, 4: 4, 8: 8}[before]), (22, 2), (28, 3)):
        struct.pack_into("<H", payload, at, value)
    assert driver.set_feature(4, bytes(payload)).status == 0


# What is sent and received: a few flows, so that they come again.


def frame(rng: Random) -> bytearray:
    """TCP or UDP, over IPv4 or IPv6, with sums as they should be."""
    size = rng.choice((0, 1, 6, 40, 100, 1400, 1401, 3000, rng.randrange(9000)))
    payload = bytes(rng.randrange(256) for _ in range(min(size, 50))).ljust(size, b"\7")
    return (good6 if rng.random() < 0.3 else good4)(rng.choice((6, 6, 17)), payload)


def l4_of(data: bytearray) -> int:
    return 54 if data[12:13] == b"\x86" else 34


def is_udp(data: bytearray) -> bool:
    at = 20 if data[12:13] == b"\x86" else 23
    return data[at : at + 1] == b"\x11"


def asked(rng: Random, data: bytearray) -> int:
    """The second word of a descriptor: mostly what fits the packet."""
    l3, l4 = (11 if l4_of(data) == 54 else 8), (13 if is_udp(data) else 12)
    if rng.random() < 0.1:
        l4 ^= 1
    if rng.random() < 0.03:
        l3, l4 = rng.choice((8, 11, 3)), rng.choice((12, 13, 0, 1))
    bits = rng.choice((0, 1 << 14, 1 << 14, 1 << 14 | 1 << 13, 1 << 13, 1 << 7 | 1 << 14, 1 << 7))
    if bits & 1 << 7 and rng.random() < 0.3:
        l4 = 0
    return l3 | l4 << 8 | bits | rng.randrange(2) << 17 if bits else 0


def descriptors_of(
    rng: Random, data: bytearray, at: int, header: int
) -> list[tuple[int, int, int, int]]:
    """Descriptors for a packet whose bytes behind the first `header` lie at `at`."""
    w1, size = asked(rng, data), len(data) - header
    cuts = sorted(rng.randrange(size + 1) for _ in range(rng.choice((0, 0, 0, 1, 2, 3, 18))))
    pieces = list(zip([0, *cuts], [*cuts, size], strict=True))
    found = []
    if has_meta := rng.random() < 0.8:
        l3_length = l4_of(data) - 14 if rng.random() < 0.95 else rng.choice((20, 24, 40, 60))
        l3_offset = 14 if rng.random() < 0.97 else rng.choice((18, 0, 255))
        l4_words, mss = rng.choice((5, 5, 5, 8, 2)), rng.choice((1448, 1448, 536, 7))
        w0 = 1 << 14 | (mss >> 10) << 16 | 1 << 20 | 1 << 21 | 1 << 23 | 1 << 26
        w2 = l3_length | l3_offset << 8 | l4_words << 16 | (mss & 0x3FF) << 22
        found.append((w0, 0, w2, 0))
    req_id, completes = rng.randrange(1 << 16), rng.random() < 0.9
    for number, (begin, end) in enumerate(pieces):
        words = data_descriptor(
            at + begin,
            end - begin,
            req_id,
            first=number == 0 and not has_meta,
            last=number == len(pieces) - 1,
            w1=0 if number else w1,
            header=0 if number else header,
        )
        found.append((words[0] if completes else words[0] & ~(1 << 28), *words[1:]))
    return found


def spoil(rng: Random, found: list[tuple[int, int, int, int]]) -> None:
    """Turn one bit, but not of the phase: that stops the queue."""
    which, bit = rng.randrange(len(found)), 1 << rng.randrange(32)
    words = list(found[which])
    if rng.random() < 0.5:
        words[rng.randrange(4)] ^= bit if bit != 1 << 24 else 1
    else:
        words[0] ^= 1 << rng.choice((22, 25, 29, 30, 31))
    found[which] = (words[0], words[1], words[2], words[3])


def sending(rng: Random) -> Step:
    """A packet: nearly always one that can be sent."""
    data, seed = frame(rng), rng.random()
    if rng.random() < 0.2:
        data[l4_of(data) + 13 if not is_udp(data) else 0] ^= 0x80  # CWR
    if rng.random() < 0.03:
        data = data[: rng.randrange(80)] or bytearray(1)
    inline, spoilt, rings = rng.choice((0, 30, 54, 74, 96)), rng.random() < 0.06, rng.random() < 0.7

    def step(guest: Guest) -> None:
        driver, ring = guest.driver, guest.tx
        queue = driver.device.queues.tx.get(ring.sq)
        if queue is None:
            return
        if ring.tail - queue.head & 0xFFFF > 20:
            driver.ring(ring)
            driver.run()
        at = DATA + ring.tail % ring.depth * 0x4000
        header = data[: min(inline, 128 - 16 * guest.layout)] if guest.layout else b""
        driver.poke(at, bytes(data[len(header) :]))
        found = descriptors_of(Random(seed), data, at, len(header))
        if spoilt:
            spoil(Random(seed), found)
        guest.put(found, bytes(header))
        if rings:
            driver.ring(ring)

    return step


def arriving(rng: Random) -> Step:
    """A frame from the port, with what a tap may say of it."""
    data = frame(rng)
    l4, header = l4_of(data), PLAIN
    if rng.random() < 0.2:
        data[l4 + 1] ^= rng.randrange(4)  # another flow, and a sum that is no longer right
    if rng.random() < 0.1:
        at = rng.choice((16, 18, 20, 23, 24, l4 + 6, l4 + 7, l4 + 12))
        data[at % len(data)] = rng.randrange(256)
    kind = rng.random()
    if kind < 0.05:
        data[12:12] = b"\x81\0\0\1"
    elif kind < 0.1 and is_udp(data):
        data[l4 + 6 : l4 + 8] = b"\0\0"
    elif kind < 0.12:
        data = bytearray(ipv4_frame(bytes(40), protocol=1))
    elif kind < 0.13:
        data = data[: rng.randrange(14, 70)]
    elif kind < 0.15:
        data += bytes(rng.randrange(1, 30))  # padding
    said = rng.random()
    if said < 0.3:
        header = HEADER.pack(1, 0, 0, 0, l4, 6 if is_udp(data) else 16)
    elif said < 0.4:
        header = HEADER.pack(rng.choice((1, 2, 4)), 0, 0, 0, rng.choice((l4, 0, 9000)), 16)
    elif said < 0.55 and not is_udp(data):
        header = HEADER.pack(1, 4 if l4 == 54 else 1, l4 + 20, rng.choice((536, 1448)), l4, 16)
    count = rng.choice((1, 1, 2, 6))

    def step(guest: Guest) -> None:
        for _ in range(count):
            guest.driver.port.deliver(bytes(data), header)

    return step


def posting(rng: Random) -> Step:
    """Receive buffers: up to a full ring."""
    sizes = [rng.choice((2048, 2048, 1501, 4095, 61, 0)) for _ in range(rng.randrange(1, 30))]
    if rng.random() < 0.5:
        sizes = [4096] * len(sizes)
    wrong = rng.choice((2, 4, 8, 0x40, 1)) if rng.random() < 0.02 else 0
    which = rng.randrange(8)

    def step(guest: Guest) -> None:
        ring = guest.rx[which % len(guest.rx)]
        queue = guest.driver.device.queues.rx.get(ring.sq)
        if queue is not None and (room := ring.depth - len(queue.buffers) - 1) > 0:
            guest.post(ring, sizes[:room], wrong)

    return step


def working(rng: Random) -> Step:
    return lambda guest: guest.driver.run()


def unmasking(rng: Random) -> Step:
    vector, delay = rng.randrange(1, 4), rng.choice((0, 0, 20))
    return lambda guest: guest.driver.unmask(vector, rx_delay=delay, tx_delay=delay // 2)


def waiting(rng: Random) -> Step:
    seconds = rng.choice((1e-5, 1e-3, 1.5))

    def step(guest: Guest) -> None:
        guest.driver.now += seconds
        guest.driver.run()

    return step


def refusing(rng: Random) -> Step:
    full = rng.random() < 0.4

    def step(guest: Guest) -> None:
        guest.driver.port.full = full

    return step


# What happens now and then.


def changing_the_link(rng: Random) -> Step:
    up = rng.random() < 0.7
    return lambda guest: guest.driver.device.notices.set_link(up)


def steering(rng: Random) -> Step:
    """A single entry of the indirection table, by its register or by a command."""
    index, queue, by_register = rng.randrange(10), rng.randrange(4), rng.random() < 0.5

    def step(guest: Guest) -> None:
        if by_register:
            guest.driver.write(0x68, index | queue << 16)
        else:
            payload = struct.pack("<HHHBxIHH", 0, 0, 3, 0, index, queue, 0)
            guest.driver.set_feature(12, payload)

    return step


def rehashing(rng: Random) -> Step:
    payload = struct.pack("<III", 0, 1 << rng.choice((1, 2)), rng.choice((0, 0xFFFFFFFF)))

    def step(guest: Guest) -> None:
        guest.driver.set_feature(10, payload)

    return step


def failing(rng: Random) -> Step:
    names = ("rx-many-buffers", "rx-out-of-order", "out-of-order", "out-of-order")
    name, on = rng.choice(names), rng.random() < 0.5
    return lambda guest: guest.driver.device.faults.set(name, on)


def unmapping(rng: Random) -> Step:
    """A page goes, and mostly comes back at once."""
    rings = BASE + 0x5000 + rng.randrange(8) * 0x1000
    places = (DATA, DATA + 0x8000, BUFFERS + 0x3000, BUFFERS + 0x21000, rings, rings)
    address, back = rng.choice(places), rng.choice((0, 0, 1, 2))

    def step(guest: Guest) -> None:
        guest.driver.memory.unmap(address, 0x1000)
        if back == 2:
            guest.driver.run()
        if back:
            at = address - BASE
            guest.driver.memory.map(address, memoryview(guest.driver.ram)[at : at + 0x1000])

    return step


def resetting(rng: Random) -> Step:
    """The driver begins anew, perhaps on a card that then gives completions out of order."""
    late = rng.random() < 0.5
    return lambda guest: guest.begin(late=late)


USUAL = (
    *(sending, sending, sending, arriving, arriving, posting),
    *(working, working, unmasking, waiting, refusing),
)
RARE = (changing_the_link, steering, rehashing, failing, unmapping, resetting)
CARDS: dict[str, Profile] = {
    **{name: PROFILES[name] for name in ("c5", "gen8", "c6in", "minimal")},
    "all": with_all_offloads(PROFILES["c5"]),
    "all-6": with_all_offloads(PROFILES["c6in"]),
}


def compare(loop: Loop, card: Profile, seed: int, count: int) -> None:
    rng = Random(seed)
    options = {
        "llq": rng.choice((0 if not card.llq_only else 2, 1, 2, 4)) if card.llq else 0,
        "queues": min(rng.randrange(1, 4), card.queues),
        "fill": rng.choice((2048, 256, 75, 4096)),
    }
    model = Guest(card, **options)
    with with_loop(loop):
        native = Guest(card, **options)
    assert_same(model.driver, native.driver)
    for _ in range(count):
        step = rng.choice(RARE if rng.random() < 0.03 else USUAL)(rng)
        step(model)
        step(native)
        assert_same(model.driver, native.driver)


@pytest.mark.extended(fast=1)
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(length(short=3, long=100)))
@pytest.mark.parametrize("card", CARDS)
def test_traffic_leaves_the_same_traces(loop: Loop, card: str, seed: int) -> None:
    compare(loop, CARDS[card], seed, 120)
