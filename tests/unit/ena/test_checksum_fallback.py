"""A guest that does not believe the card's checksum verdict is noticed, a good one is not."""

from __future__ import annotations

import pytest

from nitro.ena.checksum_fallback import ChecksumFallback
from nitro.ena.offload import NEEDS_CSUM, Offload
from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.unit.ena.driver import Driver, ipv4_frame


def test_segments_sent_again_end_whole_segments():
    fallback = ChecksumFallback()
    for sequence in (1000, 2000, 3000, 4000):
        assert not fallback.seen(7, sequence, 1.0, whole=True)
    assert not fallback.seen(7, 1000, 1.2, whole=False)
    assert not fallback.seen(7, 2000, 1.4, whole=True)
    assert fallback.seen(7, 3000, 1.6, whole=False)
    assert not fallback.seen(7, 4000, 1.8, whole=False), "said once"


@pytest.mark.parametrize(("last", "decided"), [(6.0, True), (6.001, False)])
def test_segments_sent_again_count_within_five_seconds(last: float, decided: bool):
    fallback = ChecksumFallback()
    fallback.seen(7, 1, 99.0, whole=True)
    times = (101.0, 102.0, 100.0 + last)
    assert [fallback.seen(7, 1, now, whole=False) for now in times] == [False, False, decided]


@pytest.mark.extended
def test_only_so_many_segments_are_remembered():
    def full(count: int) -> ChecksumFallback:
        fallback = ChecksumFallback()
        for sequence in range(count):
            fallback.seen(7, sequence, 9.0, whole=True)
        return fallback

    for count, forgotten in ((4096, False), (4097, True)):
        fallback = full(count)
        again = [fallback.seen(7, 0, 9.0, whole=False) for _ in range(3)]
        assert again == [False, False, not forgotten]


def test_progress_and_rare_losses_raise_none():
    fallback = ChecksumFallback()
    for n in range(10_000):
        assert not fallback.seen(7, n * 1000, n * 0.01, whole=True)
        if n % 1000 == 0:
            assert not fallback.seen(7, n * 1000, n * 0.01, whole=False)


def test_the_port_is_asked_for_finished_frames():
    driver = Driver(with_all_offloads(PROFILES["c5"]))
    driver.start()
    driver.rx_queue(depth=64)
    assert driver.port.accepts == {"checksums": True, "segments": True}
    header = Offload(NEEDS_CSUM, 1, 54, 1000, 34, 16).pack()
    for _ in range(4):
        driver.port.deliver(ipv4_frame(bytes(3000)), header)
    driver.run()
    assert driver.port.accepts == {"checksums": False, "segments": False}
