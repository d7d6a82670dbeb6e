"""PCI configuration space of the card: identity, BAR types, PCIe and MSI-X capabilities.

The client emulates most of it (BAR addresses, the MSI-X table); what it writes here matters only
for the bus-master bit.
"""

from __future__ import annotations

import struct

from nitro.ena.constants import DEVICE_ID, PCI_CLASS, VENDOR_ID

SIZE = 4096
MSIX_BAR = 1
MSIX_BAR_SIZE = 0x2000
MSIX_PBA = 0x1000
_COMMAND = 0x04
_BUS_MASTER = 1 << 2
_PCIE, _MSIX = 0x40, 0x80
_BAR_PREFETCH = 1 << 3
_HAS_CAPABILITIES = 1 << 4


class ConfigSpace:
    """The 4 KiB of configuration space."""

    def __init__(self, vectors: int, *, llq: bool) -> None:
        space = self._space = bytearray(SIZE)
        struct.pack_into(
            "<HHHHBBH", space, 0, VENDOR_ID, DEVICE_ID, 0, _HAS_CAPABILITIES, 0, 0, PCI_CLASS >> 8
        )
        if llq:
            space[0x18] = _BAR_PREFETCH
        struct.pack_into("<HH", space, 0x2C, VENDOR_ID, DEVICE_ID)
        space[0x34] = _PCIE
        space[_PCIE : _PCIE + 4] = bytes((0x10, _MSIX, 0x02, 0x00))
        device_capabilities = 1 << 28  # function-level reset
        struct.pack_into("<I", space, _PCIE + 4, device_capabilities)
        table_size = vectors - 1
        struct.pack_into("<BBH", space, _MSIX, 0x11, 0, table_size)
        struct.pack_into("<II", space, _MSIX + 4, MSIX_BAR, MSIX_PBA | MSIX_BAR)
        self.reset()

    @property
    def bus_master(self) -> bool:
        return bool(self._space[_COMMAND] & _BUS_MASTER)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes past the end read as zero."""
        return bytes(self._space[offset : offset + count]).ljust(count, b"\0")

    def write(self, offset: int, data: bytes) -> None:
        """Only the command register takes writes."""
        for at, byte in enumerate(data, offset):
            if at in (_COMMAND, _COMMAND + 1):
                self._space[at] = byte

    def reset(self) -> None:
        """As EC2's firmware leaves a card: it may use DMA, which FreeBSD's driver relies on."""
        struct.pack_into("<H", self._space, _COMMAND, _BUS_MASTER)
