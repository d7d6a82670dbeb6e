"""The card `c5`."""

from __future__ import annotations

from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="c5",
    note="5th to 7th generation x86: LLQ with readable defaults [A]",
)
