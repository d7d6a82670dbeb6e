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

from nitro.cloud.codes import CREDENTIALS
from nitro.cloud.errors import ApiError
from nitro.errors import Interrupted, NitroError
from nitro.progress import Reporter

_SWEEP = "`nitro ls` shows what is there, `nitro destroy` removes it"
RENEWAL_PAUSES = (1.0, 2.0, 4.0)  # seconds: expired credentials may be renewed meanwhile
SEARCH_PAUSES = (1.0, 2.0, 4.0)  # seconds: something just made is not findable at once


class Keep(enum.Enum):
    """What outlives a deployment that succeeded. Of that, one that failed keeps what is proven."""

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
    proven: bool = False  # found to be what it should be, so that another run can go on from it


class CleanUpError(NitroError):
    """The work succeeded, and something that it made could not be removed."""

    def __init__(self, left: list[str]) -> None:
        super().__init__(f"could not remove {', '.join(left)}", hint=_SWEEP)
        self.left = left


@dataclass
class Undo:
    """A context whose end removes what was pushed, last first.

    After success it keeps what `keep` says, after a failure what of that is proven. On Ctrl-C or
    SIGTERM everything goes and `Interrupted` is raised; a second Ctrl-C abandons the rest and names
    it. Raises CleanUpError when success leaves something that could not be removed; with an `outer`
    context, that one tries again instead.
    """

    keep: Keep = Keep.IMAGE
    report: Reporter = field(default_factory=Reporter)
    sleep: Callable[[float], None] = time.sleep
    outer: Undo | None = None
    title: str = "clean up"  # of the stage
    entries: list[Entry] = field(default_factory=list)

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
        _signals.take(self.report)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            interrupted = isinstance(error, (KeyboardInterrupt, Interrupted))
            if error and not interrupted:
                self._spare_proven()
            left = self.unwind(Keep.NOTHING if error else self.keep)
        finally:
            _signals.give_back()
        if isinstance(error, KeyboardInterrupt):
            what = f"interrupted; left behind: {', '.join(left)}" if left else "interrupted"
            raise Interrupted(what, hint=_SWEEP if left else None) from None
        if left and self.outer:
            self.outer.entries += [e for e in self.entries if not e.done and e.what in left]
        elif left and error is None:
            raise CleanUpError(left)

    def _spare_proven(self) -> None:
        """Leave to the next run what this one has proven and would have kept."""
        for entry in self.kept:
            if entry.proven and entry.lifetime.kept_by(self.keep):
                self.entries.remove(entry)
                self.report.note(f"the {entry.what} is kept: the next run goes on from it")

    def unwind(self, keep: Keep) -> list[str]:
        """Remove what `keep` does not keep. Returns what could not be removed."""
        deletion_order = [
            e for e in reversed(self.entries) if not e.done and not e.lifetime.kept_by(keep)
        ]
        if not deletion_order:
            return []
        left: list[str] = []
        pauses = list(RENEWAL_PAUSES)
        with self.report.stage(self.title) as stage, _signals.cleaning_up():
            for number, entry in enumerate(deletion_order):
                stage.status(f"removing {entry.what}")
                try:
                    self._remove_patiently(entry, pauses)
                except KeyboardInterrupt:
                    left += [e.what for e in deletion_order[number:]]
                    self.report.note(f"clean-up abandoned; left behind: {', '.join(left)}")
                    break
                except Interrupted as error:  # in a thread, whose wait was ended
                    if not self.outer:  # which removes it
                        self.report.note(f"could not remove {entry.what}: {error}")
                    left.append(entry.what)
                except Exception as error:  # a defect in one removal is no reason to leave the rest
                    self.report.note(f"could not remove {entry.what}: {error}")
                    left.append(entry.what)
        return left

    def _remove_patiently(self, entry: Entry, pauses: list[float]) -> None:
        """Where credentials have expired, try again after each of the pauses that are left."""
        while True:
            try:
                return self.remove(entry)
            except ApiError as error:
                if error.code not in CREDENTIALS or not pauses:
                    raise
                self.sleep(pauses.pop(0))

    def _search(self, entry: Entry) -> Sequence[str]:
        for pause in SEARCH_PAUSES:
            if found := entry.find():
                return found
            self.sleep(pause)
        return entry.find()


class _Signals:
    """Ctrl-C and SIGTERM: the first ends the work, later ones find the clean-up under way.

    They are taken over before anything is made, and for nested contexts once: a second signal
    within milliseconds of the first must not end the clean-up before it has begun.
    """

    def __init__(self) -> None:
        self._users = 0
        self._before: dict[int, Any] = {}
        self._report = Reporter()
        self._interrupted = self._cleaning = self._warned = False

    def take(self, report: Reporter) -> None:
        """Only the main thread can; elsewhere nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._users += 1
        if self._users == 1:
            self._report = report
            self._interrupted = self._cleaning = self._warned = False
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)

    def give_back(self) -> None:
        """The handlers return with the last context that took them."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._users -= 1
        if self._users == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    @contextmanager
    def cleaning_up(self) -> Iterator[None]:
        """The first signal in the block is told to wait, the next one ends the block.

        Outside the main thread, which gets the signals and may be at work, nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._cleaning, self._warned = True, False
        try:
            yield
        finally:
            self._cleaning = False

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._cleaning and not self._warned:
            self._warned = True
            self._report.note("still cleaning up; press Ctrl-C again to leave the rest behind")
        elif self._cleaning or not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt


_signals = _Signals()
