"""The fuzzer of `fuzz.py`, in its sizes, and that it would notice."""

from __future__ import annotations

import sys

import pytest

from nitro.ena.memory import Memory
from tests.lengths import length
from tests.unit.ena.driver import BASE, Driver
from tests.unit.ena.fuzz import GUARD, MEMORY, Fuzzer, Input, Target


@pytest.mark.extended
def test_hostile_bytes_short() -> None:
    fuzzer = Fuzzer(seed=7)
    fuzzer.explore(150)
    assert len(fuzzer.corpus) > 10
    fuzzer.run(850)


@pytest.mark.slow
@pytest.mark.soak
def test_hostile_bytes_long() -> None:
    fuzzer = Fuzzer(seed=1)
    fuzzer.explore(2_000)
    fuzzer.run(length(short=18_000, long=198_000))
    names = {name.rsplit("/", 1)[-1] for name, _, _ in fuzzer.lines}
    assert {"tx.py", "rx.py", "rx_path.py", "admin.py", "queues.py", "llq.py"} <= names


@pytest.mark.extended
def test_the_same_seed_gives_the_same_cases() -> None:
    first, second = Fuzzer(seed=3), Fuzzer(seed=3)
    for fuzzer in (first, second):
        fuzzer.explore(20)
        fuzzer.run(60)
    assert first.corpus == second.corpus


def test_a_write_around_guest_memory_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("c5")
    target.case(b"\1")
    target._surrounded[-1] ^= 1
    with pytest.raises(AssertionError, match="around the guest's memory"):
        target.case(b"\1")


@pytest.mark.parametrize("choice", range(8))
def test_a_write_to_memory_that_was_taken_away_is_noticed(choice: int) -> None:
    target = Target("c5")
    target._take_away(Input(bytes([choice])))
    ((memory, _),) = target._taken
    memory[0] ^= 1
    with pytest.raises(AssertionError, match="taken away"):
        target.case(b"\1")


def test_a_write_after_a_reset_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("c5")

    def write_late() -> None:
        target._surrounded[len(GUARD)] ^= 1

    monkeypatch.setattr(target.driver.device, "receive", write_late)
    with pytest.raises(AssertionError, match="after a reset"):
        target.case(b"\1")


def test_an_exception_is_reported_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(self: Memory, address: int, length: int) -> memoryview:
        raise ZeroDivisionError

    fuzzer = Fuzzer(seed=1)
    monkeypatch.setattr(Memory, "view", boom)
    with pytest.raises(AssertionError, match=r"input [0-9a-f]+"):
        fuzzer.run(50)


def test_targets_are_cards_that_work() -> None:
    driver = Driver("c5")
    driver.start()
    assert driver.rx_queue().buffers
    assert BASE + MEMORY < 1 << 32


def test_a_debuggers_tracer_is_put_back() -> None:
    def trace(*_: object) -> None: ...

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Fuzzer(seed=1).explore(1)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)
