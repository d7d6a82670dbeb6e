"""What all parts of one card share."""

from __future__ import annotations

from dataclasses import dataclass, field

from nitro.ena.constants import BAR0_SIZE
from nitro.ena.faults import Faults
from nitro.ena.memory import Memory
from nitro.ena.native.loop import Loop
from nitro.ena.profiles import Profile
from nitro.ena.rules import Rules
from nitro.ena.state import ClientState
from nitro.ena.stats import Counters
from nitro.ena.trace import Trace


def _no_client() -> ClientState:
    return ClientState(socket=-1, bar0_bytes=BAR0_SIZE)


@dataclass(frozen=True, slots=True)
class Context:
    """One card's profile and guest memory, and where its parts report to. `client` is for the C
    loop."""

    profile: Profile
    memory: Memory
    rules: Rules
    faults: Faults
    counters: Counters
    trace: Trace | None = None
    loop: Loop | None = None
    client: ClientState = field(default_factory=_no_client)
