"""What the card counts, and the answers to GET_STATS."""

from __future__ import annotations

from dataclasses import dataclass, fields

from nitro.ena.layout import Layout
from nitro.ena.payloads import ENI_STATS

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

    def pack(self, layout: Layout) -> bytes:
        """Statistics or an event with the counters that `layout` names."""
        return layout.pack(**{f.name: getattr(self, f.name) & _MASK for f in layout.fields})

    def customer_metrics(self) -> tuple[int, ...]:
        """The allowances and the connections still allowed, in the order of their bits."""
        return (*ENI_STATS.unpack(self.pack(ENI_STATS)).values(), CONNTRACK_ALLOWANCE)

    def clear(self) -> None:
        """Back to zero, as after a reset."""
        for one in fields(self):
            setattr(self, one.name, 0)
