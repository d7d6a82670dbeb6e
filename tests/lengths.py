"""Tests that find more the longer they run: short in `make test`, long in `make soak`."""

from __future__ import annotations

import os

LONG = os.environ.get("NITRO_SOAK") == "1"


def length(*, short: int, long: int) -> int:
    """`long` under `make soak` (NITRO_SOAK=1), otherwise `short`."""
    return long if LONG else short
