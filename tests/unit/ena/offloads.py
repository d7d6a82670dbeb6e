"""A card with every offload, and packets that ask for them."""

from __future__ import annotations

from nitro.ena.profiles import PROFILES, with_all_offloads
from nitro.ena.verify import STATUS_L3_ERROR, STATUS_L4_ERROR
from tests.unit.ena.driver import Driver, Ring, data_descriptor, ipv4_frame

ERRORS = STATUS_L3_ERROR | STATUS_L4_ERROR
FRAME = ipv4_frame()
IPV4_TCP = 8 | 12 << 8
L3_CSUM = 1 << 13
CSUM_PARTIAL = 1 << 14 | 1 << 17
TSO = 1 << 7 | L3_CSUM | 1 << 14


def with_offloads() -> Driver:
    """A driver that has started a c5 card with all offloads."""
    made = Driver(with_all_offloads(PROFILES["c5"]))
    made.start()
    return made


def post(
    driver: Driver, ring: Ring, frame: bytes, w1: int, meta: tuple[int, int, int, int]
) -> None:
    """Send a frame in one descriptor behind a meta descriptor."""
    address = driver.alloc(len(frame))
    driver.poke(address, frame)
    driver.descriptor(ring, meta)
    driver.descriptor(ring, data_descriptor(address, len(frame), first=False, w1=w1))
    driver.ring(ring)
    driver.run()
