"""Lines for people and for the trace: broken rules, and why the driver resets the card."""

from __future__ import annotations

from collections.abc import Callable

from nitro.ena.constants import RESET_REASONS
from nitro.ena.trace import Trace

# More than anybody reads; a driver in a loop would fill the disk.
MAX_REPORTED_RESETS = 1000


class Reporter:
    """`report` takes the lines for people; all go into the trace."""

    def __init__(self, report: Callable[[str], None], trace: Trace | None) -> None:
        self._report, self._trace = report, trace
        self._resets = 0

    def say(self, line: str) -> None:
        """For people and the trace."""
        self.note(line)
        self._report(line)

    def note(self, line: str) -> None:
        """For the trace alone."""
        if self._trace is not None:
            self._trace.event("report", line=line)

    def reset(self, reason: int) -> None:
        """The driver resets the card for a reason other than normal."""
        known = reason < len(RESET_REASONS)
        name = RESET_REASONS[reason] if known else f"unknown ({reason})"
        self._resets += 1
        say = self.say if self._resets <= MAX_REPORTED_RESETS else self.note
        say(f"the driver resets the card: {name}")
        if self._resets == MAX_REPORTED_RESETS:
            self.say("further resets are not reported")
