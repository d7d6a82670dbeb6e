"""What the card counts, and the answers to GET_STATS."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields

# Connections that may still be opened: this card tracks none, so any figure will do.
CONNTRACK_ALLOWANCE = 1_000_000
_MASK = 0xFFFFFFFFFFFFFFFF


@dataclass(slots=True)
class Counters:
    """Since the last reset. The allowance counters are ENI statistics: what AWS shaped away.

    Doorbells, unmasks and interrupts are for people: each is an exit of the guest, or an entry.
    """

    tx_bytes: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_drops: int = 0
    tx_drops: int = 0
    rx_overruns: int = 0

    bandwidth_in_exceeded: int = 0
    bandwidth_out_exceeded: int = 0
    packets_exceeded: int = 0
    conntrack_exceeded: int = 0
    linklocal_exceeded: int = 0

    tx_doorbells: int = 0
    rx_doorbells: int = 0
    unmasks: int = 0
    interrupts: int = 0

    def basic(self) -> bytes:
        """Payload of the basic statistics: seven 64-bit counters."""
        return _pack(
            self.tx_bytes,
            self.tx_packets,
            self.rx_bytes,
            self.rx_packets,
            self.rx_drops,
            self.tx_drops,
            self.rx_overruns,
        )

    def allowances(self) -> bytes:
        """Payload of the ENI statistics: five 64-bit counters."""
        return _pack(
            self.bandwidth_in_exceeded,
            self.bandwidth_out_exceeded,
            self.packets_exceeded,
            self.conntrack_exceeded,
            self.linklocal_exceeded,
        )

    def customer_metrics(self) -> tuple[int, ...]:
        """The allowances and the connections still allowed, in the order of their bits."""
        exceeded = struct.unpack("<5Q", self.allowances())
        return (*exceeded, CONNTRACK_ALLOWANCE)

    def clear(self) -> None:
        """Back to zero, as after a reset."""
        for one in fields(self):
            setattr(self, one.name, 0)

    def keep_alive(self) -> bytes:
        """Data of a keep-alive event: drops since the reset."""
        return _pack(self.rx_drops, self.tx_drops, self.rx_overruns)


def _pack(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *(value & _MASK for value in values))
