"""A guest: Debian's cloud kernel, busybox and a few tools, driven over a serial line."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import debug_kernel, kernel_log
from lab.network import Lab
from nitro import debian
from nitro.image.formats import cpio
from nitro.image.libraries import Closure, Sysroot
from nitro.image.linux import modules
from nitro.image.rootfs import Node, Rootfs
from nitro.local import qemu

GUEST = "10.99.0.2"
_PROGRAMS = ("bin/iperf3", "sbin/ethtool", "bin/netperf", "bin/netserver", "bin/ping")
_MODULES = ("ena", "virtio_pci", "virtio_net", "af_packet", "netconsole")

# Commands come in on the second serial line, one a line; the answer ends with a mark.
_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /usr/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
{kernel_log.SET_MARK}
mkdir -p /run /tmp; ip link set lo up
sysctl -qw net.ipv6.conf.all.disable_ipv6=0
for module in $(cat /modules/order); do
    case $module in ena|netconsole) ;; *) insmod /modules/$module.ko ;; esac
done
stty -F /dev/ttyS1 raw -echo
exec < /dev/ttyS1 > /dev/ttyS1 2>&1
echo "@ready@"
while read -r line; do sh -c "$line" < /dev/null; echo "@$?@"; done
"""


class Failed(AssertionError):
    """A command in the guest ended with an error."""


def kernel(suite: str) -> tuple[Path, Path]:
    """Debian's cloud kernel of a suite, or a debug kernel by its flavour: its file and the folder
    of its modules."""
    if suite in debug_kernel.FLAVOURS:
        built = debug_kernel.built(suite)
        return built.image, built.modules
    tree = debian.tree(debian.Wanted(("linux-image-cloud-amd64",), suite=suite))
    (folder,) = tree.path("/usr/lib/modules").iterdir()
    beside = folder / "vmlinuz"  # Debian's place for it since 7.0
    return (beside if beside.exists() else tree.path(f"/boot/vmlinuz-{folder.name}")), folder


def initramfs(tools: debian.Tree, kernel_modules: Path, out: Path) -> None:
    """Write the guest's file system as a cpio archive."""
    root = Rootfs()
    closure = Closure(Sysroot(tools.root))
    found: dict[str, Path] = {}
    for name in _PROGRAMS:
        program = tools.path(f"/usr/{name}")
        found[f"/usr/{name}"] = program
        closure.add(f"/usr/{name}", program)
    closure.library("libgcc_s.so.1", "/usr/bin/iperf3")  # loaded when a thread is cancelled
    found |= closure.found
    found["/usr/bin/busybox"] = tools.path("/usr/bin/busybox")
    for path, file in found.items():
        root.add(path, Node("packages", "Debian", source=file.resolve(), executable=True))
    root.add("/init", Node("system", "test", source=_INIT.encode(), executable=True))
    wanted = modules.in_order(kernel_modules, _MODULES)
    for module in wanted:
        root.add(f"/modules/{module.name}.ko", Node("system", "test", source=module.elf))
    order = " ".join(module.name for module in wanted)
    root.add("/modules/order", Node("system", "test", source=order.encode()))
    for folder in ("/proc", "/sys", "/dev", "/run", "/tmp", "/etc"):
        root.add(folder, Node("system", "test"))
    with out.open("wb") as archive:
        cpio.write(archive, sorted(root.nodes.items()))


class Guest:
    """A machine that runs. Raises Failed and AssertionError, with the console's end."""

    def __init__(self, line: socket.socket, console: Path) -> None:
        self._line, self._console = line, console
        self._buffer = b""

    def run(self, command: str, seconds: float = 30, *, check: bool = True) -> str:
        """The output of a shell command. Raises Failed unless it exits with 0."""
        self.send(command)
        return self.result(command, seconds, check=check)

    def send(self, command: str) -> None:
        """Start a command; `result` waits for it."""
        self._line.sendall(command.replace("\n", ";").encode() + b"\n")

    def result(self, command: str = "", seconds: float = 30, *, check: bool = True) -> str:
        output, code = self._until(rb"@(\d+)@", seconds)
        if check and code != "0":
            raise Failed(f"{command!r} ended with {code}:\n{output}\n{self.console()[-2000:]}")
        return output

    def wait(self, mark: str, seconds: float) -> None:
        self._until(b"@(" + mark.encode() + b")@", seconds)

    def console(self) -> str:
        return self._console.read_text(errors="replace")

    def trouble(self, *provoked: str) -> list[str]:
        """Warnings and worse in the kernel's log, but for those of the patterns `provoked`."""
        return kernel_log.complaints(self.run(kernel_log.COMMAND), provoked)

    def _until(self, pattern: bytes, seconds: float) -> tuple[str, str]:
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self._buffer)):
            left = deadline - time.monotonic()
            if left <= 0:
                said = self._buffer.decode(errors="replace")
                raise AssertionError(
                    f"no answer in {seconds:g} s: {said}\n{self.console()[-3000:]}"
                )
            self._line.settimeout(left)
            try:
                data = self._line.recv(65536)
            except TimeoutError:
                continue
            assert data, f"the machine is gone:\n{self.console()[-3000:]}"
            self._buffer += data
        output = self._buffer[: match.start()].decode(errors="replace").replace("\r", "")
        self._buffer = self._buffer[match.end() :].lstrip(b"\r\n")
        return output, match[1].decode()


@contextmanager
def boot(
    lab: Lab, suite: str, cards: Sequence[qemu.Card], *, name: str = "guest", vcpus: int = 1
) -> Iterator[Guest]:
    """Boot the kernel of a Debian suite with these cards."""
    image, kernel_modules = kernel(suite)
    archive = lab.folder / f"{suite}.cpio"
    if not archive.exists():
        initramfs(lab.tools, kernel_modules, archive)
    console, line = lab.folder / f"{name}.console", lab.folder / f"{name}.line"
    checked = suite in debug_kernel.FLAVOURS
    machine = qemu.Machine(
        vcpus=vcpus,
        memory_mib=1024 if checked else 512,
        console=console,
        cards=cards,
        kernel=image,
        initrd=archive,
        # On a busy machine the timer check of early boot fails, and the kernel panics.
        append="console=ttyS0 loglevel=7 panic=-1 mitigations=off no_timer_check log_buf_len=4M",
        extra=("-no-reboot", "-serial", f"unix:{line},server=on,wait=off"),
    )
    with lab.machine(name, machine) as process:
        deadline = time.monotonic() + 60
        with socket.socket(socket.AF_UNIX) as connection:
            while connection.connect_ex(str(line)):  # QEMU binds the socket before it listens
                assert process.poll() is None, "QEMU has ended"
                assert time.monotonic() < deadline, "QEMU did not start"
                time.sleep(0.05)
            guest = Guest(connection, console)
            guest.wait("ready", 300 if checked else 90)
            yield guest


def ena_nic(socket_path: Path) -> list[qemu.Card]:
    """The card behind a vfio-user socket."""
    device = {
        "driver": "vfio-user-pci",
        "socket": {"type": "unix", "path": str(socket_path)},
    }
    return [qemu.Card(("-device", json.dumps(device)), shared_memory=True)]


def virtio_nic(tap: str, mac: str = "02:00:00:00:00:02") -> list[qemu.Card]:
    """QEMU's own card on the same kind of tap."""
    backend = f"tap,id=n0,ifname={tap},script=no,downscript=no,vhost=off"
    device = f"virtio-net-pci,netdev=n0,mac={mac},romfile="
    return [qemu.Card(("-netdev", backend, "-device", device))]
