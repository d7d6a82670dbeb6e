"""How long work tells the world where it is. Everything here goes to stderr.

Code that takes long accepts a `Reporter` and opens a `stage` for each part a person would
name ("upload", "import snapshot"). Stages may nest. The reporter draws them (or not) and keeps
the timeline: one entry for each outermost stage, in order. When an outermost stage ends, it is
shown, and below it those that were part of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from nitro.printable import printable


@dataclass(frozen=True)
class Span:
    """One finished outermost stage of the timeline."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class Ended:
    """A finished stage; `depth` is 0 for an outermost one."""

    title: str
    depth: int
    seconds: float
    failed: bool


class Pace:
    """How far bytes have come, how fast they go and how long it still takes, in words.

    `clock` returns seconds. The rate is that since the first report, told after a second.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def describe(self, done: float, total: float | None, unit: str) -> str:
        """`3.1 of 20.0 MB, 1.5 MB/s, 11 s left`; without the rest for what is not bytes."""
        text, now = amount(done, total, unit), self._clock()
        if self._first is None or done < self._first[1]:
            self._first = now, done
        began, before = self._first
        if unit != "B" or now - began < 1 or done <= before:
            return text
        rate = (done - before) / (now - began)
        text += f", {rate / 1e6:.1f} MB/s"
        if total is not None and total > done:
            text += f", {(total - done) / rate:.0f} s left"
        return text


class Stage:
    """A part of the work under way. The base class shows nothing."""

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        """Report `done` of `total` (None: unknown), counted in `unit` ("B" for bytes)."""

    def status(self, text: str) -> None:
        """Say in a few words what the stage waits for or does now."""


@dataclass
class Reporter:
    """Keeps the timeline and shows nothing: the default for library callers and tests."""

    timeline: list[Span] = field(default_factory=list)
    # For each stage under way, what has ended in it.
    _inner: list[list[Ended]] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        started = time.monotonic()
        self._inner.append([])
        stage = self._open(title)
        failed = True
        try:
            yield stage
            failed = False
        finally:
            seconds = time.monotonic() - started
            inner = self._inner.pop()
            ended = [Ended(title, len(self._inner), seconds, failed), *inner]
            self._close(stage)
            if self._inner:
                self._inner[-1] += ended
            else:
                self.timeline.append(Span(title, round(seconds, 3)))
                self._show(ended)

    def note(self, text: str) -> None:
        """Say one line that belongs to no stage."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    def _open(self, title: str) -> Stage:
        return Stage()

    def _close(self, stage: Stage) -> None:
        """Stop to draw a stage that has ended."""

    def _show(self, ended: Sequence[Ended]) -> None:
        """Show an outermost stage that has ended, and after it those that were part of it."""


class _LineStage(Stage):
    """Plain lines: at most one every 15 seconds, so that a log stays readable."""

    interval = 15.0

    def __init__(self, out: TextIO, title: str) -> None:
        self._out, self._title = out, title
        self._said = time.monotonic()
        self._pace = Pace()
        self._status = ""

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self._say(self._pace.describe(done, total, unit))

    def status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self._say(text)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said >= self.interval:
            self._said = now
            _print(f"  {self._title}: {text}", self._out)


@dataclass
class LineReporter(Reporter):
    """One plain line for each finished stage: for logs, pipes and CI."""

    out: TextIO = field(default_factory=lambda: sys.stderr)

    def note(self, text: str) -> None:
        _print(text, self.out)

    def _open(self, title: str) -> Stage:
        return _LineStage(self.out, title)

    def _show(self, ended: Sequence[Ended]) -> None:
        for stage in ended:
            how = "failed after" if stage.failed else "done in"
            _print(f"{'  ' * stage.depth}{stage.title}: {how} {stage.seconds:.1f} s", self.out)


def _print(text: str, out: TextIO) -> None:
    print(printable(text), file=out, flush=True)


def amount(done: float, total: float | None, unit: str) -> str:
    """`3.1 of 20.0 MB`, `4 of 9 blocks`."""
    if unit == "B":
        done, unit = done / 1e6, "MB"
        total = None if total is None else total / 1e6
        shown, whole = f"{done:.1f}", "" if total is None else f"{total:.1f}"
    else:
        shown, whole = f"{done:g}", "" if total is None else f"{total:g}"
    return f"{shown} of {whole} {unit}" if total is not None else f"{shown} {unit}"
