"""Waiting for something to become so: one poller, with back-off, deadline and progress.

botocore's waiters give up after ten minutes, know too few final states and take a NotFound
right after a creating call for the truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from nitro.cloud.errors import ApiError
from nitro.cloud.session import Cloud
from nitro.cloud.visibility import VISIBLE_AFTER
from nitro.errors import NitroError
from nitro.progress import Stage

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.25, 15.0, 1.5  # seconds


class DeadlinePassed(NitroError):
    """What was waited for has not happened in time."""


def until(
    cloud: Cloud,
    look: Callable[[], T | None],
    *,
    what: str,
    deadline: float,
    stage: Stage | None = None,
    new: bool = False,
    longest_pause: float = LONGEST_PAUSE,
) -> T:
    """Call `look` until it returns something; return that.

    `deadline` is in seconds from now. `look` raises to end the wait as failed. When the thing
    is `new`, errors that say it does not exist are not believed for two minutes.
    Raises DeadlinePassed when the deadline passes.
    """
    started, pause = time.monotonic(), FIRST_PAUSE
    while True:
        elapsed = time.monotonic() - started
        try:
            found = look()
            if found is not None:
                return found
        except ApiError as error:
            if not (new and error.absent and elapsed < VISIBLE_AFTER):
                raise
        if elapsed >= deadline:
            raise DeadlinePassed(
                f"{what} took longer than {deadline:g} s",
                hint="it may still happen: see `nitro ls`",
            )
        if stage:
            stage.status(f"waiting for {what}, {elapsed:.0f} s")
        cloud.sleep(min(pause, max(deadline - elapsed, 0.01)))
        pause = min(pause * GROWTH, longest_pause)
