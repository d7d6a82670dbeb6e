"""How cards take LLQ layouts, RSS and queues at every boundary, as transcripts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nitro.ena.constants import (
    DIRECTION_RX,
    DIRECTION_TX,
    PLACEMENT_DEVICE,
    PLACEMENT_HOST,
    Feature,
    Opcode,
    Reg,
)
from tests.transcripts import compare
from tests.unit.ena.driver import BASE
from tests.unit.ena.test_admin_transcript import END, WIDE, card, feature

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


def made(answer: bytes) -> int | None:
    return int.from_bytes(answer[:2], "little") if any(answer) else None


@pytest.mark.parametrize("profile", ["c5", "c6in", "gen8", "minimal"])
def test_llq_is_negotiated(profile: str) -> None:
    r = card(profile)

    def choose(**given: int) -> None:
        wanted = {"location": 1, "size": 1, "before": 2, "stride": 2, "flags": 0} | given
        payload = bytearray(36)
        places = {"location": 10, "size": 14, "before": 18, "stride": 22, "flags": 28}
        for name, value in wanted.items():
            struct.pack_into("<H", payload, places[name], value)
        r.ask(f"{given}", Opcode.SET_FEATURE, feature(Feature.LLQ) + bytes(payload))
        layout = r.driver.device.features.layout
        r.lines.append(f"    {layout}")
        if layout:
            more = (layout.header_offset, layout.header_room, layout.descriptors_per_entry)
            r.lines.append(f"    {more}")

    for size in (0, 1, 2, 3, 4, 5, 8):
        for before in (0, 1, 2, 3, 4, 8, 16):
            choose(size=size, before=before)
    for location in (0, 1, 2, 3):
        choose(location=location)
    for stride in (0, 1, 2, 3):
        choose(stride=stride, size=1)
    for flags in range(6):
        choose(flags=flags, size=4)
        choose(flags=flags, stride=1)
    compare(HERE / f"llq-features-{profile}.txt", r.text)


@pytest.mark.parametrize("profile", ["c6in", "gen8"])
def test_rss_is_set(profile: str) -> None:
    r = card(profile)
    d = r.driver
    queues = [d.rx_queue(4, vector=1 + n) for n in range(2)] if profile != "gen8" else []
    r.note(f"{len(queues)} queues")
    for function in (0, 1, 2, 3, 4, 6, 8):
        for length, words in ((0, 0), (47, 9), (48, 0), (48, 9), (48, 10), (48, 11)):
            d.poke(d.control, struct.pack("<I4x40s", words, bytes(range(40))))
            for initial in (0, 0xFFFFFFFF):
                payload = struct.pack("<III", 0, function, initial)
                body = feature(Feature.RSS_FUNCTION, length, d.control) + payload
                r.ask(f"{function} {length} {words} {initial}", Opcode.SET_FEATURE, body)
        r.ask("now", Opcode.GET_FEATURE, feature(Feature.RSS_FUNCTION, 48, d.control))
    for protocol in range(16):
        for fields in (0, 1, 2, 3, 4, 8, 0xC, 0x10, 0x20, 0x30, 0x3C, 0x40):
            chosen = [(fields if each == protocol else 0, 0) for each in range(16)]
            d.poke(d.control + 64, b"".join(struct.pack("<HH", *pair) for pair in chosen))
            for length in (127, 128) if fields == 0xC else (128,):
                body = feature(Feature.RSS_INPUT, length, d.control) + bytes(4)
                r.ask(f"{protocol} {fields:#x} {length}", Opcode.SET_FEATURE, body)
        r.ask("now", Opcode.GET_FEATURE, feature(Feature.RSS_INPUT, 128, d.control))

    def table(log_size: int, index: int, queue: int, length: int) -> None:
        payload = struct.pack("<HHHBxIHH", 0, 0, log_size, 0, index, queue, 0)
        body = feature(Feature.RSS_TABLE, length, d.control) + payload
        r.ask(f"{log_size} [{index}] = {queue}, {length}", Opcode.SET_FEATURE, body)
        r.lines.append(f"    {d.device._rss._rss.table}")

    everything = 0xFFFFFFFF
    d.poke(d.control, struct.pack("<256H", *(n for at in range(128) for n in (at % 3, 7))))
    for log_size in (0, 1, 2, 7, 8, 9):
        for length in (0, (4 << log_size) - 1, 4 << log_size):
            table(log_size, everything, 0, length)
            r.ask("now", Opcode.GET_FEATURE, feature(Feature.RSS_TABLE, 512, d.control + 1024))
    for index in (0, 1, 126, 127, 128, 129):
        for queue in (0, 1, 2, 0xFFFF):
            table(0, index, queue, 0)
    table(1, everything, 0, 8)
    for index in (0, 1, 2):
        table(0, index, 1, 0)
        for queue in (0, 1, 0xFFFF):
            d.write(Reg.RSS_IND_ENTRY_UPDATE, index | queue << 16)
            r.note(f"the register: [{index}] = {queue}, {d.device._rss._rss.table}")
    d.reset()
    d.start()
    for number, length in ((Feature.RSS_FUNCTION, 48), (Feature.RSS_INPUT, 128)):
        r.ask("after a reset", Opcode.GET_FEATURE, feature(number, length, d.control))
    d.write(Reg.RSS_IND_ENTRY_UPDATE, 1)
    r.note("the register without a table")
    compare(HERE / f"rss-{profile}.txt", r.text)


@pytest.mark.parametrize("profile", ["c5", "gen8", "minimal", "strict-firmware"])
def test_queues_are_made(profile: str) -> None:
    r = card(profile)
    d = r.driver
    wide, count = d.profile.llq_wide_depth, d.profile.queues

    def cq(
        words: int = 2, depth: int = 16, vector: int = 1, address: int = 0, flags: int = 32
    ) -> int | None:
        body = struct.pack("<BBHIQ", flags, words, depth, vector, address or d.control)
        what = f"CQ {words} words, {depth} deep, vector {vector:#x}, {flags}, at {address:#x}"
        return made(r.ask(what, Opcode.CREATE_CQ, body))

    def no_cq(index: int | None) -> None:
        if index is not None:
            r.ask(f"CQ {index}", Opcode.DESTROY_CQ, struct.pack("<H", index))

    def sq(
        direction: int, index: int, depth: int = 16, address: int = 0, **more: int
    ) -> int | None:
        given = {"placement": PLACEMENT_HOST, "flags": 1, "policy": 0, "high": 0} | more
        place = given["placement"] | given["policy"] << 4 | given["high"] << 7
        body = struct.pack("<BxBBHHQ", direction << 5, place, given["flags"], index, depth, address)
        what = f"SQ {direction} to {index}, {depth} deep, {more}, at {address:#x}"
        return made(r.ask(what, Opcode.CREATE_SQ, body))

    def no_sq(index: int | None, direction: int) -> None:
        if index is not None:
            r.ask(
                f"SQ {index} {direction}",
                Opcode.DESTROY_SQ,
                struct.pack("<HB", index, direction << 5),
            )

    for words in (0, 1, 2, 3, 4, 5, 8, 32 | 2, 64 | 4):
        no_cq(cq(words))
    for depth in (0, 1, 2, 3, 4, 1000, 1024, 2048, 8192, 16384, 32768):
        for words in (2, 4):
            no_cq(cq(words, depth, address=BASE))
    for vector in (0, 1, 2, count, count + 1, 0xFFFFFFFE, 0xFFFFFFFF):
        for flags in (0, 31, 32, 33):
            no_cq(cq(vector=vector, flags=flags))
    for words in (2, 4):
        for more in (1, 4, 8, 16):
            no_cq(cq(words, address=d.control + more))
        size = words * 4 * 16
        for address in (END - size, END - size + words * 4, WIDE - 16, WIDE, BASE - 16):
            no_cq(cq(words, address=address))
    no_cq(0)
    for fault in ("create-fails", "depth-smaller"):
        for depth in (2, 4):
            d.device.faults.once(fault)
            no_cq(cq(depth=depth))
    taken = [cq(2 if number % 2 else 4) for number in range(2 * count + 1)]
    no_cq(taken[1])
    cq()
    ring = d.alloc(4096 * 16)
    for direction in (0, 1, 2, 3, 4):
        no_sq(sq(direction, direction & 1, address=ring), direction)
    for direction, index in ((DIRECTION_TX, 1), (DIRECTION_RX, 0)):
        for flags in (0, 1, 2, 3):
            no_sq(sq(direction, index, address=ring, flags=flags), direction)
        for policy in range(5):
            no_sq(sq(direction, index, address=ring, policy=policy), direction)
        no_sq(sq(direction, index, address=ring, high=1), direction)
        for placement in (0, 1, 2, 3, 4):
            for address in (ring, 0):
                no_sq(sq(direction, index, address=address, placement=placement), direction)
        for depth in (0, 1, 2, 3, 4, 1024, 2048, 16384, 32768):
            no_sq(sq(direction, index, depth, BASE), direction)
        for address in (ring + 1, ring + 8, ring + 16, END - 256, END - 240, WIDE - 16, WIDE):
            no_sq(sq(direction, index, address=address), direction)
        sq(direction, 2 * count, address=ring)
        sq(direction, 1 - index, address=ring)
        d.device.faults.once("depth-smaller")
        no_sq(sq(direction, index, address=ring), direction)
    pairs = [(1 + n % 2, sq(1 + n % 2, 1 - n % 2 + n // 2 * 2, address=ring)) for n in range(6)]
    sq(DIRECTION_TX, 1, address=ring)
    for number in (0, 1):
        no_cq(number)
    for direction, one in pairs:
        no_sq(one, 3 - direction)
        no_sq(one, direction)
        no_sq(one, direction)
    for size, entry in ((1, 128), (4, 256)):
        payload = bytearray(36)
        for at, value in ((10, 1), (14, size), (18, 2), (22, 2), (28, 0)):
            struct.pack_into("<H", payload, at, value)
        r.ask(f"LLQ {entry}", Opcode.SET_FEATURE, feature(Feature.LLQ) + bytes(payload))
        for depth in (2, 512, wide, 2 * wide, 1024, 2048):
            for address in (0, 64):
                placed = sq(DIRECTION_TX, 1, depth, address, placement=PLACEMENT_DEVICE)
                no_sq(placed, DIRECTION_TX)
        for number in range(min(count, 3)):
            placed = sq(DIRECTION_TX, 1 + 2 * number, 8, placement=PLACEMENT_DEVICE)
            found = d.device.queues.tx.get(placed or 0)
            r.lines.append(f"    {found and len(found._ring)}")
        for number in range(3):
            no_sq(number, DIRECTION_TX)
    d.reset()
    d.start(host_info=False)
    r.note("anew without host info")
    no_cq(cq())
    for version in (1, 2, 3):
        d.set_host_info(version=version)
        r.note(f"driver {version}")
        no_cq(cq())
    d.reset()
    d.start(aenq=False, host_info=False)
    no_cq(cq())
    compare(HERE / f"queues-{profile}.txt", r.text)
