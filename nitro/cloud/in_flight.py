"""Requests under way at a time: more while more helps, fewer when the service says so.

A connection far from the service needs many requests in flight to be used, and one that is
shared, slow or throttled needs few. How many is found out while they are sent, as TCP finds its
window.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

FIRST, MOST = 4, 100
MIN_GAIN = 1.3  # how much a doubled window has to raise the rate to stay doubled
ONE_CONGESTION = 1.0  # seconds in which further failures belong to the same burst of requests
GROW_AFTER = 10.0  # seconds without congestion after which one more request is tried


class Abandoned(Exception):
    """A request that need not be tried again, because the work as a whole has ended."""


class Window:
    """How many requests may be in flight; thread-safe. `clock` returns seconds."""

    def __init__(
        self, first: int = FIRST, most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = first
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._doubling = True
        self._rate = 0.0  # of the last round, in requests a second
        self._began = clock()
        self._reduced = self._began - ONE_CONGESTION
        self._answered = 0

    def succeeded(self) -> None:
        """A request was answered well. As many of them as the limit are a round."""
        with self._lock:
            self._answered += 1
            if self._answered < self.limit:
                return
            now = self._clock()
            rate = self._answered / max(now - self._began, 1e-6)
            if self.limit == self._most:
                self._doubling = False
            if not self._doubling:
                if now - self._began >= GROW_AFTER:
                    self._resize(self.limit + 1)
            elif rate >= self._rate * MIN_GAIN:
                self._rate = rate
                self._resize(self.limit * 2)
            else:
                self._doubling = False
                self._resize(self.limit // 2)

    def congested(self) -> None:
        """The service throttled a request, failed at it or did not answer in time.

        Raises Abandoned when the window is closed.
        """
        with self._lock:
            if self._closed:
                raise Abandoned
            now = self._clock()
            if self._doubling or now - self._reduced >= ONE_CONGESTION:
                self._doubling = False
                self._reduced = now
                self._resize(self.limit // 2)

    def close(self) -> None:
        """No more requests."""
        with self._lock:
            self._closed = True

    def _resize(self, limit: int) -> None:
        self.limit = max(1, min(limit, self._most))
        self._began, self._answered = self._clock(), 0


def run(work: Callable[[T], R], items: Iterable[T], window: Window) -> Generator[R, None, None]:
    """Do `work` on all items in threads, as many at a time as the window allows.

    Results come as they are ready, in any order. Once `work` or the iterable raises, no further
    item is begun, and the exception is raised when nothing is under way any more. A caller that
    stops early closes the generator.
    """
    workers = _Workers(work, iter(items), window)
    try:
        yield from workers.results()
    finally:
        workers.stop()


class _Workers(Generic[T, R]):
    """Threads that take the items of one iterator in turn."""

    def __init__(self, work: Callable[[T], R], items: Iterator[T], window: Window) -> None:
        self._work, self._items, self._window = work, items, window
        self._turn = threading.Condition()
        self._under_way = 0
        self._over = False
        self._failure: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._results: queue.SimpleQueue[list[R]] = queue.SimpleQueue()  # []: a thread has ended

    def results(self) -> Iterator[R]:
        with self._turn:
            self._start_threads()
        ended = 0
        while ended < len(self._threads):
            result = self._results.get()
            ended += not result
            yield from result
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._window.close()
        with self._turn:
            self._over = True
            self._turn.notify_all()
        for thread in self._threads:
            thread.join()

    def _start_threads(self) -> None:
        while len(self._threads) < self._window.limit:
            thread = threading.Thread(target=self._run_items, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run_items(self) -> None:
        try:
            while True:
                with self._turn:
                    while self._under_way >= self._window.limit and not self._over:
                        self._turn.wait()
                    if self._over:
                        return
                    item = next(self._items)
                    self._under_way += 1
                self._results.put([self._work(item)])
                self._window.succeeded()
                with self._turn:
                    self._under_way -= 1
                    if self._under_way + 1 < self._window.limit:
                        self._start_threads()
                        self._turn.notify_all()
        except BaseException as error:
            self._end(error)
        finally:
            self._results.put([])

    def _end(self, error: BaseException) -> None:
        """The items are used up, or something failed."""
        with self._turn:
            self._over = True
            if not isinstance(error, StopIteration):
                self._failure = self._failure or error
                self._window.close()  # what is under way ends with its present attempt
            self._turn.notify_all()
