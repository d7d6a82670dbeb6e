"""A machine that runs an OSv kernel of yours, whose only card is driven by `nitro_ena.so`."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.osv.image import compose
from lab.guest import ena_nic
from lab.network import Lab, eventually
from nitro import debian
from nitro.image.libraries import Closure, Sysroot
from nitro.local import qemu
from nitro.paths import resource

MTU = 9001
IPERF = debian.Wanted(("iperf3",), suite="bookworm")
# The kernel itself plays these.
_OWN = ("libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libresolv.so", "ld-linux")


def build(tree: Path) -> bytes:
    """Compile the driver for the kernel built in the OSv source tree `tree`."""
    home = resource("drivers") / "ena" / "osv"
    subprocess.run(["make", "-s", "-C", str(home), f"OSV={tree.resolve()}"], check=True)
    return (tree / "build" / "last" / "nitro_ena" / "nitro_ena.so").read_bytes()


def programs(folder: Path) -> dict[str, bytes]:
    """iperf3 with its libraries, and the soak's program."""
    packages = debian.tree(IPERF)
    program = packages.path("/usr/bin/iperf3")
    closure = Closure(Sysroot(packages.root))
    closure.add("/usr/bin/iperf3", program)
    files = {"/usr/bin/iperf3": program.read_bytes()}
    for path, file in closure.found.items():
        if not Path(path).name.startswith(_OWN):
            files[f"/usr/lib/{Path(path).name}"] = file.read_bytes()
    traffic = folder / "traffic"
    source = Path(__file__).with_name("traffic.c")
    subprocess.run(["cc", "-O2", "-pie", "-pthread", "-o", traffic, source], check=True)
    return files | {"/usr/bin/traffic": traffic.read_bytes()}


class Guest:
    """The guest's console, its card's control socket, and the host's end of the cable."""

    def __init__(self, lab: Lab, control: Path, console: Path) -> None:
        self.lab, self._control, self._console = lab, control, console
        self.address = ""
        self._tests = 0

    def console(self) -> str:
        return self._console.read_text(errors="replace")

    def wait_for_address(self, seconds: float = 60) -> None:
        """Until DHCP is through."""
        eventually("an address from DHCP", self._has_address, seconds)

    def _has_address(self) -> bool:
        found = re.search(r"eth0: (10\.99\.\S+)", self.console())
        self.address = found[1] if found else ""
        return bool(found)

    def card(self, command: str) -> str:
        """A command to the card: see nitro/ena/control.py."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self._control))
            connection.sendall(command.encode())
            answer = b""
            while data := connection.recv(4096):
                answer += data
        text = answer.decode()
        assert text.endswith("ok\n"), text
        return text.removesuffix("ok\n")

    def ping(self, size: int = 56, count: int = 3) -> float:
        """The share of pings that came back."""
        command = [*self.lab.tools.program("ping"), *f"-c {count} -i 0.2 -W 2 -M do".split()]
        try:
            out = self.lab.run([*command, "-s", str(size), self.address])
        except RuntimeError as failed:
            out = str(failed)
        lost = re.search(r"([\d.]+)% packet loss", out)
        return 1 - float(lost[1]) / 100 if lost else 0

    def iperf(self, *options: str, seconds: int = 3) -> float:
        """Mbit/s that arrived; the server, in the guest, does not listen between tests."""
        ready = f"Server listening on 5201 (test #{self._tests + 1})"
        eventually("iperf3 in the guest", lambda: ready in self.console(), 60)
        self._tests += 1
        command = [*self.lab.tools.program("iperf3"), "-c", self.address, "-J", f"-t{seconds}"]
        result = json.loads(self.lab.run([*command, *options], seconds + 60))
        return float(result["end"]["sum_received"]["bits_per_second"]) / 1e6

    def resets(self) -> int:
        """How often the driver has said that it is through with one."""
        return self.console().count("the device was reset")


@contextmanager
def boot(
    tree: Path, folder: Path, command: str, profile: str = "c5", *, vcpus: int = 2
) -> Iterator[Guest]:
    """Boot with `command` as OSv's command line; the card checks the driver strictly."""
    driver = {"/usr/lib/fs/nitro_ena.so": build(tree)}
    kernel, console, card = folder / "kernel.elf", folder / "console", folder / "card"
    compose(tree, driver | programs(folder), kernel)
    with Lab(folder) as lab:
        machine = qemu.Machine(
            vcpus=vcpus,
            console=console,
            cards=ena_nic(card),
            kernel=kernel,
            append=f"--rootfs=ramfs {command}",
            hpet=True,  # OSv tells the time by it where the hypervisor offers no clock of its own
            extra=("-no-reboot",),
        )
        dhcp: Sequence[str] = [*lab.dhcp_server(), f"--dhcp-option=option:mtu,{MTU}"]
        with (
            lab.start("dhcp", dhcp),
            lab.card(card, "--profile", profile, "--strict") as control,
            lab.machine("qemu", machine) as process,
        ):
            guest = Guest(lab, control, console)
            while not console.exists():
                assert process.poll() is None, "QEMU has ended"
                time.sleep(0.05)
            yield guest
