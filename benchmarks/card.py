"""The ENA card beside QEMU's virtio-net: one guest with all of them, one kernel, one run.

    python -m benchmarks.card [--rounds 5] [--seconds 3] [--suite trixie] [--profile c5] [--limits]
    python -m benchmarks.card --light [--rounds 5] [--seconds 3] [--profile c5] [--limits]

Cards: virtio-net; the profile's, with LLQ and without; the same with `--offloads all`, and with
`--map-llq`. Each has a tap of the same kind. They take turns, in another order each round, so that
what else the machine does hits all of them; the table has the medians and their ratios to
virtio-net's. Beside each stands how much of a processor the card and QEMU took: at 1 the card is
the limit, and QEMU a little above, which has one thread for the guest's processor and others.
virtio-net is a part of QEMU. On a machine that other work keeps busy, look at the last column: the
ratio of what a second of their processors brought about.

--light has DPDK's testpmd poll all cards instead, which answers pings of 1,400 bytes, 32 under way:
a guest that does next to nothing with a packet, and hides less of what the card costs.

--limits samples the cards' processor time and prints the functions that take most. This costs
speed: the figures are not to be kept.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import dpdk, sampler
from lab.guest import Guest, boot, ena_nic, virtio_nic
from lab.network import Lab, eventually
from lab.traffic import measure, round_trips
from nitro.local.qemu import Card

VIRTIO = "virtio-net"
# What each card is started with. virtio-net is first: the module of the others is loaded later.
CARDS: dict[str, tuple[str, ...]] = {
    VIRTIO: (),
    "profile": (),
    "profile, no LLQ": ("--no-llq",),
    "all offloads": ("--offloads", "all"),
    "all offloads, mapped": ("--offloads", "all", "--map-llq"),
    "all offloads, no LLQ": ("--offloads", "all", "--no-llq"),
}
MEASUREMENTS = ("TCP out, Mbit/s", "TCP in, Mbit/s", "TCP_RR, 1/s")
PINGS = "pings answered, 1/s"
MOST_FUNCTIONS = 12


@dataclass
class Values:
    """Of one card and measurement, one entry a round. Times are in processors: seconds a second."""

    rates: list[float] = field(default_factory=list)
    card: list[float] = field(default_factory=list)
    qemu: list[float] = field(default_factory=list)
    functions: dict[str, int] = field(default_factory=dict)  # name → samples, with --limits

    def medians(self) -> tuple[float, float, float]:
        """Of the rates, the card's and QEMU's processors."""
        rate, card, qemu = map(statistics.median, (self.rates, self.card, self.qemu))
        return rate, card, qemu


Found = dict[str, dict[str, Values]]  # measurement → card → values


class Bench:
    """The guest, with an address on every card, and the processes beside it."""

    def __init__(self, lab: Lab, guest: Guest, *, limits: bool) -> None:
        self._lab, self._guest, self._limits = lab, guest, limits

    def measure(self, name: str, what: str, seconds: int, values: Values) -> None:
        """Measure one card once."""
        number = list(CARDS).index(name)
        peer, process = f"10.98.{number}.1", f"ena-card{number}"
        if sampled := self._limits and name != VIRTIO:
            self._samples(number)
        before, began = self._spent(name, process), time.monotonic()
        if what == PINGS:
            rate = dpdk.flood(self._lab, [f"10.99.0.{20 + number}"], seconds)[0] / seconds
        elif what == MEASUREMENTS[2]:
            rate = round_trips(self._guest, peer, seconds)
        else:
            options = ("-R",) if what == MEASUREMENTS[1] else ()
            (rate,) = measure(self._guest, *options, peer=peer, seconds=seconds)
        after, took = self._spent(name, process), time.monotonic() - began
        values.rates.append(rate)
        values.qemu.append((after[0] - before[0]) / took)
        values.card.append((after[1] - before[1]) / took)
        if sampled:
            for line in self._samples(number):
                seen = values.functions.get(line.function, 0)
                values.functions[line.function] = seen + line.own

    def _spent(self, name: str, process: str) -> tuple[float, float]:
        """Processor seconds of QEMU and of the card so far."""
        card = 0.0 if name == VIRTIO else self._lab.processor_seconds(process)
        return self._lab.processor_seconds("guest"), card

    def _samples(self, number: int) -> list[sampler.Line]:
        """What was sampled since the last time."""
        path = samples_path(self._lab, number)
        path.unlink(missing_ok=True)
        self._lab.signal(f"ena-card{number}", signal.SIGUSR1)
        eventually("the samples", path.exists)
        return sampler.read(path)


def samples_path(lab: Lab, number: int) -> Path:
    return lab.folder / f"samples{number}"


def macs() -> list[str]:
    return [f"02:00:00:00:00:{0x10 + number:02x}" for number in range(len(CARDS))]


@contextmanager
def cards(profile: str, *, limits: bool) -> Iterator[tuple[Lab, list[Card]]]:
    """A lab with a tap for each card, and what QEMU is to be told."""
    taps = tuple(f"tap{number}" for number in range(len(CARDS)))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lab = stack.enter_context(Lab(Path(folder), taps=taps))
        nics = virtio_nic(taps[0], macs()[0])
        for number, (name, options) in enumerate(CARDS.items()):
            if name == VIRTIO:
                continue
            path = lab.folder / f"card{number}"
            samples = samples_path(lab, number) if limits else None
            options = ("--profile", profile, "--mac", macs()[number], *options)
            stack.enter_context(lab.card(path, *options, tap=taps[number], samples=samples))
            nics += ena_nic(path)
        yield lab, nics


@contextmanager
def light(profile: str, *, limits: bool) -> Iterator[Bench]:
    """Boot a guest in which testpmd answers on all cards."""
    with cards(profile, limits=limits) as (lab, nics):
        dpdk.add_testpmd(lab)
        with boot(lab, dpdk.SUITE, nics, vcpus=2) as guest:
            slots = [*dpdk.prepare(guest, "1af4", "1000"), *dpdk.prepare(guest)]
            for number, mac in enumerate(macs()):
                dpdk.lead_to(lab, f"10.99.0.{20 + number}", mac, f"tap{number}")
            program = dpdk.Testpmd(guest, slots, "--port-topology=loop", "--rxd=512", "--txd=512")
            yield Bench(lab, guest, limits=limits)
            program.stop()


@contextmanager
def bench(suite: str, profile: str, mtu: int, *, limits: bool) -> Iterator[Bench]:
    """Boot the guest with all cards, each of which is reached over a subnet of its own."""
    with cards(profile, limits=limits) as (lab, nics), ExitStack() as stack:
        stack.enter_context(lab.start("iperf3", [*lab.tools.program("iperf3"), "-s"]))
        netserver = [*lab.tools.program("netserver"), "-D", "-4"]
        stack.enter_context(lab.start("netserver", netserver))
        for number in range(len(CARDS)):
            lab.add_address(number + 1, f"10.98.{number}.1/24")
        guest = stack.enter_context(boot(lab, suite, nics))
        guest.run("echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore; insmod /modules/ena.ko")
        for number in range(len(CARDS)):
            guest.run(f"ip addr add 10.98.{number}.2/24 dev eth{number}")
            guest.run(f"ip link set eth{number} mtu {mtu} up")
        time.sleep(1)
        for number in range(len(CARDS)):
            guest.run(f"ping -c 1 10.98.{number}.1; iperf3 -c 10.98.{number}.1 -t 1", seconds=60)
        yield Bench(lab, guest, limits=limits)


def compare(options: argparse.Namespace) -> Found:
    measurements = (PINGS,) if options.light else MEASUREMENTS
    found: Found = {what: {name: Values() for name in CARDS} for what in measurements}
    names = list(CARDS)
    if options.light:
        chosen = light(options.profile, limits=options.limits)
    else:
        chosen = bench(options.suite, options.profile, options.mtu, limits=options.limits)
    with chosen as running:
        for number in range(options.rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                for what in measurements:
                    running.measure(name, what, options.seconds, found[what][name])
    return found


def table(found: Found) -> Iterator[str]:
    """Medians, ratios to virtio-net and processors, a line for each card and measurement."""
    for what, values in found.items():
        yield f"{what:22}{'':>8}{'ratio':>7}{'card':>7}{'QEMU':>7}{'ratio per processor':>21}"
        reference = values[VIRTIO].medians()
        for name, one in values.items():
            rate, card, qemu = one.medians()
            ratio = rate / reference[0]
            fair = ratio * sum(reference[1:]) / (card + qemu)
            yield f"  {name:20}{rate:8.0f}{ratio:7.2f}{card:7.2f}{qemu:7.2f}{fair:21.2f}"
            total = sum(one.functions.values())
            ordered = sorted(one.functions.items(), key=lambda item: -item[1])
            for function, samples in ordered[:MOST_FUNCTIONS]:
                yield f"      {samples / total:4.0%} {function}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--suite", default="trixie", help="Debian's, whose kernel the guest has")
    parser.add_argument("--profile", default="c5", help="of the card")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--mtu", type=int, default=9001)
    parser.add_argument("--light", action="store_true", help="testpmd polls the cards")
    parser.add_argument("--limits", action="store_true", help="sample the cards' processor time")
    parser.add_argument("--json", action="store_true", help="every value instead of a table")
    options = parser.parse_args()
    found = compare(options)
    if options.json:
        plain = {
            what: {name: vars(one) for name, one in values.items()}
            for what, values in found.items()
        }
        print(json.dumps(plain))
        return
    print(*table(found), sep="\n")


if __name__ == "__main__":
    main()
