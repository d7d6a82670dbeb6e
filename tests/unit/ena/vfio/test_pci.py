"""The card's configuration space, byte by byte."""

from __future__ import annotations

from nitro.ena.vfio.pci import SIZE, ConfigSpace


def test_only_the_two_bytes_of_the_command_register_take_writes():
    space = ConfigSpace(8, llq=True)
    before = space.read(0, SIZE)
    space.write(0, bytes(byte ^ 0xFF for byte in before))
    after = space.read(0, SIZE)
    assert [at for at in range(SIZE) if before[at] != after[at]] == [4, 5]
    assert not space.bus_master
    space.reset()
    assert space.read(0, SIZE) == before


def test_dma_is_allowed_from_the_start_as_ec2s_firmware_leaves_it():
    assert ConfigSpace(8, llq=True).bus_master


def test_what_lies_behind_the_end_reads_as_zero():
    assert ConfigSpace(8, llq=False).read(SIZE - 2, 4) == bytes(4)


def test_a_system_finds_an_ena_card_its_capabilities_and_its_bars():
    """PCI Express Base 5.0, chapters 7.5 and 7.7.2; the ids are those of the public driver."""
    space = ConfigSpace(8, llq=True)
    assert space.read(0, 4) == bytes.fromhex("0f1d 20ec")
    assert space.read(6, 2) == b"\x10\0"  # status: there are capabilities
    assert space.read(8, 4) == b"\0\0\0\2"  # class 02 00 00: an Ethernet controller
    assert space.read(0x2C, 4) == space.read(0, 4)
    first = space.read(0x34, 1)[0]
    express, second = space.read(first, 8), space.read(first + 1, 1)[0]
    assert express[0] == 0x10  # PCI Express
    assert express[2:4] == b"\2\0"  # version 2, an endpoint
    assert int.from_bytes(express[4:], "little") == 1 << 28  # function-level reset
    msix = space.read(second, 12)
    assert msix[:2] == b"\x11\0"  # MSI-X, the last one
    assert int.from_bytes(msix[2:4], "little") == 8 - 1
    table, pending = (int.from_bytes(msix[at : at + 4], "little") for at in (4, 8))
    assert table & 7 == pending & 7 == 1  # both in BAR 1
    assert pending - table >= 8 * 16  # bytes of a table's entry


def test_a_card_with_llq_has_a_bar_that_may_be_written_combined():
    assert ConfigSpace(8, llq=True).read(0x18, 4) == b"\x08\0\0\0"  # BAR 2, prefetchable
    assert ConfigSpace(8, llq=False).read(0x18, 4) == bytes(4)
