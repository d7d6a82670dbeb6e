"""What all parts of one card share."""

from __future__ import annotations

from dataclasses import dataclass

from nitro.ena.faults import Faults
from nitro.ena.memory import Memory
from nitro.ena.native.loop import Loop
from nitro.ena.profiles import Profile
from nitro.ena.rules import Rules
from nitro.ena.stats import Counters
from nitro.ena.trace import Trace


@dataclass(frozen=True, slots=True)
class Context:
    """One card's profile and guest memory, and where its parts report to."""

    profile: Profile
    memory: Memory
    rules: Rules
    faults: Faults
    counters: Counters
    trace: Trace | None = None
    loop: Loop | None = None
