"""Clients that measure at a time, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from nitro.errors import Interrupted
from nitro.progress import Reporter

Sleep = Callable[[float], None]


class Brake:
    """Ends the work of threads at their next pause: they cannot be interrupted."""

    def __init__(self) -> None:
        self._pulled = threading.Event()

    def on(self, sleep: Sleep) -> Sleep:
        """The same pause, which raises Interrupted at its end while the brake is pulled."""

        def pause(seconds: float) -> None:
            sleep(seconds)
            self.check()

        return pause

    def check(self) -> None:
        """Raises Interrupted while the brake is pulled."""
        if self._pulled.is_set():
            raise Interrupted("interrupted")

    def pull(self) -> None:
        self._pulled.set()

    def release(self) -> None:
        self._pulled.clear()


@dataclass
class Notes(Reporter):
    """For one of several threads: its stages are not shown, its notes are those of `outer`."""

    outer: Reporter = field(default_factory=Reporter)

    def note(self, text: str) -> None:
        self.outer.note(text)


def side_by_side(work: Sequence[Callable[[], object]], at_once: int, brake: Brake) -> None:
    """Do all of the work, so much at a time; with one at a time in this thread.

    What one raises ends the others, and is raised once none works any more.
    """
    if at_once == 1:
        for one in work:
            one()
        return
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="measure")
    futures: list[Future[None]] = []
    try:
        futures += (pool.submit(_do, one, brake) for one in work)
        wait(futures)
    finally:
        brake.pull()
        pool.shutdown()
        brake.release()
    errors = [error for future in futures if (error := future.exception())]
    # Those that were ended by another one's error come last.
    for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):
        raise error


def _do(one: Callable[[], object], brake: Brake) -> None:
    brake.check()
    try:
        one()
    except BaseException:
        brake.pull()
        raise
