"""The card `minimal`."""

from __future__ import annotations

from nitro.ena.constants import Capability, RxOffload, TxOffload
from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="minimal",
    note="hardly more than Linux insists on",
    llq=False,
    queues=1,
    rx_depth=1024,
    tx_offloads=TxOffload(0),
    rx_offloads=RxOffload(0),
    moderation_us=0,
    capabilities=Capability(0),
)
