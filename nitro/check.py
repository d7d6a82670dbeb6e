"""The result of one check of `nitro doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was checked, and what was found. `remedy` is "" if `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
