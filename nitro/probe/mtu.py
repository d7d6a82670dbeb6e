"""A measurement under an MTU of its own, which the client's card has while the tool runs.

Both ends of a TCP connection keep to the smaller segment size of the two, so the client's MTU
bounds what the server sends, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from nitro.probe.base import Probe
from nitro.probe.step import Step

# Below 576 an IPv4 host need not take a whole packet; no instance has more than 9001.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html
Mtu = Annotated[int, Field(ge=576, le=9001)]


class AtMtu(Probe):
    """`probe`, with `mtu` bytes as the MTU of the client's card: `amis/client/at-mtu` sets it.

    For probes over TCP, run by a client of ours: not for the user's own machine.
    """

    tool: ClassVar[str] = "at-mtu"
    probe: Probe
    mtu: Mtu

    def steps(self, target: str) -> list[Step]:
        return [
            replace(step, argv=("at-mtu", str(self.mtu), *step.argv))
            for step in self.probe.steps(target)
        ]
