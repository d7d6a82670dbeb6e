"""DPDK's driver in a guest of the lab: Debian's testpmd, which answers pings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from lab import guest as lab_guest
from lab.guest import Guest
from lab.network import Lab, eventually
from nitro import debian
from nitro.image.formats import cpio
from nitro.image.libraries import Closure, Sysroot
from nitro.image.linux import modules
from nitro.image.rootfs import Node, Rootfs

SUITE = "trixie"
# testpmd is linked with drivers of other cards, too.
_TESTPMD = debian.Wanted(("dpdk-dev",), suite=SUITE, closure=False)
_NETS = ("bnxt25", "bond25", "dpaa25", "ena25", "i40e25", "iavf25", "ice25", "ixgbe25", "mlx5-25")
_VIRTIO = "virtio25"  # which testpmd is not linked with
_OTHERS = ("bitratestats25", "bpf25", "cmdline25", "crypto-scheduler25", "gro25", "gso25")
_MORE = ("latencystats25", "mempool-ring25", "pdump25")
_LIBRARIES = debian.Wanted(
    (
        *(f"librte-net-{name}" for name in (*_NETS, _VIRTIO)),
        *(f"librte-{name}" for name in (*_OTHERS, *_MORE)),
        *("libbsd0", "libelf1t64", "libjansson4", "libpcap0.8t64"),
    ),
    suite=SUITE,
)
_PROGRAM = "/usr/bin/dpdk-testpmd"
_LOADED = ("librte_net_ena.so.25", "librte_net_virtio.so.25", "librte_mempool_ring.so.25")

# There is no IOMMU and no vector for programs: the driver looks at the admin queue by a timer.
_START = (
    "echo 48 > /proc/sys/vm/nr_hugepages; mkdir -p /hugepages /var/run;"
    " mount -t hugetlbfs none /hugepages; insmod /dpdk/uio.ko; insmod /dpdk/uio_pci_generic.ko"
)


def add_testpmd(lab: Lab) -> None:
    """Write the file system of guests of `SUITE`, testpmd and what it needs in it."""
    _, kernel_modules = lab_guest.kernel(SUITE)
    archive = lab.folder / f"{SUITE}.cpio"
    lab_guest.initramfs(lab.tools, kernel_modules, archive)
    program = debian.tree(_TESTPMD).path(_PROGRAM)
    libraries = debian.tree(_LIBRARIES)
    closure = Closure(Sysroot(libraries.root))
    closure.add(_PROGRAM, program)
    for name in _LOADED:
        closure.library(name, _PROGRAM)
    root = Rootfs()
    for path, file in {_PROGRAM: program, **closure.found}.items():
        root.add(path, Node("packages", "Debian", source=file.resolve(), executable=True))
    for module in modules.in_order(kernel_modules, ("uio_pci_generic",)):
        root.add(f"/dpdk/{module.name}.ko", Node("system", "test", source=module.elf))
    with archive.open("ab") as more:  # the kernel unpacks archives one after the other
        cpio.write(more, sorted(root.nodes.items()))


def prepare(guest: Guest, vendor: str = "1d0f", device: str = "ec20") -> list[str]:
    """Take the cards of a kind away from the kernel; their PCI addresses, in order."""
    if "uio_pci_generic" not in guest.run("cat /proc/modules"):
        guest.run(_START)
    found = guest.run(f"grep -l 0x{device} /sys/bus/pci/devices/*/device").split()
    addresses = [Path(path).parent.name for path in found]
    for address in addresses:
        guest.run(f"echo {address} > /sys/bus/pci/devices/{address}/driver/unbind", check=False)
    guest.run(f"echo {vendor} {device} > /sys/bus/pci/drivers/uio_pci_generic/new_id")
    return addresses


class Testpmd:
    """testpmd on the cards at `addresses`; it answers ARP and pings for any address.

    `options` are those of testpmd.
    """

    def __init__(self, guest: Guest, addresses: Sequence[str], *options: str) -> None:
        self._guest = guest
        cards = " ".join(f"-a {one},control_path_poll_interval=200" for one in addresses)
        drivers = " ".join(f"-d {name}" for name in _LOADED)
        eal = f"-l 0,1 --no-telemetry --iova-mode=pa --file-prefix=p {drivers} {cards}"
        usual = "--forward-mode=icmpecho --auto-start --stats-period=1 --disable-link-check"
        usual += " --total-num-mbufs=8192"  # what 96 MB of huge pages hold
        command = " ".join((_PROGRAM, eal, "--", usual, *options))
        self._run(f"rm -f /tmp/code /tmp/said; ({command} > /tmp/said 2>&1; echo $? > /tmp/code) &")
        eventually("testpmd's start", self._has_started)

    def _has_started(self) -> bool:
        said = self._run("cat /tmp/said 2> /dev/null || true")
        assert not self._code(), said
        return "Port statistics" in said

    def _run(self, command: str) -> str:
        return self._guest.run(command, 60)

    def _code(self) -> str:
        """The exit code once there is one."""
        return self._run("cat /tmp/code 2> /dev/null || true").strip()

    def stop(self) -> str:
        """End it as its user would; what it said. AssertionError if it failed."""
        self._run("kill -INT $(pidof dpdk-testpmd)")
        eventually("the end of testpmd", self._code)
        said = self._run("cat /tmp/said")
        assert self._code() == "0", said
        return said


def complaints(said: str) -> list[str]:
    """The lines in which the driver or DPDK complains."""
    words = re.compile("error(?!s: 0)|failed|invalid|cannot|timeout|reset", re.IGNORECASE)
    asked = "enabling promiscuous mode"  # which ENA cards do not have
    return [line for line in said.splitlines() if words.search(line) and asked not in line]


def ping(lab: Lab, address: str, size: int = 56, count: int = 3) -> None:
    """Ping an address from the host; each must be answered. Raises RuntimeError.

    Each card wants an address of its own: the host remembers who has one.
    """
    program = lab.tools.program("ping")
    options = ["-c", str(count), "-i", "0.2", "-W", "5", "-M", "do", "-s", str(size)]
    told = lab.run([*program, *options, address])
    assert " 0% packet loss" in told, told


def lead_to(lab: Lab, address: str, mac: str, tap: str) -> None:
    """Tell the host and its bridge where an address is: testpmd on several cards would answer each
    question for it once for every card."""
    lab.run(["ip", "neigh", "replace", address, "lladdr", mac, "dev", "br0"])
    lab.run(["bridge", "fdb", "replace", mac, "dev", tap, "master", "static"])


def flood(lab: Lab, addresses: Sequence[str], seconds: int = 2) -> list[int]:
    """Long pings to all addresses at once, as fast as they are answered; how many were, of each."""
    options = ["-f", "-q", "-l", "32", "-s", "1400", "-w", str(seconds)]
    ping = [*lab.tools.program("ping"), *options]
    with ExitStack() as stack:
        running = [
            stack.enter_context(lab.start(f"flood-{address}", [*ping, address]))
            for address in addresses
        ]
        for process in running:
            process.wait(seconds + 30)
    return [int(re.findall(r"(\d+) received", lab.log(f"flood-{one}"))[-1]) for one in addresses]
