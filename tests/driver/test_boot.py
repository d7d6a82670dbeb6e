"""The module in real machines: what is shown for Amazon's own driver, shown for this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.driver import MODULE, Machine, machine, machines
from lab.guest import GUEST
from lab.network import FLOWS, HOST, eventually
from lab.traffic import FLOWS_AT
from nitro.ena.profiles import PROFILES

pytestmark = [pytest.mark.driver, pytest.mark.boot]


def carries_traffic(subject: Machine, *options: str) -> None:
    for direction in ((), ("-R",)):
        assert subject.iperf(*options, *direction) > FLOWS_AT


# What the driver says in tests that make its card fail or ask for a reset; never that it gave up.
OWN_WORDS = r"\bnitro_ena (?!.*given up)"
# With `--offloads all` only: segments as no other card hands them over (docs/ena-device.md).
MERGED = "suspect GRO implementation"


def is_clean(subject: Machine, *provoked: str) -> None:
    assert not subject.trouble(*provoked)
    assert not subject.rules_broken()


def flows_per_queue(subject: Machine) -> list[int]:
    """How many of `FLOWS` flows each of two queues gets, once all have come."""

    def counts() -> list[int]:
        return [subject.stat(f"rx{n}_packets") for n in range(2)]

    before = counts()
    subject.lab.send_flows(GUEST)
    eventually("all flows", lambda: sum(counts()) - sum(before) >= FLOWS)
    return [now - then for now, then in zip(counts(), before, strict=True)]


def all_flows_to_one_queue(subject: Machine) -> None:
    subject.run("ethtool -X eth0 weight 0 1")
    assert flows_per_queue(subject)[0] < FLOWS // 8  # ARP and the like
    subject.run("ethtool -X eth0 default")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_module_does_what_the_kernels_driver_does(tmp_path: Path, suite: str) -> None:
    with machine(tmp_path, suite, offloads="all") as subject:
        subject.load()
        with subject.lab.start("dhcp", subject.lab.dhcp_server()):
            lease = subject.run("udhcpc -i eth0 -n -q -t 10 -s /usr/bin/true 2>&1")
            assert "lease of 10.99.0." in lease, lease
        carries_traffic(subject)
        assert subject.stat("tx0_llq_entries") + subject.stat("tx1_llq_entries") > 0

        # MTU, live; what the card would refuse is refused before it is asked.
        refused = subject.run("ip link set eth0 mtu 127 2> /dev/null || echo refused")
        assert "refused" in refused.split()
        assert "mtu less than device minimum" in subject.run("dmesg")
        subject.run("ip link set eth0 mtu 9001")
        subject.ping(8973)
        assert "9001" in subject.run("cat /sys/class/net/eth0/mtu")

        # Queues: several streams reach all of them; then one, other depths, and back.
        subject.iperf("-P", "8", "-R")
        assert min(flows_per_queue(subject)) > FLOWS // 4
        subject.run("ethtool -L eth0 combined 1; ethtool -G eth0 rx 256 tx 512")
        carries_traffic(subject, "-P", "2")
        subject.run("ethtool -L eth0 combined 2; ethtool -C eth0 tx-usecs 64 rx-usecs 20")

        # Offloads off and on.
        before = subject.stat("rx0_checksum_good") + subject.stat("rx1_checksum_good")
        subject.run("ethtool -K eth0 tso off tx off sg off")
        carries_traffic(subject, "-P", "4")
        subject.run("ethtool -K eth0 rx off")  # whole segments come in with no valid checksum
        assert subject.iperf() > FLOWS_AT
        subject.run("ethtool -K eth0 sg on tx on tso on rx on")
        carries_traffic(subject, "-P", "4")
        after = subject.stat("rx0_checksum_good") + subject.stat("rx1_checksum_good")
        assert after > before

        if suite == "trixie":  # today's ethtool cannot do this with a 6.1 kernel
            all_flows_to_one_queue(subject)
            # The default table follows the number of queues.
            subject.run("ethtool -L eth0 combined 1; ethtool -X eth0 default")
            subject.run("ethtool -L eth0 combined 2")
            assert min(flows_per_queue(subject)) > FLOWS // 4

        # Cable out, cable in.
        subject.card("link down")
        subject.wait_for_link(up=False)
        subject.card("link up")
        subject.wait_for_link()
        subject.ping()

        # Down, up; unload, load, without LLQ.
        subject.run("ip link set eth0 down")
        subject.configure()
        subject.ping()
        subject.run("rmmod nitro_ena")
        subject.load("llq=0")
        assert "no LLQ" in subject.run("dmesg | grep nitro_ena")
        carries_traffic(subject)
        subject.run("rmmod nitro_ena")
        is_clean(subject, MERGED, "mtu less than device minimum")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_resets_under_traffic(tmp_path: Path, suite: str) -> None:
    with machine(tmp_path, suite) as subject:
        subject.load()
        subject.run("ip link set eth0 mtu 9001")
        subject.run(f"(iperf3 -c {HOST} -t 40 --bidir > /tmp/long 2>&1; echo $? > /tmp/code) &")
        for n in range(1, 4):
            subject.run("sleep 3")
            subject.reset(n)
        subject.card("reset")
        subject.wait_for_resets(4)
        # The keep-alive stops: the watchdog finds out, and a second reset follows if it stays so.
        subject.card("fault keep-alive-stops on")
        eventually("the watchdog's reset", lambda: subject.stat("resets") >= 5)
        subject.card("fault keep-alive-stops off")
        subject.wait_for_link()
        subject.run("while [ ! -e /tmp/code ]; do sleep 1; done", 180)
        assert subject.run("cat /tmp/code").strip() == "0", subject.run("tail -20 /tmp/long")
        assert "9001" in subject.run("cat /sys/class/net/eth0/mtu")
        subject.ping(8973)
        carries_traffic(subject)
        subject.run("rmmod nitro_ena")
        assert not subject.trouble(OWN_WORDS)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_every_profile(tmp_path: Path, suite: str) -> None:
    """A card of each kind in one machine; each in turn carries traffic, and again after a reset."""
    profiles = sorted(set(PROFILES) - {"c5"})
    with machines(tmp_path, suite, profiles) as subjects:
        subjects[0].run(f"insmod {MODULE}")
        for profile, subject in zip(profiles, subjects, strict=True):
            subject.configure()
            subject.run(f"ip link set {subject.interface} mtu 9001")
            subject.ping(8973)
            carries_traffic(subject, "-P", "8")
            subject.reset(1)
            carries_traffic(subject, "-P", "8")
            subject.run(f"ip link set {subject.interface} down")
            assert not subject.rules_broken(), profile
        subjects[0].run("rmmod nitro_ena")
        is_clean(subjects[0])


def test_queues_come_back_when_the_card_creates_them_again(tmp_path: Path) -> None:
    """Until then there is no carrier, and nobody waits for a queue that does not exist."""
    with machine(tmp_path, strict=False) as subject:
        subject.load()
        subject.card("fault create-fails on")
        change = "ethtool -L eth0 combined 1; ethtool -L eth0 combined 2"
        lost = "dmesg | grep -c 'could not be made again'"
        loop = f"for i in $(seq 200); do ({change}) 2>&1; [ $({lost}) = 0 ] || break; done"
        subject.run(loop, 120, check=False)
        assert subject.run(lost, check=False).strip() != "0"
        subject.card("fault create-fails off")
        subject.wait_for_link()
        subject.ping()
        carries_traffic(subject)
        assert not subject.trouble(OWN_WORDS)
        subject.run("rmmod nitro_ena")


HOSTILE = [
    "first-interrupt-lost,interrupt-lost",
    "out-of-order,depth-smaller",
    "tx-id-invalid,rx-id-invalid,tx-id-duplicate",
    "rx-many-buffers",
    "fatal-error,hints-update,reset-request",
    "admin-interrupt-lost,create-fails,readless-lost",
]


@pytest.mark.parametrize("faults", HOSTILE)
def test_hostile_cards(tmp_path: Path, faults: str) -> None:
    """The kernel survives and the module can go; when the faults end, the card works."""
    with machine(tmp_path, profile=f"hostile:{faults}@5", strict=False) as subject:
        subject.run("insmod /modules/nitro_ena.ko", check=False)
        subject.run(f"ip link set eth0 up; ip addr add {GUEST}/24 dev eth0", check=False)
        traffic = f"iperf3 -c {HOST} -t 8 --bidir --connect-timeout 3000"
        subject.run(f"timeout 60 {traffic}", 120, check=False)
        for fault in faults.split(","):
            subject.card(f"fault {fault} off")
        subject.run("sleep 6; ip link set eth0 down; rmmod nitro_ena", 60, check=False)
        subject.load()
        carries_traffic(subject)
        subject.run("rmmod nitro_ena")
        assert not subject.trouble(OWN_WORDS, "given up")
