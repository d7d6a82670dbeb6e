"""Work in threads: so much at a time, and what one raises ends the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from nitro.bench.workers import Brake, Notes, side_by_side
from nitro.errors import Interrupted
from nitro.progress import Reporter


def until_ended(brake: Brake, begun: threading.Event, ended: list[str]) -> None:
    """Pauses until the brake is pulled."""
    begun.set()
    pause = brake.on(lambda _: None)
    try:
        while True:
            pause(0.001)
    except Interrupted:
        ended.append("interrupted")
        raise


def test_one_at_a_time_is_done_here_and_in_order() -> None:
    seen: list[tuple[int, threading.Thread]] = []
    work = [lambda n=n: seen.append((n, threading.current_thread())) for n in range(4)]
    side_by_side(work, 1, Brake())
    assert seen == [(n, threading.current_thread()) for n in range(4)]


def test_so_much_is_done_at_a_time() -> None:
    barrier = threading.Barrier(3, timeout=10)  # passed by three together only
    side_by_side([barrier.wait] * 6, 3, Brake())
    assert not barrier.broken


def test_what_one_raises_ends_the_others_at_their_next_pause_and_what_has_not_begun() -> None:
    brake, begun = Brake(), threading.Event()
    ended: list[str] = []

    def fails() -> None:
        begun.wait(10)
        raise KeyboardInterrupt

    pauses = partial(until_ended, brake, begun, ended)
    work: list[Callable[[], object]] = [fails, pauses, lambda: ended.append("late")]
    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, 2, brake)
    assert ended == ["interrupted"]
    brake.on(lambda _: None)(0)  # it is released, for the clean-up


def test_an_interruption_while_work_is_handed_out_ends_what_has_begun() -> None:
    brake, begun = Brake(), threading.Event()
    ended: list[str] = []

    class Work(list[Callable[[], object]]):
        def __iter__(self) -> Iterator[Callable[[], object]]:
            yield partial(until_ended, brake, begun, ended)
            assert begun.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side(Work(), 2, brake)
    assert ended == ["interrupted"]


def test_only_notes_reach_the_reporter_of_the_whole() -> None:
    class Outer(Reporter):
        said: str = ""

        def note(self, text: str) -> None:
            self.said += text

    outer = Outer()
    notes = Notes(outer=outer)
    with notes.stage("boot"):
        notes.note("hello")
    assert outer.said == "hello"
    assert outer.timeline == []
