"""Drivers beside Linux's on this card, as Debian ships them: iPXE's and DPDK's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import dpdk, ipxe
from lab.guest import boot, ena_nic
from lab.network import Lab, eventually
from lab.traffic import tell
from nitro.ena.serve import default_mac
from nitro.local.qemu import Card

pytestmark = pytest.mark.boot

# iPXE of May 2025 has no LLQ, without which a gen8 card sends nothing.
IPXE_PROFILES = ("c5", "t4g", "c6in", "strict-firmware", "graviton", "minimal")
DPDK_PROFILES = ("c5", "t4g", "c6in", "strict-firmware", "graviton", "gen8")


def cards(
    lab: Lab, stack: ExitStack, profiles: tuple[str, ...], mapped: str = ""
) -> tuple[list[Path], list[Card]]:
    """A card of each profile, with LLQ memory mapped in `mapped`: control sockets, and what QEMU is
    to be told."""
    controls, nics = [], []
    for number, profile in enumerate(profiles):
        card = lab.folder / f"n{number}"
        options = ["--strict", "--profile", profile]
        options += ["--map-llq"] if profile == mapped else []
        controls.append(stack.enter_context(lab.card(card, *options, tap=f"tap{number}")))
        nics += ena_nic(card)
    return controls, nics


def test_ipxe(lab: Lab) -> None:
    """200 kB by HTTP over each card in turn, over the first by an address from DHCP."""
    with ExitStack() as stack:
        controls, nics = cards(lab, stack, IPXE_PROFILES)
        stack.enter_context(ipxe.boot(lab, nics))
        eventually("the end of iPXE's script", lambda: ipxe.ended(lab), 120)
        for number, profile in enumerate(IPXE_PROFILES):
            assert ipxe.passed(lab, number), profile
            assert tell(controls[number], "rules") == [], profile


def test_dpdk(lab: Lab) -> None:
    """Pings short and long over each card in turn; then floods over two at once, neither of which
    holds the other up."""
    with ExitStack() as stack:
        controls, nics = cards(lab, stack, DPDK_PROFILES, mapped="c6in")
        dpdk.add_testpmd(lab)
        guest = stack.enter_context(boot(lab, dpdk.SUITE, nics, vcpus=2))
        slots = dpdk.prepare(guest)
        for number, slot in enumerate(slots):
            profile = DPDK_PROFILES[number]
            program = dpdk.Testpmd(guest, [slot])
            for size in (56, 1472):
                dpdk.ping(lab, f"10.99.0.{20 + number}", size)
            said = program.stop()
            assert not dpdk.complaints(said), profile
            assert tell(controls[number], "rules") == [], profile
        pair = [f"10.99.0.{30 + number}" for number in range(2)]
        for number, address in enumerate(pair):
            mac = default_mac(lab.folder / f"n{number}").hex(":")
            dpdk.lead_to(lab, address, mac, f"tap{number}")
        program = dpdk.Testpmd(guest, slots[:2], "--port-topology=loop")
        alone = [dpdk.flood(lab, [address])[0] for address in pair]
        together = dpdk.flood(lab, pair)
        assert min(together) > min(alone) / 5 > 0, (alone, together)
        assert not dpdk.complaints(program.stop())
        assert not tell(controls[0], "rules") + tell(controls[1], "rules")
        assert guest.trouble("No IRQ assigned to device") == []  # nobody asks for one
