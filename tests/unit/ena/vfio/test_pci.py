"""The card's configuration space, byte by byte."""

from __future__ import annotations

from nitro.ena.vfio.pci import SIZE, ConfigSpace


def test_only_the_two_bytes_of_the_command_register_take_writes():
    space = ConfigSpace(8, llq=True)
    before = space.read(0, SIZE)
    space.write(0, bytes(byte ^ 0xFF for byte in before))
    after = space.read(0, SIZE)
    assert [at for at in range(SIZE) if before[at] != after[at]] == [4, 5]
    assert space.bus_master
    space.reset()
    assert space.read(0, SIZE) == before
    assert not space.bus_master


def test_what_lies_behind_the_end_reads_as_zero():
    assert ConfigSpace(8, llq=False).read(SIZE - 2, 4) == bytes(4)
