"""This project's ENA driver beside Amazon's, in one guest: same kernel, same card, same host.

    python -m benchmarks.driver_traffic [--suite trixie] [--rounds 3] [--json]

The guest loads one driver, measures, unloads it and loads the other, `--rounds` times in turn.
Needs what the boot tests need (QEMU and Debian packages are provisioned).
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

from tests.boot.ena.lab import HOST
from tests.driver.machine import MODULE, Machine, machine

DRIVERS = {"stock": ("/modules/ena.ko", "ena"), "ported": (MODULE, "nitro_ena")}
SECONDS = 5
UNITS = {"out": "Mbit/s", "in": "Mbit/s", "rr": "transactions/s"}


def measure(suite: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Samples by driver and measurement (see `UNITS`)."""
    samples: dict[str, dict[str, list[float]]] = {
        driver: {name: [] for name in UNITS} for driver in DRIVERS
    }
    with tempfile.TemporaryDirectory() as folder, machine(Path(folder), suite) as guest:
        netserver = [*guest.lab.tools.program("netserver"), "-D", "-4"]
        with guest.lab.start("netserver", netserver):
            for _ in range(rounds):
                for driver, (path, name) in DRIVERS.items():
                    guest.run(f"insmod {path}")
                    guest.configure()
                    guest.run("ip link set eth0 mtu 9001; sleep 1")
                    guest.iperf(seconds=1)
                    taken = samples[driver]
                    taken["out"].append(guest.iperf(seconds=SECONDS))
                    taken["in"].append(guest.iperf("-R", seconds=SECONDS))
                    taken["rr"].append(_request_response(guest))
                    guest.run(f"ip link set eth0 down; rmmod {name}")
    return samples


def _request_response(guest: Machine) -> float:
    out = guest.run(f"netperf -H {HOST} -t TCP_RR -l {SECONDS} -P 0 -- -r 1,1", SECONDS + 30)
    rows = [line.split() for line in out.splitlines() if re.match(r"\s*\d", line)]
    return float(rows[0][5])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    samples = measure(chosen.suite, chosen.rounds)
    if chosen.json:
        print(json.dumps(samples))
        return 0
    for name, unit in UNITS.items():
        stock, ported = (statistics.median(samples[driver][name]) for driver in DRIVERS)
        print(f"{name:>4}: stock {stock:8.0f}, ported {ported:8.0f} {unit}, {ported / stock:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
