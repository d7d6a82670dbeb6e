"""Completion queues: what the card writes for the driver to find.

An entry becomes valid with its phase bit, so entries are stored as whole 64-bit words and the
word with the phase goes last. (`struct.pack_into` zeroes its target first and stores byte by
byte: on every second pass of the ring a zeroed entry would look valid.)
"""

from __future__ import annotations

from nitro.ena.faults import Faults
from nitro.ena.memory import Memory
from nitro.ena.state import CompletionState
from nitro.ena.vectors import Vector

TX_WORDS = 2
RX_WORDS = 4

# Bits of an RX completion's status word, which says them of one buffer.
STATUS_FIRST = 1 << 26
STATUS_LAST = 1 << 27
STATUS_BUFFER = 1 << 30


class CompletionQueue:
    """`depth` entries of `words` 32-bit words at guest address `address`."""

    __slots__ = ("_ring", "address", "depth", "index", "state", "user", "vector", "words")

    def __init__(
        self,
        index: int,
        depth: int,
        words: int,
        address: int,
        vector: Vector | None,
        memory: Memory,
    ) -> None:
        self.index, self.depth, self.words, self.address = index, depth, words, address
        self.vector = vector
        self.state = CompletionState(address, depth, head=0, plain=True)
        self.user: object | None = None
        self.attach(memory)

    def attach(self, memory: Memory) -> None:
        """Look the ring up in guest memory. Raises DmaError."""
        self._ring = memory.view(self.address, self.depth * self.words * 4).cast("Q")

    def stop(self) -> None:
        """The ring's memory is gone: completions go nowhere until the next reset."""
        self._ring = memoryview(bytearray(self.depth * self.words * 4)).cast("Q")
        self.state.plain = False

    def put_tx(self, req_id: int, sq_index: int, sq_head: int) -> None:
        head: int = self.state.head
        phase = 1 ^ (head // self.depth & 1)
        self._ring[head % self.depth] = (
            req_id | phase << 24 | sq_index << 32 | (sq_head & 0xFFFF) << 48
        )
        self.state.head = head + 1

    def put_frame(
        self, pieces: list[tuple[int, int]], status: int, rss_hash: int, sq_index: int
    ) -> None:
        """Say of each buffer of a frame its length and request id; `status` is the last one's."""
        ring, depth, left = self._ring, self.depth, len(pieces)
        head: int = self.state.head
        second = rss_hash | sq_index << 32
        bits = STATUS_FIRST | STATUS_BUFFER
        for length, req_id in pieces:
            left -= 1
            if not left:
                bits = bits & STATUS_FIRST | status
            phase = 1 ^ (head // depth & 1)
            slot = head % depth * 2
            ring[slot + 1] = second
            ring[slot] = bits | phase << 24 | (length & 0xFFFF) << 32 | req_id << 48
            head += 1
            bits = STATUS_BUFFER
        self.state.head = head


class FaultyCompletionQueue(CompletionQueue):
    """Completions of a hostile card: late, twice, or of requests that there never were."""

    __slots__ = ("_faults", "_late")

    def __init__(
        self,
        index: int,
        depth: int,
        words: int,
        address: int,
        vector: Vector | None,
        memory: Memory,
        *,
        faults: Faults,
    ) -> None:
        super().__init__(index, depth, words, address, vector, memory)
        self._faults = faults
        self.state.plain = False
        self._late: tuple[int, int, int] | None = None

    def put_tx(self, req_id: int, sq_index: int, sq_head: int) -> None:
        late, self._late = self._late, None
        if late is None and self._faults.triggers("out-of-order"):
            self._late = (req_id, sq_index, sq_head)
            return
        super().put_tx(req_id, sq_index, sq_head)
        if late is not None:
            super().put_tx(*late)
        if self._faults.triggers("tx-id-duplicate"):
            super().put_tx(req_id, sq_index, sq_head)
        if self._faults.triggers("tx-id-invalid"):
            super().put_tx(req_id ^ 0x8000, sq_index, sq_head)

    def put_frame(
        self, pieces: list[tuple[int, int]], status: int, rss_hash: int, sq_index: int
    ) -> None:
        wrong = [
            (length, req_id ^ 0x8000 if self._faults.triggers("rx-id-invalid") else req_id)
            for length, req_id in pieces
        ]
        super().put_frame(wrong, status, rss_hash, sq_index)
        if len(pieces) == 1 and self._faults.triggers("rx-id-duplicate"):
            super().put_frame(pieces, status, rss_hash, sq_index)
