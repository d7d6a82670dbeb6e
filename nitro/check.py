"""The answer of one examination, as `nitro doctor` prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `remedy` is "" when all is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
