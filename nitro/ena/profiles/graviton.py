"""The card `graviton`."""

from __future__ import annotations

from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="graviton",
    note="every admin command fails until an event queue is set up [X]",
    needs_aenq=True,
    families=r"a1|(?!t4g)[a-z]+[2-7]g(?![a-z]*n)[a-z]*",
)
