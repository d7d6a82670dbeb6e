"""Amazon's own driver, unmodified, in Debian's cloud kernels, on this card."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.boot.ena.guest import GUEST, Guest, boot, ena_nic
from tests.boot.ena.lab import HOST, Lab, eventually

pytestmark = pytest.mark.boot
KERNELS = ("bookworm", "trixie")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with (
        Lab(tmp_path, taps=tuple(f"tap{n}" for n in range(5))) as made,
        made.start("iperf3", [*made.tools.program("iperf3"), "-s"]),
    ):
        yield made


def tell(control: Path, line: str) -> list[str]:
    """Send a command to a running card; the lines of its answer before `ok`."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        connection.sendall(line.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode().splitlines()
    assert answer[-1] == "ok", answer
    return answer[:-1]


def up(guest: Guest, interface: str = "eth0", mtu: int = 9001, address: str = GUEST) -> None:
    guest.run(f"ip link set {interface} mtu {mtu} up")
    eventually("carrier", lambda: "1" in guest.run(f"cat /sys/class/net/{interface}/carrier"))
    guest.run(f"ip addr replace {address}/24 dev {interface}")


def ping(guest: Guest, size: int = 56) -> None:
    guest.run(f"/usr/bin/ping -c 3 -i 0.2 -W 5 -M do -s {size} {HOST}")


def iperf(guest: Guest, *options: str, seconds: float = 2) -> float:
    """Mbit/s that the receiver counted; it must be something."""
    output = guest.run(
        f"iperf3 -J -c {HOST} -t {seconds} {' '.join(options)}", seconds=seconds * 2 + 60
    )
    rate = float(json.loads(output)["end"]["sum_received"]["bits_per_second"]) / 1e6
    assert rate > 10, f"{rate} Mbit/s with {options}"
    return rate


def counters(guest: Guest, interface: str = "eth0") -> dict[str, int]:
    lines = guest.run(f"ethtool -S {interface}").splitlines()
    found = (re.match(r"\s*(\S+): (\d+)$", line) for line in lines)
    return {match[1]: int(match[2]) for match in found if match}


def both_ways(guest: Guest, *options: str) -> None:
    iperf(guest, *options)
    iperf(guest, "-R", *options)


def spreads_over_queues(lab: Lab, guest: Guest, queues: int = 4) -> None:
    """Many flows reach each queue, in either direction: the driver counts them."""

    def shares(direction: str) -> list[int]:
        seen = counters(guest)
        return [seen[f"queue_{n}_{direction}_cnt"] for n in range(queues)]

    def new(direction: str, before: list[int]) -> list[int]:
        return [now - then for now, then in zip(shares(direction), before, strict=True)]

    before = shares("rx")
    lab.send_flows(GUEST)
    eventually("RX on each queue", lambda: min(new("rx", before)) > 0)
    before = shares("tx")
    iperf(guest, "-P", "64", seconds=1)  # Linux draws a TX queue for each connection
    assert min(new("tx", before)) > 0, f"tx: {new('tx', before)}"


@pytest.mark.parametrize("suite", KERNELS)
def test_driver(lab: Lab, suite: str) -> None:
    """A life of a card with LLQ, from probe to reload, under load and through mishaps."""
    card = lab.folder / "ena"
    with (
        lab.start("dhcp", lab.dhcp_server()),
        lab.card(card, "--strict") as control,
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
        seen = counters(guest)
        assert sum(seen[f"queue_{n}_tx_llq_buffer_copy"] for n in range(4)) > 0

        for feature in ("tso", "tx", "rx"):
            guest.run(f"ethtool -K eth0 {feature} off", check=feature != "tso")
            both_ways(guest)
        guest.run("ethtool -K eth0 tx on rx on tso on")

        guest.run("ethtool -L eth0 combined 1")
        both_ways(guest)
        guest.run("ethtool -G eth0 rx 512 tx 512")
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
        assert guest.trouble() == []
        assert tell(control, "rules") == []

        guest.send(f"iperf3 -c {HOST} -t 14 > /tmp/out 2>&1")
        tell(control, "fault keep-alive-stops on")
        log = f"ena-{card.name}"
        eventually("a reset", lambda: "keep-alive timeout" in lab.log(log))
        tell(control, "fault keep-alive-stops off")
        guest.result("iperf3 through a reset", seconds=120)
        ping(guest)
        both_ways(guest)
        assert "BUG" not in guest.console()
        assert "Call Trace" not in guest.console()


def test_cards_of_other_generations(lab: Lab) -> None:
    """One card of each kind in one machine, each with traffic and no rule broken."""
    profiles = ("t4g", "c6in", "gen8", "strict-firmware", "graviton")
    with ExitStack() as stack:
        controls, nics = [], []
        for number, profile in enumerate(profiles):
            card = lab.folder / f"n{number}"
            options = ("--strict", "--profile", profile)
            controls.append(stack.enter_context(lab.card(card, *options, tap=f"tap{number}")))
            nics += ena_nic(card)
        guest = stack.enter_context(boot(lab, "trixie", nics, vcpus=2))
        guest.run("insmod /modules/ena.ko")
        for number, control in enumerate(controls):
            interface = f"eth{number}"
            up(guest, interface)
            ping(guest, size=9001 - 28)
            both_ways(guest)
            guest.run(f"ip link set {interface} down")
            assert tell(control, "rules") == [], profiles[number]
        assert guest.trouble() == []


def test_hostile_card(lab: Lab) -> None:
    """Whatever the card does, the kernel lives and the card's program goes on."""
    good, bad = lab.folder / "good", lab.folder / "bad"
    with (
        lab.card(good) as good_control,
        lab.card(
            bad, "--profile", "hostile:interrupt-lost,out-of-order,link-flap@7", tap="tap1"
        ) as bad_control,
        boot(lab, "trixie", [*ena_nic(bad), *ena_nic(good)], vcpus=2) as guest,
    ):
        guest.run("insmod /modules/ena.ko")
        guest.run("ip link set eth0 up; ip addr add 10.97.0.2/24 dev eth0")
        up(guest, "eth1")
        both_ways(guest)
        assert tell(bad_control, "counters")
        assert tell(good_control, "rules") == []
        assert "BUG" not in guest.console()


@pytest.mark.slow
@pytest.mark.parametrize(("suite", "seconds"), [("trixie", 300), ("bookworm", 30)])
def test_long_run(lab: Lab, suite: str, seconds: int) -> None:
    """Traffic both ways at once, with no reset and no complaint."""
    card = lab.folder / "ena"
    with (
        lab.card(card, "--strict") as control,
        boot(lab, suite, ena_nic(card), vcpus=2) as guest,
    ):
        guest.run("insmod /modules/ena.ko")
        up(guest)
        iperf(guest, "--bidir", seconds=seconds)
        seen = counters(guest)
        assert (seen["tx_timeout"], seen["wd_expired"], seen["interface_down"]) == (0, 0, 0)
        assert guest.trouble() == []
        assert tell(control, "rules") == []
        assert "resets the card" not in lab.log(f"ena-{card.name}")
