"""The card `t4g`."""

from __future__ import annotations

from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="t4g",
    note="burstable Graviton2 and types of the Xen era: no LLQ, no BAR 2 [A]",
    llq=False,
    families=r"t4g|[mr]4|i3|x1e?|p[23]|g3s?|h1|f1",
)
