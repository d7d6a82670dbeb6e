"""Posted writes, which come faster than messages can be handled one by one."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.constants import Reg
from nitro.ena.vfio.messages import Message
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


@given(st.lists(RUNS, max_size=8), st.lists(st.integers(30, 900), min_size=2, max_size=6))
def test_posted_writes_in_heaps_and_pieces_do_what_each_alone_does(
    runs: list[list[bytes]], cuts: list[int]
):
    """However many of them a read brings, and wherever it ends."""
    payloads = [payload for run in runs for payload in run]
    heap, single = Client(), Client()
    try:
        stream = b"".join(
            struct.pack("<HHIII", number & 0xFFFF, 10, 16 + len(payload), 1 << 4, 0) + payload
            for number, payload in enumerate(payloads)
        )
        while stream:
            for cut in cuts:
                if piece := stream[:cut]:
                    heap.socket.send(piece)
                    heap.turn()
                stream = stream[cut:]
        for payload in payloads:
            single.session.handle(Message(1, 10, 1 << 4, memoryview(payload)))
        assert bytes(heap.device.bar2) == bytes(single.device.bar2)
        assert heap.device.rules.broken == single.device.rules.broken
        assert heap.device.vectors.management_masked == single.device.vectors.management_masked
    finally:
        heap.close()
        single.close()
