"""From TX descriptors to packets: what each bit means, and what a driver can get wrong."""

from __future__ import annotations

from dataclasses import dataclass

from nitro.ena.context import Context
from nitro.ena.memory import DmaError
from nitro.ena.offload import GSO_NONE, gso_type
from nitro.ena.packet import Packet
from nitro.ena.txoffload import Meta, OffloadError, describe

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
    """Puts the packets of one queue together, descriptor by descriptor."""

    __slots__ = (
        "_count",
        "_data",
        "_has_meta",
        "_inline",
        "_limits",
        "_memory",
        "_meta",
        "_name",
        "_packet",
        "_rules",
        "_w1",
    )

    def __init__(self, name: str, context: Context, limits: TxLimits) -> None:
        self._name, self._limits = name, limits
        self._memory, self._rules = context.memory, context.rules
        self._meta = Meta()
        self._packet = Packet()
        self._count = self._data = 0
        self._has_meta = False
        self._w1 = self._inline = 0

    def begin(self) -> Packet:
        """The next descriptor is a packet's first."""
        self._packet = packet = Packet()
        self._count = self._data = self._inline = self._w1 = 0
        self._has_meta = False
        return packet

    def descriptor(self, words: tuple[int, ...], phase: int) -> bool:
        """Take one descriptor; True if it was the packet's last. Raises BadRingError."""
        w0, w1, w2, w3 = words
        if w0 & _PHASE != phase:
            raise BadRingError("tx-phase")
        if bool(w0 & _FIRST) != (self._count == 0):
            raise BadRingError("tx-first-last")
        self._count += 1
        packet = self._packet
        if self._count > self._limits.max_descriptors:
            packet.rule = "tx-too-many-descriptors"
        if w0 & _META:
            if self._count != 1 or w0 & _LAST:
                raise BadRingError("tx-first-last")
            self._has_meta = True
            self._meta = Meta.parse(w0, w2)
            return False
        if self._data == 0:
            self._w1, self._inline = w1, w3 >> 24
            packet.req_id = (w0 >> 16 & 0x3F) << 10 | w1 >> 22
            packet.completes = bool(w0 & _COMPLETION)
        if w0 & _DATA_RESERVED:
            self._rules.report_violation("tx-reserved", f"{self._name}: {w0:#x}")
        self._data += 1
        length = w0 & 0xFFFF
        if length:
            address = w2 | (w3 & 0xFFFF) << 32
            try:
                packet.parts.append(self._memory.view(address, length))
            except DmaError:
                packet.rule = "dma-address"
            packet.length += length
        return bool(w0 & _LAST)

    def inline(self, room: memoryview) -> None:
        """Put the header that lies in the LLQ entry in front of the packet."""
        if self._inline > len(room):
            self._packet.rule = "tx-header-length"
        elif self._inline:
            # The entry is the driver's again after completion, hence a copy.
            self._packet.parts.insert(0, bytes(room[: self._inline]))
            self._packet.length += self._inline

    def finish(self) -> None:
        """All descriptors are there: work out what the port is asked to do."""
        limits, packet = self._limits, self._packet
        if limits.meta_required and not self._has_meta:
            packet.rule = "tx-meta-missing"
        if packet.rule is not None:
            return
        try:
            packet.header = describe(self._w1, self._meta, packet, limits.offloads)
        except OffloadError as error:
            packet.rule = error.rule
        if packet.length > limits.max_frame and gso_type(packet.header) == GSO_NONE:
            packet.rule = "tx-length"
