"""Writes, which come faster than messages can be handled one by one."""

from __future__ import annotations

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.constants import UNMASK, Reg
from nitro.ena.vfio.messages import NO_REPLY, Message
from tests.unit.ena.vfio.client import Client

BAR0, BAR2 = 0, 2


def words(offset: int, count: int, size: int = 8) -> list[bytes]:
    """Posted writes of `count` words in a row to LLQ memory, each its own place as its value."""
    places = range(offset, offset + count * size, size)
    return [struct.pack("<QII", at, BAR2, size) + at.to_bytes(8, "big")[-size:] for at in places]


RUNS = st.one_of(
    st.builds(words, st.sampled_from((0, 128, 132, 640, (1 << 20) - 64)), st.integers(1, 40)),
    st.builds(words, st.sampled_from((256, 1024)), st.integers(1, 3), st.just(4)),
    st.just([struct.pack("<QII", Reg.INTR_MASK, BAR0, 4) + b"\1\0\0\0"]),
    st.just([struct.pack("<QII", Reg.INTR_MASK + 2, BAR0, 4) + b"\1\0\0\0"]),
)


FLAGS = st.lists(st.sampled_from((NO_REPLY, NO_REPLY, 0)), min_size=1, max_size=5)
CUTS = st.lists(st.integers(30, 900), min_size=2, max_size=6)


@given(st.lists(RUNS, max_size=8), FLAGS, CUTS)
def test_writes_in_heaps_and_pieces_do_what_each_alone_does(
    runs: list[list[bytes]], flags: list[int], cuts: list[int]
):
    """However many of them a read brings, wherever it ends, posted or awaited."""
    payloads = [payload for run in runs for payload in run]
    messages = list(zip(payloads, itertools.cycle(flags)))
    heap, single = Client(), Client()
    answers, expected = b"", b""
    try:
        stream = b"".join(
            struct.pack("<HHIII", number & 0xFFFF, 10, 16 + len(payload), flag, 0) + payload
            for number, (payload, flag) in enumerate(messages)
        )
        while stream:
            for cut in cuts:
                if piece := stream[:cut]:
                    heap.socket.send(piece)
                    heap.turn()
                    answers += heap.answers()
                stream = stream[cut:]
        for number, (payload, flag) in enumerate(messages):
            single.session.handle(Message(number & 0xFFFF, 10, flag, memoryview(payload)))
            expected += single.answers()
        assert answers == expected
        assert bytes(heap.device.bar2) == bytes(single.device.bar2)
        assert heap.device.rules.broken == single.device.rules.broken
        assert heap.device.vectors.management_masked == single.device.vectors.management_masked
    finally:
        heap.close()
        single.close()


def test_more_writes_to_registers_in_one_read_than_are_listed_at_a_time():
    client = Client()
    payload = struct.pack("<QII", UNMASK + 4, BAR0, 4) + bytes(4)
    try:
        client.socket.send((struct.pack("<HHIII", 1, 10, 36, NO_REPLY, 0) + payload) * 1501)
        while client.device.counters.unmasks < 1501:
            client.turn()
        assert client.device.counters.unmasks == 1501
    finally:
        client.close()
