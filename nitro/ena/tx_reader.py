"""From TX descriptors to packets: what each bit means, and what a driver can get wrong."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nitro.ena.context import Context
from nitro.ena.memory import DmaError
from nitro.ena.offload import GSO_NONE, gso_type
from nitro.ena.packet import Packet
from nitro.ena.txoffload import ANY_OFFLOAD, META_W0, REQUEST, Meta, OffloadError, Request

DESCRIPTOR_SIZE = 16
_WORDS = struct.Struct("<4I")
_META = 1 << 23
_PHASE = 1 << 24
_FIRST = 1 << 26
_LAST = 1 << 27
_COMPLETION = 1 << 28
_DATA_RESERVED = 1 << 22 | 1 << 25 | 0b111 << 29


class BadRingError(Exception):
    """The queue cannot tell where the next packet begins."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class TxLimits:
    """What one queue's packets may be. `max_frame` is in bytes and not for segmentation;
    `offloads` are bits of `TxOffload`."""

    max_descriptors: int
    max_frame: int
    offloads: int
    meta_required: bool


class Reader:
    """Puts the packets of one queue together from its descriptors, which it reads once each.

    An entry of the ring is `stride` bytes. The descriptors of a packet lie in consecutive entries,
    `first` of them in its first entry and `more` in each further one.
    """

    __slots__ = (
        "_depth",
        "_first",
        "_limits",
        "_memory",
        "_meta",
        "_meta_words",
        "_more",
        "_name",
        "_request",
        "_rules",
        "_stride",
    )

    def __init__(
        self,
        name: str,
        context: Context,
        limits: TxLimits,
        *,
        depth: int,
        stride: int = DESCRIPTOR_SIZE,
        first: int = 1,
        more: int = 1,
    ) -> None:
        self._name, self._limits, self._depth = name, limits, depth
        self._stride, self._first, self._more = stride, first, more
        self._memory, self._rules = context.memory, context.rules
        self._meta_words = (0, 0)
        self._meta = Meta()
        self._request = Request()

    def take(self, ring: memoryview, head: int, tail: int) -> Packet:
        """The packet whose first descriptor is in the entry `head`; `tail` is where the driver
        will write next. Raises BadRingError."""
        packet = Packet()
        packet.first_head = head
        depth, slots, view = self._depth, self._first, self._memory.view
        count = data = 0
        while head != tail:
            at = head % depth * self._stride
            phase = 0 if head // depth & 1 else _PHASE
            head = head + 1 & 0xFFFF
            for _ in range(slots):
                w0, w1, w2, w3 = _WORDS.unpack_from(ring, at)
                at += DESCRIPTOR_SIZE
                if w0 & _PHASE != phase:
                    raise BadRingError("tx-phase")
                if (not w0 & _FIRST) is (not count):
                    raise BadRingError("tx-first-last")
                count += 1
                if w0 & _META:
                    if count != 1 or w0 & _LAST:
                        raise BadRingError("tx-first-last")
                    packet.has_meta = True
                    self.remember(w0, w2)
                    continue
                if not data:
                    packet.w1, packet.inline = w1, w3 >> 24
                    packet.req_id = (w0 >> 16 & 0x3F) << 10 | w1 >> 22
                    packet.completes = bool(w0 & _COMPLETION)
                if w0 & _DATA_RESERVED:
                    self._rules.report_violation("tx-reserved", f"{self._name}: {w0:#x}")
                data += 1
                if length := w0 & 0xFFFF:
                    try:
                        packet.parts.append(view(w2 | (w3 & 0xFFFF) << 32, length))
                    except DmaError:
                        packet.rule = "dma-address"
                    packet.length += length
                if w0 & _LAST:
                    if count > self._limits.max_descriptors:
                        packet.rule = packet.rule or "tx-too-many-descriptors"
                    packet.next_head = head
                    return packet
            slots = self._more
        raise BadRingError("tx-first-last")

    @property
    def meta_words(self) -> tuple[int, int]:
        """Of the last meta descriptor."""
        return self._meta_words

    def remember(self, w0: int, w2: int) -> None:
        """A meta descriptor holds until the next one."""
        words = (w0 & META_W0, w2)
        if words != self._meta_words:
            self._meta_words = words
            self._meta = Meta.parse(w0, w2)

    def push(self, packet: Packet, room: memoryview) -> None:
        """Put the header that lies in the LLQ entry in front of the packet."""
        if packet.inline > len(room):
            packet.rule = "tx-header-length"
        elif packet.inline:
            # The entry is the driver's again after completion, hence a copy.
            packet.parts.insert(0, bytes(room[: packet.inline]))
            packet.length += packet.inline

    def finish(self, packet: Packet) -> None:
        """All descriptors are there: work out what the port is asked to do."""
        limits = self._limits
        if limits.meta_required and not packet.has_meta:
            packet.rule = "tx-meta-missing"
        if packet.rule is not None:
            return
        if packet.w1 & ANY_OFFLOAD:
            try:
                packet.header = self._asked(packet.w1).describe(packet)
            except OffloadError as error:
                packet.rule = error.rule
        if packet.length > limits.max_frame and gso_type(packet.header) == GSO_NONE:
            packet.rule = "tx-length"

    def _asked(self, w1: int) -> Request:
        """What the packet's first data descriptor asks for, as a rule the same as the one before.
        Raises OffloadError."""
        request, meta = self._request, self._meta
        if request.w1 != w1 & REQUEST or request.meta is not meta:
            request = self._request = Request.parse(w1, meta, self._limits.offloads)
        return request
