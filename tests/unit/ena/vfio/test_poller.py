"""Waiting for descriptors."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.vfio.poller import AWAKE, IN, OUT, SHORTEST, Patience, Poller


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller()
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_tells_what_is_ready(poller: Poller, pair: tuple[socket.socket, socket.socket]):
    ours, theirs = pair
    poller.watch(ours.fileno(), IN)
    assert poller.wait(0) == {}
    theirs.send(b"x")
    assert poller.wait(1) == {ours.fileno(): IN}
    poller.watch(ours.fileno(), IN | OUT)
    assert poller.wait(1) == {ours.fileno(): IN | OUT}


@pytest.mark.parametrize("seconds", [50e-6, 2e-3])
def test_waits_as_long_as_it_was_told(poller: Poller, seconds: float):
    """Awake or asleep; never a millisecond less, which is all that epoll itself can tell."""
    begin = time.perf_counter()
    assert poller.wait(seconds) == {}
    assert time.perf_counter() - begin >= seconds


def test_offers_its_processor_while_it_asks(poller: Poller, monkeypatch: pytest.MonkeyPatch):
    offered: list[None] = []
    monkeypatch.setattr(os, "sched_yield", lambda: offered.append(None))
    poller.wait(AWAKE)
    assert offered


def test_long_waits_end_asking_and_short_ones_bring_it_back():
    patience = Patience()
    asked = []
    for waited in (*[1.0] * 5, *[AWAKE] * 5):
        patience.learn(waited)
        asked.append(patience.seconds)
    assert asked[3:5] == [0, 0]
    assert asked[5:] == [SHORTEST, 2 * SHORTEST, 4 * SHORTEST, AWAKE, AWAKE]


@pytest.mark.extended
@given(st.lists(st.floats(0, 1)))
def test_nobody_asks_for_longer_than_it_may(waits: list[float]):
    patience = Patience()
    for waited in waits:
        before = patience.seconds
        patience.learn(waited)
        assert patience.seconds == 0 or SHORTEST <= patience.seconds <= AWAKE
        assert (patience.seconds >= before) == (waited <= AWAKE or before == 0)


@pytest.mark.extended
def test_hears_of_what_happens_while_it_sleeps(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
):
    ours, theirs = pair
    poller.watch(ours.fileno(), IN)
    if os.fork() == 0:
        time.sleep(0.1)
        theirs.send(b"x")
        os._exit(0)
    assert poller.wait(60) == {ours.fileno(): IN}
    os.wait()


def test_is_not_woken_by_what_it_does_not_wait_for(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
):
    """The other end's leaving would be reported for ever."""
    ours, theirs = pair
    poller.watch(ours.fileno(), IN)
    poller.watch(ours.fileno(), 0)
    theirs.close()
    assert poller.wait(1e-3) == {}


def test_forgets_a_descriptor_that_another_process_has_open(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
):
    ours, theirs = pair
    poller.watch(theirs.fileno(), IN)
    kept, closed = os.dup(ours.fileno()), ours.detach()
    poller.watch(closed, IN)
    os.close(closed)
    poller.forget(closed)
    theirs.send(b"x")
    assert poller.wait(1e-3) == {}
    os.write(kept, b"y")
    assert poller.wait(1) == {theirs.fileno(): IN}
    os.close(kept)
