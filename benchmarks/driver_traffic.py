"""This project's ENA driver beside Amazon's: one guest, one kernel, two cards of the same kind.

    python -m benchmarks.driver_traffic [--suite trixie] [--rounds 12] [--seconds 2] [--llq]

Each driver has one of the cards; they measure in turn, A B B A, and exchange the cards halfway.
What else the machine does varies far more than the drivers differ, but hits both turns of a round
alike: the result is the median of the rounds' ratios, the middle half of them beside it. Where
other work takes the processors away, compare the second ratio: what a second of the guest's
processor brings about (QEMU's time on the processor, of all rounds). Exits of the guest are counted
by the card: they are exact.

Without LLQ unless asked for: each of its entries is sixteen exits (docs/ena-device.md).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.driver import MODULE, add_module
from lab.guest import Guest, boot, ena_nic
from lab.network import Lab
from lab.traffic import tell

DRIVERS = {"kernel": "ena", "nitro": "nitro_ena"}
MODULES = {"kernel": "/modules/ena.ko", "nitro": MODULE}
UNITS = {"out": "Mbit/s", "in": "Mbit/s", "rr": "transactions/s"}
PER = {"out": "tx_packets", "in": "rx_packets", "rr": "tx_packets"}
EXITS = ("tx_doorbells", "rx_doorbells", "unmasks", "interrupts")


@dataclass
class Card:
    """One of the guest's two cards, and the subnet that is reached over it."""

    number: int
    control: Path

    @property
    def interface(self) -> str:
        return f"eth{self.number}"

    @property
    def host(self) -> str:
        return f"10.98.{self.number}.1"

    def counters(self) -> dict[str, int]:
        pairs = (line.split() for line in tell(self.control, "counters"))
        return {name: int(value) for name, value in pairs}


@dataclass
class Samples:
    """Of each measurement: rates, QEMU's seconds on the processor, what the card counted."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in UNITS})
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(UNITS, 0.0))
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in UNITS})


def stream(guest: Guest, card: Card, seconds: int, *options: str) -> float:
    """TCP payload that arrived, Mbit/s."""
    command = f"iperf3 -J -c {card.host} -t {seconds} {' '.join(options)}"
    result = json.loads(guest.run(command, seconds=seconds + 60))
    return float(result["end"]["sum_received"]["bits_per_second"]) / 1e6


def round_trips(guest: Guest, card: Card, seconds: int) -> float:
    """TCP_RR transactions a second."""
    output = guest.run(f"netperf -H {card.host} -t TCP_RR -l {seconds} -P 0", seconds=seconds + 60)
    return float(output.split()[5])


MEASURE: dict[str, Callable[[Guest, Card, int], float]] = {
    "out": stream,
    "in": lambda guest, card, seconds: stream(guest, card, seconds, "-R"),
    "rr": round_trips,
}


def guest_seconds() -> float:
    """Time on the processor of the QEMU that this process started."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if "qemu-system" in Path(f"/proc/{child}/cmdline").read_text():
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def laboratory(suite: str, llq: bool) -> Iterator[tuple[Guest, list[Card]]]:
    """A guest with both modules loaded and two cards without a driver."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lab = stack.enter_context(Lab(Path(folder), taps=("tap0", "tap1")))
        add_module(lab, suite)
        for name in ("iperf3", "netserver"):
            options = ["-s"] if name == "iperf3" else ["-D", "-4"]
            stack.enter_context(lab.start(name, [*lab.tools.program(name), *options]))
        cards, nics = [], []
        for number in range(2):
            path = lab.folder / f"ena{number}"
            options = [] if llq else ["--no-llq"]
            control = stack.enter_context(
                lab.card(path, "--offloads", "all", *options, tap=f"tap{number}")
            )
            cards.append(Card(number, control))
            nics += ena_nic(path)
            lab.add_address(number + 1, f"{cards[-1].host}/24")
        guest = stack.enter_context(boot(lab, suite, nics))
        guest.run("echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore")
        guest.run("echo 0 > /sys/bus/pci/drivers_autoprobe")
        for module in MODULES.values():
            guest.run(f"insmod {module}")
        yield guest, cards


def bind(guest: Guest, cards: dict[str, Card]) -> None:
    """Give each driver its card, which nobody else has; interfaces up with their addresses."""
    found = guest.run("cd /sys/bus/pci/devices; grep -l 0x1d0f */vendor").split()
    slots = [path.split("/")[0] for path in found]
    for slot in slots:
        guest.run(f"echo {slot} > /sys/bus/pci/devices/{slot}/driver/unbind", check=False)
    for name, card in sorted(cards.items(), key=lambda item: item[1].number):
        slot = slots[card.number]
        guest.run(f"echo {slot} > /sys/bus/pci/drivers/{DRIVERS[name]}/bind")
        address = card.host.rsplit(".", 1)[0] + ".2"
        guest.run(f"ip link set {card.interface} mtu 9001 up")
        guest.run(f"ip addr add {address}/24 dev {card.interface}")
    time.sleep(1)
    for card in cards.values():
        guest.run(f"ping -c 1 {card.host}; iperf3 -c {card.host} -t 1", seconds=60)


def measure(suite: str, rounds: int, seconds: int, llq: bool) -> dict[str, Samples]:
    """Samples by driver."""
    found = {name: Samples() for name in DRIVERS}
    with laboratory(suite, llq) as (guest, cards):
        for number in range(rounds):
            if number in (0, rounds // 2):
                owner = dict(zip(DRIVERS, cards if number == 0 else cards[::-1], strict=True))
                bind(guest, owner)
            for what in UNITS:
                for name in list(DRIVERS)[:: 1 if number % 2 == 0 else -1]:
                    card, samples = owner[name], found[name]
                    before, spent = card.counters(), guest_seconds()
                    samples.rates[what].append(MEASURE[what](guest, card, seconds))
                    samples.seconds[what] += guest_seconds() - spent
                    for key, value in card.counters().items():
                        total = samples.counts[what].get(key, 0)
                        samples.counts[what][key] = total + value - before[key]
    return found


def ratios(found: dict[str, Samples], what: str) -> list[float]:
    """Of each round, what the nitro driver reached of what the kernel's did."""
    both = (found["nitro"].rates[what], found["kernel"].rates[what])
    return [nitro / kernel for nitro, kernel in zip(*both, strict=True)]


def per_second(samples: Samples, what: str) -> float:
    """Bytes, or transactions, that a second of the guest's processor brings about."""
    key = PER[what] if what == "rr" else PER[what].replace("packets", "bytes")
    return samples.counts[what][key] / samples.seconds[what]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--llq", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(chosen.suite, chosen.rounds, chosen.seconds, chosen.llq)
    if chosen.json:
        print(json.dumps({name: vars(samples) for name, samples in found.items()}))
        return 0
    for what, unit in UNITS.items():
        low, middle, high = statistics.quantiles(ratios(found, what), n=4)
        work = per_second(found["nitro"], what) / per_second(found["kernel"], what)
        print(f"{what}: {middle:.3f} of the kernel's driver ({low:.2f} to {high:.2f});", end=" ")
        print(f"for each second of the guest's processor {work:.3f}")
        for name, samples in found.items():
            counts = samples.counts[what]
            exits = ", ".join(f"{counts[key] / counts[PER[what]]:.3f} {key}" for key in EXITS)
            rate = statistics.median(samples.rates[what])
            size = counts[PER[what].replace("packets", "bytes")] / counts[PER[what]]
            print(f"  {name:>6}: {rate:6.0f} {unit}; {PER[what]} of {size:.0f} bytes, each {exits}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
