"""Waiting with the C loop: for the client, whose socket is looked at itself, and for others."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from nitro.ena.vfio.native_poller import NativePoller
from nitro.ena.vfio.poller import AWAKE, IN, OUT
from tests.unit.ena.loops import any_loop

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def client() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def other() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def poller(client: Pair) -> Iterator[NativePoller]:
    made = NativePoller(any_loop(), client[0].fileno())
    made.watch(client[0].fileno(), IN)
    yield made
    made.close()


def test_tells_of_the_client_of_others_and_of_both(
    poller: NativePoller, client: Pair, other: Pair
) -> None:
    poller.watch(other[0].fileno(), IN)
    assert poller.wait(0) == {}
    client[1].send(b"x")
    assert poller.wait(0) == {client[0].fileno(): IN}
    other[1].send(b"x")
    assert poller.wait(1) == {client[0].fileno(): IN, other[0].fileno(): IN}
    assert client[0].recv(9) == b"x"  # looking took nothing away
    assert poller.wait(1) == {other[0].fileno(): IN}
    poller.watch(other[0].fileno(), IN | OUT)
    assert poller.wait(1) == {other[0].fileno(): IN | OUT}


def test_a_client_that_leaves_can_be_read(poller: NativePoller, client: Pair) -> None:
    client[1].close()
    assert poller.wait(60) == {client[0].fileno(): IN}
    assert client[0].recv(1) == b""


def test_descriptors_that_wait_stay_with_their_message(poller: NativePoller, client: Pair) -> None:
    socket.send_fds(client[1], [b"x"], [client[1].fileno()])
    for _ in range(3):
        assert poller.wait(0) == {client[0].fileno(): IN}
    _, (descriptor,), _, _ = socket.recv_fds(client[0], 9, 4)
    os.close(descriptor)


@pytest.mark.parametrize("seconds", [50e-6, AWAKE, 2e-3])
def test_waits_as_long_as_it_was_told(poller: NativePoller, seconds: float) -> None:
    begin = time.perf_counter()
    assert poller.wait(seconds) == {}
    assert time.perf_counter() - begin >= seconds


@pytest.mark.extended
@pytest.mark.parametrize("who", ["client", "other"])
@pytest.mark.parametrize("delay", [0, 0.1])
def test_hears_of_what_happens_while_it_is_awake_or_asleep(
    poller: NativePoller, client: Pair, other: Pair, who: str, delay: float
) -> None:
    ours, theirs = client if who == "client" else other
    if who == "other":
        poller.watch(ours.fileno(), IN)
    for _ in range(8 if delay else 0):
        poller.wait(1e-3)  # in vain: it has no patience left
    child = os.fork()
    if child == 0:
        time.sleep(delay)
        theirs.send(b"x")
        os._exit(0)
    assert poller.wait(60) == {ours.fileno(): IN}
    os.waitpid(child, 0)
