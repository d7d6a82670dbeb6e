"""What a guest on a card is put through, and what card and driver say of it."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

from lab.guest import GUEST, Guest
from lab.network import HOST, Lab, eventually

# Mbit/s: hundreds are usual, but a host may be as busy as it likes.
FLOWS_AT = 1.0


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


def measure(guest: Guest, *options: str, peer: str = HOST, seconds: float = 2) -> list[float]:
    """Mbit/s that the receiver counted, or both receivers with `--bidir`."""
    command = f"iperf3 -J -c {peer} -t {seconds} {' '.join(options)}"
    for _ in range(10):
        told = json.loads(guest.run(command, seconds=seconds * 2 + 60, check=False))
        if "error" not in told or told["start"]["connected"]:
            break
        time.sleep(1)  # between two tests iperf3's server does not listen for a moment
    assert "error" not in told, f"{command}: {told['error']}"
    sums = [one for name, one in told["end"].items() if name.startswith("sum_received")]
    return [one["bits_per_second"] / 1e6 for one in sums]


def iperf(guest: Guest, *options: str, peer: str = HOST, seconds: float = 2) -> None:
    """Traffic for so long; each receiver must have counted something."""
    rates = measure(guest, *options, peer=peer, seconds=seconds)
    assert len(rates) == 1 + ("--bidir" in options)
    assert min(rates) > FLOWS_AT, f"{rates} Mbit/s with {options}"


def round_trips(guest: Guest, peer: str = HOST, seconds: int = 2) -> float:
    """TCP_RR transactions a second, with the host's netserver."""
    command = f"netperf -H {peer} -t TCP_RR -l {seconds} -P 0"
    return float(guest.run(command, seconds=seconds + 60).split()[5])


def counters(guest: Guest, interface: str = "eth0") -> dict[str, int]:
    lines = guest.run(f"ethtool -S {interface}").splitlines()
    found = (re.match(r"\s*(\S+): (\d+)$", line) for line in lines)
    return {match[1]: int(match[2]) for match in found if match}


def both_ways(guest: Guest, *options: str, seconds: float = 2) -> None:
    iperf(guest, *options, seconds=seconds)
    iperf(guest, "-R", *options, seconds=seconds)


def offloads_off_and_on(guest: Guest, *options: str) -> None:
    """Traffic both ways with ever fewer offloads, and then with all of them again."""
    names = {"tso": "tcp-segmentation-offload", "tx": "tx-checksumming", "rx": "rx-checksumming"}
    for feature, name in names.items():
        guest.run(f"ethtool -K eth0 {feature} off")
        assert f"{name}: off" in guest.run("ethtool -k eth0")
        both_ways(guest, *options)
    guest.run("ethtool -K eth0 tx on rx on tso on")
    features = guest.run("ethtool -k eth0")
    assert all(f"{name}: on" in features for name in names.values()), features


def llq_copies(guest: Guest, interface: str = "eth0") -> int:
    """Packets whose headers the driver pushed into the card."""
    return sum(n for name, n in counters(guest, interface).items() if "llq_buffer_copy" in name)


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
