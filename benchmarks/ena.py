"""The ENA card against QEMU's virtio-net: same kernel, same kind of tap, one run.

Two guests run side by side; the measurements alternate, so that what else the machine does hits
both. Prints the median of each and their ratio.

    python -m benchmarks.ena [--suite trixie] [--rounds 5] [--seconds 4] [--mtu 9001] [--llq]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from lab.guest import Guest, boot, ena_nic, virtio_nic
from lab.network import HOST, Lab

KINDS = ("ena", "virtio-net")


def stream(guest: Guest, seconds: int, *options: str) -> float:
    """TCP payload that arrived, Mbit/s."""
    command = f"iperf3 -J -c {HOST} -t {seconds} {' '.join(options)}"
    result = json.loads(guest.run(command, seconds=seconds + 30))
    return float(result["end"]["sum_received"]["bits_per_second"]) / 1e6


def round_trips(guest: Guest, seconds: int) -> float:
    """TCP_RR transactions a second."""
    output = guest.run(f"netperf -H {HOST} -t TCP_RR -l {seconds} -P 0", seconds=seconds + 30)
    return float(output.split()[5])


def compare(options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Measurement → card → values."""
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lab = stack.enter_context(Lab(Path(folder), taps=("tap0", "tap1")))
        stack.enter_context(lab.start("iperf3", [*lab.tools.program("iperf3"), "-s"]))
        stack.enter_context(lab.start("netserver", [*lab.tools.program("netserver"), "-D"]))
        card = lab.folder / "ena"
        stack.enter_context(
            lab.card(card, "--offloads", "all", *([] if options.llq else ["--no-llq"]))
        )
        nics = {"ena": ena_nic(card), "virtio-net": virtio_nic("tap1")}
        guests = {}
        for number, kind in enumerate(KINDS):
            guest = stack.enter_context(boot(lab, options.suite, nics[kind], name=kind))
            guest.run("insmod /modules/ena.ko")
            guest.run(f"ip addr add 10.99.0.{2 + number}/24 dev eth0")
            guest.run(f"ip link set eth0 mtu {options.mtu} up; sleep 1; ping -c 1 {HOST}")
            guests[kind] = guest
        for number in range(options.rounds):
            order = KINDS if number % 2 == 0 else KINDS[::-1]
            for kind in order:
                guest = guests[kind]
                for name, value in (
                    ("TCP out, Mbit/s", stream(guest, options.seconds)),
                    ("TCP in, Mbit/s", stream(guest, options.seconds, "-R")),
                    ("TCP_RR, 1/s", round_trips(guest, options.seconds)),
                ):
                    found.setdefault(name, {}).setdefault(kind, []).append(value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--mtu", type=int, default=9001)
    parser.add_argument("--llq", action="store_true", help="with LLQ")
    parser.add_argument("--json", action="store_true", help="every value instead of a table")
    options = parser.parse_args()
    found = compare(options)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'':20}{KINDS[0]:>12}{KINDS[1]:>12}{'ratio':>8}")
    for name, values in found.items():
        first, second = (statistics.median(values[kind]) for kind in KINDS)
        print(f"{name:20}{first:12.0f}{second:12.0f}{first / second:8.2f}")


if __name__ == "__main__":
    main()
