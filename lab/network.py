"""A network namespace with a bridge, and processes inside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from nitro import debian
from nitro.local import qemu

TOOLS = debian.Wanted(
    (
        *("busybox-static", "dnsmasq-base", "ethtool", "iperf3", "iputils-ping", "netperf"),
        "tcpdump",
    ),
    suite="trixie",
)
HOST = "10.99.0.1"
ANOTHER = "5202"  # port of a second iperf3 server, which no test has just left

# Runs inside the namespace: a bridge with the host's address and persistent taps in it.
_SET_UP = """
import fcntl, ipaddress, sys
from nitro.local import link
link.bring_up("lo")
link.add_bridge("br0", "02:00:00:00:00:01")
link.add_ipv4("br0", ipaddress.ip_interface(sys.argv[1] + "/24"))
for tap in sys.argv[2:]:
    fcntl.ioctl(link.open_tap(tap), 0x400454CB, 1)
    link.attach("br0", tap)
"""
_ADD_ADDRESS = """
import ipaddress, sys
from nitro.local import link
link.add_ipv4(sys.argv[1], ipaddress.ip_interface(sys.argv[2]))
"""

# One datagram for each flow. Ports are drawn from all, for RSS hashes are linear: those of a few
# neighbouring ports may all agree in the bits that pick a queue.
_SEND_FLOWS = """
import random, socket, sys
draw = random.Random(1)
for _ in range(int(sys.argv[2])):
    with socket.socket(type=socket.SOCK_DGRAM) as flow:
        flow.bind(("", draw.randrange(1024, 65536)))
        flow.sendto(bytes(64), (sys.argv[1], draw.randrange(1024, 65536)))
"""
FLOWS = 128


def eventually(what: str, check: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until `check` is true; AssertionError names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


class Lab:
    """`folder` takes logs and sockets; `taps` are made and joined by a bridge at `HOST`."""

    def __init__(self, folder: Path, taps: Sequence[str] = ("tap0",)) -> None:
        self.folder, self._taps = folder, taps
        self._stack = ExitStack()
        self._enter: list[str] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.tools = debian.tree(TOOLS)

    def __enter__(self) -> Self:
        rootless = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        holder = subprocess.Popen(
            ["unshare", *rootless, "--net", "sh", "-c", "echo; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        self._stack.callback(qemu.end, holder)
        assert holder.stdout is not None
        holder.stdout.readline()
        enter = ["--user", "--preserve-credentials"] if rootless else []
        self._enter = ["nsenter", "--target", str(holder.pid), *enter, "--net", "--"]
        self.run([sys.executable, "-c", _SET_UP, HOST, *self._taps])
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self, command: Sequence[str], seconds: float = 60) -> str:
        """Run a command in the namespace; its output. Raises RuntimeError."""
        done = subprocess.run(
            [*self._enter, *command], capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def send_flows(self, address: str) -> None:
        """Send `FLOWS` UDP flows to `address`: the odds that one of four queues gets none are
        4 × (3/4)^128, 10^-15."""
        self.run([sys.executable, "-c", _SEND_FLOWS, address, str(FLOWS)])

    @contextmanager
    def start(self, name: str, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A process in the namespace for the length of a `with` block, output in NAME.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self._enter, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._running[name] = process
        try:
            yield process
        finally:
            qemu.end(process)

    @contextmanager
    def machine(self, name: str, machine: qemu.Machine) -> Iterator[subprocess.Popen[bytes]]:
        """A virtual machine in the namespace for the length of a `with` block."""
        found = qemu.find()
        inside = replace(found, command=(*self._enter, *found.command))
        folder = self.folder / f"{name}.machine"
        folder.mkdir(exist_ok=True)
        with qemu.boot(inside, machine, folder) as process:
            self._running[name] = process
            try:
                yield process
            except BaseException:
                print((folder / "qemu.log").read_text(errors="replace"), file=sys.stderr)
                raise

    def kill(self, name: str) -> None:
        """End a process without giving it a chance to say anything."""
        self._running[name].kill()
        self._running[name].wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self._running[name].send_signal(number)

    def processor_seconds(self, name: str) -> float:
        """Processor time that a process has taken so far, the kernel's for it included."""
        stat = Path(f"/proc/{self._running[name].pid}/stat").read_text().rpartition(")")[2]
        fields = stat.split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def add_address(self, number: int, address: str) -> None:
        """One more for the bridge, as `10.0.0.1/24`; they are numbered from 1."""
        self.run([sys.executable, "-c", _ADD_ADDRESS, f"br0:{number}", address])

    def dhcp_server(self) -> list[str]:
        """The command of a DHCP server on the bridge."""
        return [
            *self.tools.program("dnsmasq"),
            *("--no-daemon", "--conf-file=/dev/null", "--user=root", "--port=0"),
            *("--interface=br0", "--bind-interfaces", "--dhcp-range=10.99.0.50,10.99.0.60"),
            *("--dhcp-authoritative", "--no-ping", f"--dhcp-leasefile={self.folder / 'leases'}"),
        ]

    @contextmanager
    def card(
        self, socket: Path, *options: str, tap: str = "tap0", samples: Path | None = None
    ) -> Iterator[Path]:
        """The card's server on `tap`; yields its control socket. With `samples` its processor
        time is sampled into that file (see `sampler.py`)."""
        control = self.folder / f"{socket.name}.control"
        sampler = ["-m", "lab.sampler", str(samples)] if samples else ["-m"]
        command = [sys.executable, *sampler, "nitro.ena", "serve", "--socket", str(socket)]
        command += ["--port", f"tap:{tap}", "--control", str(control), *options]
        with self.start(f"ena-{socket.name}", command):
            eventually("the card's socket", socket.exists)
            yield control
