"""Machines with cards, for tests and benchmarks alike: nothing here is part of the product.

network.py    a network namespace with a bridge, and processes in it
guest.py      a guest that is told what to do over a serial line
kernel_log.py what its kernel complains of
ipxe.py       Debian's iPXE in place of a guest
dpdk.py       DPDK's testpmd in one
driver.py     the same with the module `nitro_ena`
traffic.py    what a guest on a card is put through
sampler.py    where the processor time of a card goes
image.py      an image of ours on QEMU's user-mode network
disk.py       a bootable disk that owes nothing to our images but the formats
programs      hostile.py (a client of the card that writes noise), echo.py, metadata.py
"""
