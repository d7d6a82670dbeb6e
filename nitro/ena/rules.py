"""The rules a driver can break, by name.

Every violation is counted. It is reported the first time and then every hundredth time, so that a
driver in a loop does not flood the console.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

RULES: dict[str, str] = {
    # registers and reset
    "unknown-register": "a write to an offset of BAR 0 that is no register",
    "register-width": "registers are read and written as aligned 32-bit words",
    "bus-master-off": "DMA is asked for while bus mastering is off in PCI configuration space",
    "reset-one-phase": "DEV_CTL was cleared before RESET_IN_PROGRESS was seen set",
    "reset-with-queues": "reset for a normal reason while I/O queues exist",
    "reset-reason-extended": "a reset reason above 15 without the extended-reasons capability",
    "dma-address": "an address that is not guest memory",
    "dma-address-width": "an address wider than 48 bits",
    # admin queue and events
    "ring-alignment": "a ring's base is not aligned to its entry size",
    "ring-depth": "a ring's depth is zero, not a power of two, or more than the card takes",
    "ring-entry-size": "an entry size that the ring does not have",
    "admin-queue-absent": "an admin doorbell without admin queues",
    "admin-tail": "the admin tail jumped further than the ring is deep",
    "admin-phase": "an admin command with a stale phase bit",
    "admin-reserved": "reserved bits set in an admin command",
    "aenq-absent": "an admin command before the event queue was set up",
    "aenq-credit": "more event credit given than the ring has entries",
    "host-info-absent": "CREATE_CQ before host info was set",
    "host-info-version": "host info with a driver version other than 2",
    "feature-not-offered": "GET or SET of a feature whose bit is clear",
    "feature-value": "a feature set to a value outside what was offered",
    # queues
    "cq-entry-size": "CREATE_CQ with an entry size that fits no queue",
    "cq-vector": "CREATE_CQ with an MSI-X vector that the card does not have",
    "cq-in-use": "DESTROY_CQ while a submission queue still uses it",
    "cq-unknown": "a completion queue that does not exist",
    "sq-unknown": "a submission queue that does not exist",
    "sq-direction": "CREATE_SQ with a direction that is neither TX nor RX",
    "sq-placement": "a placement that the card does not offer or that was not negotiated",
    "sq-completion-policy": "CREATE_SQ with a head that the card is to write to memory",
    "sq-contiguous": "CREATE_SQ without the physically-contiguous bit",
    "sq-llq-address": "CREATE_SQ for LLQ with a ring address",
    "sq-cq-shared": "a completion queue for two submission queues, or of the wrong entry size",
    # data path
    "doorbell-unknown": "a doorbell of a queue that does not exist",
    "doorbell-tail": "a tail that jumped further than the ring is deep",
    "tx-phase": "a TX descriptor with a stale phase bit",
    "tx-first-last": "TX descriptors whose FIRST and LAST bits do not make packets",
    "tx-reserved": "reserved bits set in a TX descriptor",
    "tx-too-many-descriptors": "a packet of more TX descriptors than the card takes",
    "tx-meta-missing": "a packet without the meta descriptor that it needs",
    "tx-header-length": "an inline header longer than the LLQ entry has room for",
    "tx-length": "a packet that is empty or longer than the card sends",
    "tx-offload": "an offload request that does not fit the packet or was not offered",
    "tx-offload-mismatch": "an offload that the packet's headers contradict: another protocol, "
    "a fragment, an IPv4 header sum of IPv6",
    "tx-headers": "headers that an offload needs lie beyond the first descriptor or the pushed "
    "bytes",
    "llq-burst": "more LLQ entries between two doorbells than the burst limit",
    "rx-phase": "an RX descriptor with a stale phase bit",
    "rx-first-last": "an RX descriptor without FIRST and LAST",
    "rx-reserved": "reserved bits set in an RX descriptor",
    "rx-ring-sparse": "an RX ring filled less than half, which 8th-generation cards drop from",
    "rss-table-entry": "an indirection entry that names no RX queue",
}


class Rules:
    """Counts violations and reports them through `report(line)`."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.broken: Counter[str] = Counter()
        self._report = report

    def report_violation(self, name: str, detail: str = "") -> None:
        """A driver broke the rule `name`; `detail` says where."""
        self.broken[name] += 1
        count = self.broken[name]
        if count == 1 or count % 100 == 0:
            times = "" if count == 1 else f" ({count} times)"
            where = f" [{detail}]" if detail else ""
            self._report(f"rule broken: {name}: {RULES[name]}{where}{times}")
