"""A machine whose only card is driven by the module `nitro_ena`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab import debug_kernel
from lab import guest as lab_guest
from lab.guest import GUEST, Guest
from lab.network import HOST, Lab, eventually
from lab.traffic import measure, tell
from nitro.image.formats import cpio
from nitro.image.linux.driver import build_module
from nitro.image.rootfs import Node, Rootfs

MODULE = "/modules/nitro_ena.ko"


class Machine:
    """The guest, a card's control socket and interface, and the host's end of the cable."""

    def __init__(self, lab: Lab, guest: Guest, control: Path, interface: str = "eth0") -> None:
        self.lab, self.guest, self.interface, self._control = lab, guest, interface, control

    def run(self, command: str, seconds: float = 60, *, check: bool = True) -> str:
        return self.guest.run(command, seconds, check=check)

    def card(self, command: str) -> list[str]:
        """A command to the card, and the lines of its answer: see nitro/ena/control.py."""
        return tell(self._control, command)

    def load(self, options: str = "") -> None:
        """Load the module; the interface up, with an address and link."""
        self.run(f"insmod {MODULE} {options}")
        self.configure()

    def configure(self) -> None:
        name = self.interface
        self.run(f"ip link set {name} up && ip addr replace {GUEST}/24 dev {name}")
        self.wait_for_link()

    def wait_for_link(self, up: bool = True, seconds: float = 60) -> None:
        def linked() -> bool:
            carrier = f"/sys/class/net/{self.interface}/carrier"
            return self.run(f"cat {carrier}", check=False).strip() == str(int(up))

        eventually(f"link {'up' if up else 'down'}", linked, seconds)

    def ping(self, size: int = 56) -> None:
        out = self.run(f"/usr/bin/ping -c 3 -i 0.2 -W 5 -M do -s {size} {HOST}")
        assert " 0% packet loss" in out, out

    def iperf(self, *options: str, seconds: int = 2) -> float:
        """Mbit/s that arrived; the server runs at the host."""
        return measure(self.guest, *options, seconds=seconds)[0]

    def stat(self, name: str) -> int:
        out = self.run(f"ethtool -S {self.interface}")
        values = dict(line.split(":") for line in out.splitlines() if ": " in line)
        return int({key.strip(): value for key, value in values.items()}[name])

    def reset(self, total: int) -> None:
        """Ask for a reset; wait until there have been `total`, and the link is back."""
        self.run(f"ethtool --reset {self.interface} all || true")
        self.wait_for_resets(total)

    def wait_for_resets(self, count: int) -> None:
        """Until the driver has recovered that often, not once more, and the link is back."""
        eventually(f"reset {count}", lambda: self.stat("resets") >= count)
        assert self.stat("resets") == count
        self.wait_for_link()

    def rules_broken(self) -> list[str]:
        return self.card("rules")

    def trouble(self, *provoked: str) -> list[str]:
        """Warnings and worse in the kernel's log, but for those of the patterns `provoked`."""
        return self.guest.trouble(*provoked)


def add_module(lab: Lab, suite: str, edits: Sequence[debug_kernel.Edit] = ()) -> None:
    """Write the file system that guests of `suite` in `lab` boot with, the module in it.

    `edits` change its sources first, for a debug kernel only.
    """
    _, modules = lab_guest.kernel(suite)
    archive = lab.folder / f"{suite}.cpio"
    lab_guest.initramfs(lab.tools, modules, archive)
    root = Rootfs()
    if suite in debug_kernel.FLAVOURS:
        module = debug_kernel.driver_module(debug_kernel.built(suite), edits)
    else:
        module = build_module(modules.name, suite)
    root.add(MODULE, Node("system", "test", source=module.read_bytes()))
    with archive.open("ab") as more:  # the kernel unpacks archives one after the other
        cpio.write(more, sorted(root.nodes.items()))


@contextmanager
def machines(
    folder: Path,
    suite: str,
    profiles: Sequence[str],
    *,
    vcpus: int = 2,
    strict: bool = True,
    offloads: str = "profile",
    edits: Sequence[debug_kernel.Edit] = (),
) -> Iterator[list[Machine]]:
    """Boot a guest of `suite` with a card of each of `profiles`; the module is there, not loaded.

    All have the same address: no two may be up at the same time.
    """
    taps = tuple(f"tap{number}" for number in range(len(profiles)))
    with Lab(folder, taps) as lab, ExitStack() as stack:
        add_module(lab, suite, edits)
        controls, nics = [], []
        for tap, profile in zip(taps, profiles, strict=True):
            path = folder / f"ena-{tap}"
            options = ["--profile", profile, "--offloads", offloads]
            options += ["--strict"] if strict else []
            controls.append(stack.enter_context(lab.card(path, *options, tap=tap)))
            nics += lab_guest.ena_nic(path)
        guest = stack.enter_context(lab_guest.boot(lab, suite, nics, vcpus=vcpus))
        stack.enter_context(lab.start("iperf3", [*lab.tools.program("iperf3"), "-s"]))
        yield [Machine(lab, guest, one, f"eth{number}") for number, one in enumerate(controls)]


@contextmanager
def machine(
    folder: Path,
    suite: str = "trixie",
    profile: str = "c5",
    *,
    vcpus: int = 2,
    strict: bool = True,
    offloads: str = "profile",
) -> Iterator[Machine]:
    """Boot a guest of `suite` with one card, of `profile`; the module is there, not loaded."""
    made = machines(folder, suite, [profile], vcpus=vcpus, strict=strict, offloads=offloads)
    with made as (one,):
        yield one
