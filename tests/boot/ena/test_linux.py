"""Amazon's own driver, unmodified, in Debian's cloud kernels, on this card."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

from lab.guest import GUEST, boot, ena_nic
from lab.network import ANOTHER, HOST, Lab, eventually
from lab.traffic import (
    both_ways,
    counters,
    iperf,
    llq_copies,
    offloads_off_and_on,
    ping,
    spreads_over_queues,
    tell,
    up,
)
from nitro.ena.explain import explain
from nitro.ena.profiles import PROFILES
from tests.lengths import length

pytestmark = pytest.mark.boot
KERNELS = ("bookworm", "trixie")
NEWEST = "trixie-backports"
# With `--offloads all` only: segments as no other card hands them over (docs/ena-device.md).
MERGED = "suspect GRO implementation"


@pytest.mark.parametrize(("suite", "options"), [("bookworm", ()), ("trixie", ("--map-llq",))])
def test_driver(lab: Lab, suite: str, options: tuple[str, ...]) -> None:
    """A life of a card with LLQ, from probe to reload, under load and through mishaps."""
    card = lab.folder / "ena"
    with (
        lab.start("dhcp", lab.dhcp_server()),
        lab.card(card, "--strict", "--offloads", "all", *options) as control,
        boot(lab, suite, ena_nic(card), vcpus=4) as guest,
    ):
        guest.run("insmod /modules/ena.ko")
        up(guest)
        assert "driver: ena" in guest.run("ethtool -i eth0")
        lease = guest.run("udhcpc -i eth0 -n -q -t 10 -s /usr/bin/true 2>&1")
        assert re.search(r"lease of 10\.99\.0\.[56]\d obtained", lease), lease
        ping(guest)
        ping(guest, size=9001 - 28)

        assert "Combined:\t4" in guest.run("ethtool -l eth0")
        both_ways(guest, "-P", "8")
        spreads_over_queues(lab, guest)
        assert llq_copies(guest) > 0
        offloads_off_and_on(guest, "-P", "4")

        guest.run("ethtool -L eth0 combined 1")
        both_ways(guest)
        offloads_off_and_on(guest)
        guest.run("ethtool -G eth0 rx 4096 tx 512")
        guest.run("ip link set eth0 mtu 1500")
        both_ways(guest)

        tell(control, "link down")
        eventually("link down", lambda: "0" in guest.run("cat /sys/class/net/eth0/carrier"))
        tell(control, "link up")
        eventually("link up", lambda: "1" in guest.run("cat /sys/class/net/eth0/carrier"))
        ping(guest)

        guest.run("rmmod ena; insmod /modules/ena.ko")
        up(guest)
        both_ways(guest)
        assert guest.trouble(MERGED) == []
        assert tell(control, "rules") == []

        guest.send(f"iperf3 -c {HOST} -p {ANOTHER} -t 14 > /tmp/out 2>&1")
        tell(control, "fault keep-alive-stops on")
        log = f"ena-{card.name}"
        eventually("a reset", lambda: "keep-alive timeout" in lab.log(log))
        tell(control, "fault keep-alive-stops off")
        guest.result("iperf3 through a reset", seconds=120)
        ping(guest)
        both_ways(guest)
        assert guest.trouble(MERGED, r"\bena ") == []  # the driver tells of its reset


@pytest.mark.parametrize("suite", [*KERNELS, NEWEST])
def test_cards_of_every_generation(lab: Lab, suite: str) -> None:
    """One card of each kind in one machine, each with traffic and no rule broken."""
    profiles = ("c5", "t4g", "c6in", "gen8", "strict-firmware", "graviton", "minimal")
    trace = lab.folder / "trace"
    with ExitStack() as stack:
        controls, nics = [], []
        for number, profile in enumerate(profiles):
            card = lab.folder / f"n{number}"
            options = ["--strict", "--profile", profile]
            if profile == "minimal":
                options += ["--trace", str(trace)]
            controls.append(stack.enter_context(lab.card(card, *options, tap=f"tap{number}")))
            nics += ena_nic(card)
        guest = stack.enter_context(boot(lab, suite, nics, vcpus=2))
        guest.run("insmod /modules/ena.ko")
        for number, control in enumerate(controls):
            interface = f"eth{number}"
            up(guest, interface)
            ping(guest, size=9001 - 28)
            limit = ("-b", "40M") if profiles[number] == "minimal" else ()
            both_ways(guest, *limit, seconds=1)
            assert bool(llq_copies(guest, interface)) == PROFILES[profiles[number]].llq
            guest.run(f"ip link set {interface} down")
            assert tell(control, "rules") == [], profiles[number]
        assert guest.trouble("LLQ is not supported") == []  # of t4g and minimal
    told = "\n".join(explain(trace))
    assert "driver asks (#" in told
    assert "create sq, RX, 1024 entries in host memory, completions to" in told
    frames = lab.run([*lab.tools.program("tcpdump"), "-Zroot", "-nr", f"{trace}.pcapng", "icmp"])
    assert f"{HOST} > {GUEST}: ICMP echo reply" in frames


# Of each set the first happens for certain.
FAULTS = (
    "first-interrupt-lost,interrupt-lost,out-of-order,rx-out-of-order",
    "tx-id-invalid,tx-id-duplicate,depth-smaller",
    "rx-id-invalid,rx-id-duplicate,rx-many-buffers",
    "link-flap,fatal-error,reset-request,hints-update,keep-alive-stops",
    "create-fails,admin-timeout,admin-interrupt-lost,readless-lost,mac-changes",
)


def test_hostile_cards(lab: Lab) -> None:
    """Whatever a card does, the kernel lives and a card beside it carries traffic; when the faults
    end, a driver loaded anew finds a card that works."""
    with ExitStack() as stack:
        controls, nics = [], []
        for number in range(len(FAULTS) + 1):
            card = lab.folder / f"n{number}"
            controls.append(stack.enter_context(lab.card(card, tap=f"tap{number}")))
            nics += ena_nic(card)
        guest = stack.enter_context(boot(lab, "trixie", nics, vcpus=2))
        guest.run("insmod /modules/ena.ko")
        up(guest)
        for number, faults in enumerate(FAULTS, 1):
            for fault in faults.split(","):
                tell(controls[number], f"fault {fault} on")
            tell(controls[number], f"fault {faults.partition(',')[0]} once")
            net = f"10.98.{number}"
            lab.run(["ip", "addr", "add", f"{net}.1/24", "dev", "br0"])
            # A server of its own: it may go on waiting for a client that is gone.
            with lab.start("peer", [*lab.tools.program("iperf3"), "-s", "-p", "5203"]):
                guest.run(f"ip link set eth{number} up; ip addr add {net}.2/24 dev eth{number}")
                traffic = f"iperf3 -c {net}.1 -p 5203 --connect-timeout 3000 -t 4 --bidir"
                guest.run(f"timeout 8 {traffic}", seconds=90, check=False)
            assert tell(controls[number], "faults"), faults
            for fault in faults.split(","):
                tell(controls[number], f"fault {fault} off")
            tell(controls[number], "link up")
        both_ways(guest)
        assert tell(controls[0], "rules") == []
        guest.run("rmmod ena; insmod /modules/ena.ko", seconds=120)
        for number in range(1, len(FAULTS) + 1):
            up(guest, f"eth{number}", address=f"10.98.{number}.2")
            guest.run(f"/usr/bin/ping -c 3 -i 0.2 -W 5 10.98.{number}.1")
        for trouble in ("BUG:", "Oops", "general protection", "KASAN"):
            assert trouble not in guest.console()


@pytest.mark.slow
@pytest.mark.soak
def test_long_run(lab: Lab) -> None:
    """Both kernels for half a minute, in `make soak` for five, traffic between them both ways at
    once: no reset, no complaint, no rule broken."""
    with ExitStack() as stack:
        controls, guests = [], []
        for number, suite in enumerate(KERNELS):
            card = lab.folder / suite
            controls.append(stack.enter_context(lab.card(card, "--strict", tap=f"tap{number}")))
            guests.append(
                stack.enter_context(boot(lab, suite, ena_nic(card), name=f"guest{number}", vcpus=2))
            )
        for number, guest in enumerate(guests):
            guest.run("insmod /modules/ena.ko")
            up(guest, address=f"10.99.0.{2 + number}")
        guests[1].run("iperf3 -s -D")
        iperf(guests[0], "--bidir", peer="10.99.0.3", seconds=length(short=30, long=300))
        for suite, guest, control in zip(KERNELS, guests, controls, strict=True):
            seen = counters(guest)
            assert (seen["tx_timeout"], seen["wd_expired"], seen["interface_down"]) == (0, 0, 0)
            assert guest.trouble() == []
            assert tell(control, "rules") == []
            assert "resets the card" not in lab.log(f"ena-{suite}")
