"""Waiting for descriptors in a time of the test's own, as transcripts."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.ena.native.loop import Found
from nitro.ena.vfio.llq_memory import LlqMemory
from nitro.ena.vfio.native_poller import NativePoller
from nitro.ena.vfio.poller import AWAKE, CROWDED, IN, OUT, RESPITE, SHORTEST, Patience, Poller
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


@pytest.fixture(autouse=True)
def loop() -> None:
    """The C loop has no part in this but for a stand-in."""


class World:
    """Descriptors that become ready at a time; each question takes `step` seconds."""

    def __init__(self, told: Told, patch: pytest.MonkeyPatch) -> None:
        self.told, self.now, self.step = told, 0.0, 10e-6
        self.ready_at: dict[int, float] = {}
        self.asked = self.yields = self.sleeps = 0
        world = self

        class Epoll:
            def __init__(self) -> None:
                self.events: dict[int, int] = {}
                told.note("    epoll")

            def register(self, descriptor: int, events: int) -> None:
                told.note(f"    register {descriptor} {events}")
                self.events[descriptor] = events

            def modify(self, descriptor: int, events: int) -> None:
                told.note(f"    modify {descriptor} {events}")
                self.events[descriptor] = events

            def unregister(self, descriptor: int) -> None:
                told.note(f"    unregister {descriptor}")
                del self.events[descriptor]

            def poll(self, timeout: float) -> list[tuple[int, int]]:
                assert timeout == 0
                world.asked += 1
                world.now += world.step
                return [
                    (each, events)
                    for each, events in self.events.items()
                    if world.ready_at.get(each, 1e9) <= world.now
                ]

            def close(self) -> None:
                told.note("    close epoll")

            def fileno(self) -> int:
                return 77

        patch.setattr(select, "epoll", Epoll)
        patch.setattr(select, "select", self.select)
        patch.setattr(time, "perf_counter", lambda: self.now)
        patch.setattr(os, "sched_yield", self.yielded)

    def select(self, reading: list[Any], *rest: Any) -> None:
        seconds = rest[-1]
        self.sleeps += 1
        next_ready = min((at for at in self.ready_at.values() if at > self.now), default=1e9)
        woken = min(self.now + seconds, next_ready)
        who = [each if isinstance(each, int) else "epoll" for each in reading]
        self.told.note(f"    sleeps {seconds * 1e6:.1f} us on {who} {rest[:-1]}")
        self.now = woken

    def yielded(self) -> None:
        self.yields += 1
        self.now += self.step

    def wait(self, poller: Poller, seconds: float, **ready: float) -> None:
        self.ready_at = {int(name[1:]): self.now + at for name, at in ready.items()}
        begin = self.now
        self.asked = self.yields = self.sleeps = 0
        found = poller.wait(seconds)
        took = (self.now - begin) * 1e6
        patience = poller._patience.seconds * 1e6
        counts = f"asked {self.asked}, yielded {self.yields}, slept {self.sleeps}"
        crowded = (poller._crowded_until - self.now) * 1e6
        line = f"wait {seconds} {ready}: {found} in {took:.1f} us, {counts}"
        self.told.note(f"{line}, patience {patience:.1f}, crowded for {max(0.0, crowded):.0f}")


def test_patience(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.note(f"{AWAKE} {SHORTEST} {CROWDED} {RESPITE} {int(IN)} {int(OUT)}")
    for waits in ((1.0,) * 6 + (0.0,) * 6, (AWAKE, AWAKE * 1.01, AWAKE * 0.99, 1.0, 1.0, 0.0)):
        patience = Patience()
        said = [patience.seconds]
        for waited in waits:
            patience.learn(waited)
            said.append(patience.seconds)
        told.note(f"{[f'{each * 1e6:.2f}' for each in said]}")
    compare(HERE / "patience.txt", told.text)


def test_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    world = World(told, monkeypatch)
    poller = Poller()
    for descriptor, events in (
        *((5, IN), (5, IN), (5, IN | OUT), (6, 0), (6, OUT), (6, 0), (6, 0), (7, IN), (5, IN)),
    ):
        told.note(f"watch {descriptor} {int(events)}")
        poller.watch(descriptor, events)
    for descriptor in (6, 7, 7, 99):
        told.note(f"forget {descriptor}")
        poller.forget(descriptor)
    poller.watch(7, IN)
    for step in (10e-6, 40e-6, 60e-6):
        world.step = step
        told.note(f"a question takes {step * 1e6:.0f} us")
        for seconds in (0.0, -1.0, 20e-6, 100e-6, 1e-3, 20e-3):
            world.wait(poller, seconds)
            world.wait(poller, seconds, d5=0)
            world.wait(poller, seconds, d5=50e-6, d7=50e-6)
            world.wait(poller, seconds, d7=500e-6)
            world.wait(poller, seconds, d9=30e-6)
    world.step = 10e-6
    for _ in range(6):
        world.wait(poller, 1e-3)
    for _ in range(6):
        world.wait(poller, 1e-3, d5=60e-6)
    told.note("close")
    poller.close()
    monkeypatch.undo()
    compare(HERE / "waiting.txt", told.text)


def test_waiting_by_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    world = World(told, monkeypatch)
    answers: list[int] = []

    def ask(client: int, epoll: int, nanoseconds: int, crowded: int) -> int:
        told.note(f"    asks for {client} and {epoll}, {nanoseconds} ns, {crowded} ns")
        world.now += nanoseconds * 1e-9
        return answers.pop(0) if answers else 0

    stand_in: Any = SimpleNamespace(ask=ask)
    poller = NativePoller(stand_in, 3)
    for descriptor in (3, 4):
        poller.watch(descriptor, IN)
    for found in (0, *Found, Found.CLIENT | Found.OTHERS, Found.OTHERS | Found.CROWDED, 7):
        for seconds in (0.0, 1e-4, 1e-2):
            answers[:] = [0, int(found)]
            world.wait(poller, seconds, d4=0.0)
            answers[:] = [int(found)]
            world.wait(poller, seconds, d4=0.0)
            world.now += RESPITE
    poller.close()
    monkeypatch.undo()
    compare(HERE / "native-waiting.txt", told.text)


def test_memory_to_be_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    made = LlqMemory(8192)
    made.view[:3] = b"abc"
    told.note(f"{len(made.view)} {os.pread(made.descriptor, 4, 0)!r}")
    told.note(f"{os.fstat(made.descriptor).st_size}")
    made.close()
    made.view[3:4] = b"d"
    told.note(f"{bytes(made.view[:4])!r}")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for size in (1 << 62, -1):
        with pytest.raises(OSError):  # noqa: PT011
            LlqMemory(size)
    told.note(f"{len(list(Path('/proc/self/fd').iterdir())) - before}")
    compare(HERE / "llq-memory.txt", told.text)
