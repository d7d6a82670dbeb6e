"""Writes, which come faster than messages can be handled one by one."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.constants import UNMASK, Reg
from nitro.ena.vfio import messages
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


@pytest.mark.extended
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


@pytest.mark.parametrize(
    ("size", "whole", "header"),
    [
        (4, messages.POSTED_4, messages.POSTED_4_HEADER),
        (8, messages.POSTED_8, messages.POSTED_8_HEADER),
    ],
)
def test_the_quick_way_knows_a_posted_write(size: int, whole: struct.Struct, header: bytes):
    """Each would be carried out without it, too, only slower than they come."""
    value = int.from_bytes(bytes(range(1, size + 1)), "little")
    payload = struct.pack("<QII", 0x30, BAR2, size) + value.to_bytes(size, "little")
    message = struct.pack("<HHIII", 7, 10, 16 + len(payload), 1 << 4, 0) + payload
    assert whole.unpack(message) == (header, 0x30, struct.pack("<II", BAR2, size), value)


def test_posted_writes_are_carried_out_in_a_heap_up_to_one_that_is_none():
    client = Client()
    try:
        posted = b"".join(
            struct.pack("<HHIII", 1, 10, 16 + len(payload), 1 << 4, 0) + payload
            for payload in (
                struct.pack("<QII", Reg.INTR_MASK, BAR0, 4) + b"\1\0\0\0",
                *words(0, 16),
                *words(256, 3),
            )
        )
        asking = struct.pack("<HHIII", 1, 9, 32, 0, 0) + struct.pack("<QII", 0, BAR0, 4)
        for data, done in (
            (posted, len(posted)),
            (posted + asking, len(posted)),
            (asking + posted, 0),
            (posted[:-1], len(posted) - 40),
        ):
            assert client.session.posted(memoryview(bytearray(data))) == done
    finally:
        client.close()
