"""How many requests are in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from nitro.cloud.in_flight import GROW_AFTER, ONE_CONGESTION, Abandoned, Window, run


class Service:
    """Answers a round of requests in a time that depends on how many there are."""

    def __init__(self, round_seconds: Callable[[int], float]) -> None:
        self.now = 0.0
        self.window = Window(first=4, most=64, clock=lambda: self.now)
        self._round_seconds = round_seconds

    def rounds(self, count: int) -> int:
        for _ in range(count):
            limit = self.window.limit
            self.now += self._round_seconds(limit)
            for _ in range(limit):
                self.window.succeeded()
        return self.window.limit


def test_a_distant_service_gets_as_many_as_there_may_be() -> None:
    """Each answer takes 100 ms, however many there are."""
    assert Service(lambda _: 0.1).rounds(10) == 64


def test_doubling_ends_where_it_does_not_pay() -> None:
    """A line that carries 100 a second is full with 8 at 80 ms."""
    assert Service(lambda limit: max(0.08, limit / 100)).rounds(10) in (8, 16)


def test_a_complaint_halves_the_limit_once_for_a_burst() -> None:
    service = Service(lambda _: 0.1)
    service.rounds(10)
    for _ in range(20):
        service.window.congested()
    assert service.window.limit == 32
    service.now += ONE_CONGESTION
    service.window.congested()
    assert service.window.limit == 16


def test_the_limit_grows_again_slowly_after_a_complaint() -> None:
    service = Service(lambda _: 0.1)
    service.rounds(10)
    service.window.congested()
    assert service.rounds(3) == 32
    service.now += GROW_AFTER
    assert service.rounds(1) == 33


def test_one_request_is_always_allowed() -> None:
    service = Service(lambda _: 0.1)
    for _ in range(10):
        service.now += ONE_CONGESTION
        service.window.congested()
    assert service.window.limit == 1


def test_all_items_are_worked_on_once() -> None:
    done = list(run(lambda item: item * 2, range(1000), Window()))
    assert sorted(done) == list(range(0, 2000, 2))
    assert list(run(abs, (), Window())) == []


def test_no_more_are_under_way_than_the_window_allows() -> None:
    window, lock = Window(first=4, most=4), threading.Lock()
    now, most = 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1

    list(run(work, range(500), window))
    assert 1 <= most <= 4


def test_as_many_as_the_window_allows_are_under_way() -> None:
    together = threading.Barrier(8)
    list(run(lambda _: together.wait(timeout=10), range(8), Window(first=8)))


def test_a_failure_ends_the_work_and_is_raised() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 10:
            raise ValueError("ten")
        return item

    with pytest.raises(ValueError, match="ten"):
        list(run(work, range(100_000), Window()))
    assert len(begun) < 100_000


def test_a_failure_of_the_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        list(run(abs, items(), Window()))


def test_what_is_tried_again_is_abandoned_when_the_work_has_ended() -> None:
    window, ended = Window(first=2), threading.Event()
    outcomes: list[str] = []

    def work(item: int) -> None:
        if item == 1:
            raise ValueError("one")
        ended.wait(10)
        try:
            window.congested()
        except Abandoned:
            outcomes.append("abandoned")
            raise

    original = window.close

    def close() -> None:
        original()
        ended.set()

    window.close = close  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="one"):
        list(run(work, range(2), window))
    assert outcomes == ["abandoned"]


def test_a_caller_may_stop_early() -> None:
    with closing(run(abs, range(100_000), Window())) as results:
        next(results)
    assert threading.active_count() < 20


def test_what_is_under_way_has_ended_when_a_caller_stops() -> None:
    started, ended = [], []
    may_end = threading.Event()

    def work(item: int) -> int:
        started.append(item)
        if item:
            may_end.wait(5)
        ended.append(item)
        return item

    results = run(work, range(100), Window(first=3))
    assert next(results) == 0
    threading.Timer(0.05, may_end.set).start()
    results.close()
    assert sorted(started) == sorted(ended)


def test_fewer_are_under_way_after_a_complaint() -> None:
    window = Window(first=8)
    all_begun, complained = threading.Barrier(8), threading.Barrier(8)
    lock = threading.Lock()
    running = 0
    seen: list[int] = []

    def work(item: int) -> None:
        nonlocal running
        with lock:
            running += 1
            if item >= 8:
                seen.append(running)
        if item < 8:
            all_begun.wait(5)
            if item == 0:
                window.congested()
            complained.wait(5)
        time.sleep(0.002)
        with lock:
            running -= 1

    list(run(work, range(60), window))
    assert max(seen) <= window.limit == 4
