"""Removing what was made: in reverse order, on failure, on Ctrl-C, and at the end.

An entry is pushed before the call that makes the thing, because a call that was interrupted
may have had effect. Its `find` then looks for the thing by our tags; once the id is known it
is used instead.
"""

from __future__ import annotations

import enum
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any, Self

from nitro.cloud.errors import ApiError
from nitro.errors import Interrupted, NitroError
from nitro.progress import Reporter

SEARCH_PAUSES = (1.0, 2.0, 4.0)  # seconds: something just made is not findable at once


class Keep(enum.Enum):
    """What outlives a deployment that succeeded. One that did not keeps nothing it made."""

    NOTHING = "nothing"
    IMAGE = "image"
    INSTANCE = "instance"  # and the image


class Lifetime(enum.Enum):
    """How long an entry is meant to live."""

    SCRATCH = "scratch"  # never longer than the work itself
    INSTANCE = "instance"
    IMAGE = "image"

    def kept_by(self, keep: Keep) -> bool:
        return self in _KEPT[keep]


_KEPT = {
    Keep.NOTHING: frozenset[Lifetime](),
    Keep.IMAGE: frozenset({Lifetime.IMAGE}),
    Keep.INSTANCE: frozenset({Lifetime.IMAGE, Lifetime.INSTANCE}),
}


@dataclass
class Entry:
    """One thing to remove."""

    what: str
    lifetime: Lifetime
    find: Callable[[], Sequence[str]]
    remove: Callable[[str], None]
    id: str | None = None  # once it is known
    done: bool = False  # removed, or never made


@dataclass
class Undo:
    """A context whose end removes what was pushed, last first.

    After success it keeps what `keep` says. On Ctrl-C or SIGTERM everything goes and
    `Interrupted` is raised; a second Ctrl-C abandons the rest and names it. Raises NitroError
    when success leaves something that could not be removed.
    """

    keep: Keep = Keep.IMAGE
    report: Reporter = field(default_factory=Reporter)
    sleep: Callable[[float], None] = time.sleep
    entries: list[Entry] = field(default_factory=list)
    _terminated: Any = None

    def push(
        self,
        what: str,
        lifetime: Lifetime,
        *,
        find: Callable[[], Sequence[str]] = tuple,
        remove: Callable[[str], None],
        id: str | None = None,
    ) -> Entry:
        """Remember something that is about to be made, or that is there under `id`."""
        entry = Entry(what, lifetime, find, remove, id)
        self.entries.append(entry)
        return entry

    @contextmanager
    def making(
        self,
        what: str,
        lifetime: Lifetime,
        *,
        find: Callable[[], Sequence[str]],
        remove: Callable[[str], None],
    ) -> Iterator[Entry]:
        """Remember something while one call makes it; the block calls and sets the entry's `id`.

        `find` returns the ids of what is there, for when the block did not come so far. A call
        that was clearly refused made nothing.
        """
        entry = self.push(what, lifetime, find=find, remove=remove)
        try:
            yield entry
        except ApiError as error:
            entry.done = not error.may_have_happened
            raise

    def remove(self, entry: Entry) -> None:
        """Remove one thing now, because it has served its purpose."""
        for id_ in [entry.id] if entry.id else self._search(entry):
            entry.remove(id_)
        entry.done = True

    @property
    def kept(self) -> list[Entry]:
        """What is still there."""
        return [entry for entry in self.entries if not entry.done]

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._terminated = signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            left = self.unwind(Keep.NOTHING if error else self.keep)
        finally:
            if self._terminated is not None:
                signal.signal(signal.SIGTERM, self._terminated)
        if isinstance(error, KeyboardInterrupt):
            what = f"interrupted; left behind: {', '.join(left)}" if left else "interrupted"
            raise Interrupted(what, hint=_SWEEP if left else None) from None
        if left and error is None:
            raise NitroError(f"could not remove {', '.join(left)}", hint=_SWEEP)

    def unwind(self, keep: Keep) -> list[str]:
        """Remove what `keep` does not keep. Returns what could not be removed."""
        deletion_order = [
            e for e in reversed(self.entries) if not e.done and not e.lifetime.kept_by(keep)
        ]
        if not deletion_order:
            return []
        left: list[str] = []
        with self.report.stage("clean up") as stage, _second_interrupt_only(self.report):
            for number, entry in enumerate(deletion_order):
                stage.status(f"removing {entry.what}")
                try:
                    self.remove(entry)
                except KeyboardInterrupt:
                    left += [e.what for e in deletion_order[number:]]
                    self.report.note(f"clean-up abandoned; left behind: {', '.join(left)}")
                    break
                except Exception as error:  # a defect in one removal is no reason to leave the rest
                    self.report.note(f"could not remove {entry.what}: {error}")
                    left.append(entry.what)
        return left

    def _search(self, entry: Entry) -> Sequence[str]:
        for pause in SEARCH_PAUSES:
            if found := entry.find():
                return found
            self.sleep(pause)
        return entry.find()


_SWEEP = "`nitro ls` shows what is there, `nitro destroy` removes it"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _second_interrupt_only(report: Reporter) -> Iterator[None]:
    """Let the first Ctrl-C during clean-up pass with a word; the second one counts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    warned = False

    def handle(signum: int, frame: FrameType | None) -> None:
        nonlocal warned
        if warned:
            raise KeyboardInterrupt
        warned = True
        report.note("still cleaning up; press Ctrl-C again to leave the rest behind")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
