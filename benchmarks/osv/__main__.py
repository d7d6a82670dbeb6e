"""The driver in an OSv kernel of yours, on this project's card.

    python -m benchmarks.osv TREE [--profile NAME …] [--soak SECONDS]

TREE is an OSv source tree with its kernel built (`scripts/build image=empty fs=ramfs`). For each
profile a machine boots with the card as its only one: DHCP, ping, TCP both ways, the cable out
and in, resets under traffic; with `hostile:FAULT,…` traffic while the card misbehaves and after.
--soak instead compares every byte for so long, with a reset each 20 seconds. Needs a compiler that
fits the tree; QEMU and Debian packages are provisioned.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.osv.guest import MTU, Guest, boot
from lab import echo
from lab.guest import GUEST
from lab.network import HOST, eventually
from nitro.ena.profiles import PROFILES
from nitro.local import qemu

RESET_EVERY = 20.0
HOSTILE_SECONDS = 20.0
MEGABYTES = 24
ECHO = Path(echo.__file__)


def check(guest: Guest) -> str:
    """Everything that a network card has to do; what was measured. Raises AssertionError."""
    guest.wait_for_address()
    eventually("the end of boot", lambda: "Cmdline:" in guest.console())
    assert guest.ping() == 1
    assert guest.ping(MTU - 28) == 1
    into, out = guest.iperf(), guest.iperf("-R")
    guest.iperf("-P4"), guest.iperf("-P4", "-R")

    guest.card("link down")
    assert guest.ping() == 0
    guest.card("link up")
    eventually("a link", lambda: guest.ping() == 1)
    assert guest.console().count("link is up") == guest.console().count("link is down") + 1

    for options in ((), ("-R",)):
        resets = guest.resets()
        with ThreadPoolExecutor() as pool:
            traffic = pool.submit(guest.iperf, *options, seconds=12)
            for _ in range(3):
                time.sleep(3)
                resets += 1
                guest.card("reset")
                eventually("a reset", lambda: guest.resets() == resets)  # noqa: B023
            assert traffic.result() > 0
    assert guest.iperf() > 0
    assert guest.ping(MTU - 28) == 1
    _assert_well(guest)
    return f"{into:.0f} Mbit/s in, {out:.0f} out, {guest.resets()} resets"


def soak(guest: Guest, seconds: float) -> str:
    """Traffic both ways with resets; what was counted. Raises AssertionError."""
    guest.wait_for_address()
    with _echo(guest):
        eventually("the first fetch", lambda: "first free" in guest.console(), 120)
        latest, resets = time.monotonic() + seconds + 300, 0
        while "done free" not in guest.console():
            assert time.monotonic() < latest, "the traffic does not end"
            time.sleep(RESET_EVERY)
            guest.card("reset")
            resets += 1
        eventually("the last reset", lambda: guest.resets() == resets)
    said = [*guest.console().splitlines(), *_host_said(guest)]
    broken = [s for s in said if re.match("(down |up )?broken", s)]
    free = [int(n) for n in re.findall(r"^down \w+ free (\d+)", guest.console(), re.MULTILINE)]
    tenth = max(1, len(free) // 10)
    first, last = min(free[tenth : 2 * tenth]), min(free[-tenth:])
    report = (
        f"{_right(guest)} down, {_host_said(guest).count('right')} up of {MEGABYTES} MB, "
        f"{len(broken)} broken off, {resets} resets, "
        f"free memory {first} KB in the second tenth, {last} KB in the last"
    )
    print(*broken, sep="\n", end="", file=sys.stderr)
    _assert_right(guest)
    _assert_well(guest)
    return report


def survive(guest: Guest, faults: Sequence[str], seconds: float) -> str:
    """Traffic on a card with faults, and again after they have ended. Raises AssertionError."""
    eventually("the end of boot", lambda: "Cmdline:" in guest.console(), 120)
    if "a card is left alone" in guest.console():
        return "the driver leaves the card alone"
    with _echo(guest):
        time.sleep(seconds)
        before, resets = _right(guest), guest.resets()
        for fault in faults:
            guest.card(f"fault {fault} off")
        guest.card("reset")  # some leave queues behind that cannot work
        eventually("traffic again", lambda: _right(guest) >= before + 2, 150)
    _assert_right(guest)
    return f"{before} times {MEGABYTES} MB down and {resets} resets with faults; then it works"


@contextmanager
def _echo(guest: Guest) -> Iterator[None]:
    server = [sys.executable, str(ECHO), "42", str(MEGABYTES)]
    with guest.lab.start("echo", server):
        yield


def _host_said(guest: Guest) -> list[str]:
    return guest.lab.log("echo").split("\n")


def _right(guest: Guest) -> int:
    return guest.console().count("down right")


def _assert_right(guest: Guest) -> None:
    said = [*guest.console().splitlines(), *_host_said(guest)]
    assert not (wrong := [line for line in said if "wrong" in line]), wrong


def _assert_well(guest: Guest) -> None:
    assert not guest.card("rules"), guest.card("rules")
    bad = [s for s in guest.console().splitlines() if re.search("given up|Assert|Aborted|fault", s)]
    assert not bad, bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--profile", nargs="+", metavar="NAME")
    parser.add_argument("--soak", type=float, metavar="SECONDS")
    parser.add_argument("--vcpus", type=int, default=2)
    chosen = parser.parse_args()
    profiles = chosen.profile or (["c5"] if chosen.soak else list(PROFILES))
    print(f"QEMU {qemu.find().version_text}", flush=True)
    for profile in profiles:
        faults = profile.removeprefix("hostile:").partition("@")[0].split(",")
        command = "/usr/bin/iperf3 -s"
        if chosen.soak:
            command = f"/usr/bin/traffic {HOST} {chosen.soak:.0f}"
        if profile.startswith("hostile:"):  # its DHCP may never end
            command = f"--ip=eth0,{GUEST},255.255.255.0 /usr/bin/traffic {HOST} 600"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            try:
                with boot(chosen.tree, folder, command, profile, vcpus=chosen.vcpus) as guest:
                    if profile.startswith("hostile:"):
                        report = survive(guest, faults, HOSTILE_SECONDS)
                    else:
                        report = soak(guest, chosen.soak) if chosen.soak else check(guest)
            except Exception:
                for log in ("console", "qemu.machine/qemu.log", "ena-card.log"):
                    if (folder / log).exists():
                        text = (folder / log).read_text(errors="replace")
                        print(f"--- {log}\n{text[-3000:]}", file=sys.stderr)
                raise
            release = (folder / "console").read_text(errors="replace").split("\n")[0].strip()
            print(f"{release}, {profile}: {report}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
