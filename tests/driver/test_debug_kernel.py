"""The module, and Amazon's beside it, in a kernel that checks memory, locks, DMA and
lifetimes.

`make debug-kernel` builds the kernel (lab/debug_kernel.py) and runs these; nothing else does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.driver import Machine, machines
from lab.reports import reports
from tests.driver.debugged import SLOW, log_over_the_network, prepare, traffic

pytestmark = [pytest.mark.debug_kernel, pytest.mark.timeout(1800)]

MODULES = ("nitro_ena", "ena")
_CHANGES = (
    *("ethtool -L {0} combined 1", "ethtool -L {0} combined 2", "ethtool -G {0} rx 256 tx 256"),
    *("ethtool -G {0} rx 1024 tx 512", "ethtool -X {0} weight 1 0", "ethtool -X {0} default"),
    *("ethtool -C {0} rx-usecs 0 tx-usecs 0", "ethtool -K {0} tx off sg off rx off"),
    *("ethtool -K {0} sg on tx on rx on", "ip link set {0} mtu 1500", "ip link set {0} mtu 9001"),
    *("ethtool -S {0}", "ethtool --reset {0} all", "ip link set {0} down", "ip link set {0} up"),
)


def change_everything(subject: Machine) -> None:
    """What a user can change; a card may refuse."""
    for command in _CHANGES:
        subject.run(command.format(subject.interface), SLOW, check=False)
    subject.card("link down")
    subject.card("link up")
    subject.wait_for_link()


@pytest.mark.parametrize("module", MODULES)
def test_changes_resets_and_reloads_under_traffic(tmp_path: Path, module: str) -> None:
    with machines(tmp_path, "kasan", ["c5"]) as (subject,):
        prepare(subject, module)
        subject.configure()
        with traffic(subject):
            change_everything(subject)
            log_over_the_network(subject)
        subject.ping()
        with traffic(subject):
            for _ in range(2):
                subject.card("reset")
                subject.run(f"rmmod {module}; insmod /modules/{module}.ko", SLOW)
                subject.configure()
        subject.run(f"rmmod {module}", SLOW)
        assert reports(subject, module) == []
