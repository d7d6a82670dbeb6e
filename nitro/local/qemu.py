"""QEMU: which one, its command line, its process. Knows machines, not instances.

    qemu = find()
    with boot(qemu, Machine(disks=(Disk(path),), console=folder / "console"), folder) as process:
        process.wait(30)

The network card is described by `nitro.local.nic`. Nothing here opens a port or a display.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import UUID

from nitro import debian
from nitro.arch import X86_64, Arch
from nitro.errors import NitroError
from nitro.progress import Reporter

STOP_SECONDS = 5.0
_PM1_ENABLE, _PWRBTN_EN = 0x602, 1 << 8  # the port of ACPI's PM1 enable register, and its bit
PLACES = 4  # for disks that are added to a running machine
DISK_FIRMWARE = "1.0"
ANSWER_SECONDS = 30.0  # for a QEMU that is asked what it can do


@dataclass(frozen=True)
class Qemu:
    """A QEMU that can be run: the start of its command line, its version, its machines' `arch`."""

    command: tuple[str, ...]
    version: tuple[int, ...]
    arch: Arch = X86_64

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Card:
    """What a network card adds to the command line. `fds` stay open in the process.

    `shared_memory`: another process maps the guest's memory.
    """

    arguments: tuple[str, ...]
    fds: tuple[int, ...] = ()
    shared_memory: bool = False


@dataclass(frozen=True)
class Disk:
    """An NVMe disk: a raw file that is written to, and what the guest reads about it.

    `model`: QEMU's own when empty; others need a QEMU that `names_disks`. `name`: QEMU's for the
    device, by which it is taken away.
    """

    path: Path
    serial: str = ""
    model: str = ""
    name: str = ""


def place(number: int) -> str:
    """The bus on which a disk may be added, one of PLACES."""
    return f"place{number}"


# PCI Express itself tells Linux of disks that come and go, and of a slot's number, with either
# firmware; ACPI's way would hide both.
_NATIVE_HOT_PLUG = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
_PLACES = tuple(
    word
    for number in range(PLACES)
    for word in ("-device", f"pcie-root-port,id={place(number)},chassis={64 + number}")
)


@dataclass(frozen=True)
class Machine:
    """A virtual machine. `console`: a file for the serial console's output; None: this terminal."""

    disks: Sequence[Disk] = ()  # the first one boots
    vcpus: int = 1
    memory_mib: int = 512
    boot_mode: str = "legacy-bios"  # or "uefi"
    accelerator: str = "tcg"  # or "kvm"
    console: Path | None = None
    cards: Sequence[Card] = ()
    product: str = "nitro"  # as DMI tells the guest
    instance_id: str = ""  # DMI's asset tag, and the source of its UUID; "": not an instance
    kernel: Path | None = None  # boots this, and no disk
    initrd: Path | None = None
    append: str = ""
    hot_plug: bool = False  # disks but the first can come and go while it runs
    hpet: bool = False  # a clock that Nitro instances do not have; see `needs_hpet`
    extra: Sequence[str] = field(default_factory=tuple)


def find(report: Reporter | None = None, arch: Arch = X86_64) -> Qemu:
    """The QEMU of this machine when it has what is needed, else Debian's, kept in the cache.

    Needed is `vfio-user-pci`, which came with QEMU 10.1.
    """
    program = f"qemu-system-{arch.qemu}"
    installed = shutil.which(program)
    if installed and _has_vfio_user(installed):
        return Qemu((installed,), _version((installed,)), arch)
    wanted = debian.Wanted((arch.qemu_package,), suite="trixie-backports")
    tree = debian.tree(wanted, report=report)
    data = tree.path("/usr/share/qemu")
    bios = tree.path("/usr/share/seabios/bios-256k.bin").parent
    command = (*tree.program(program), "-L", str(data), "-L", str(bios))
    return Qemu(command, _packaged_version(tree.packages, arch.qemu_package), arch)


def firmware_packages(arch: Arch = X86_64) -> debian.Wanted:
    """What boot mode "uefi" needs."""
    return debian.Wanted((arch.firmware_package,))


def needs_hpet(disk: Path, accelerator: str) -> bool:
    """Whether the system on `disk` would find no clock: OSv, where KVM's is not.

    Nitro instances have KVM's clock, on which OSv relies; with neither that nor an HPET it halts.
    OSv's disks carry "VSO" in their boot sector.
    """
    with disk.open("rb") as file:
        sector = file.read(512)
    return accelerator != "kvm" and sector[0x1B8:0x1BB] == b"VSO"


def arguments(
    machine: Machine,
    folder: Path,
    firmware: debian.Tree | None = None,
    arch: Arch = X86_64,
) -> list[str]:
    """The command line after the program, which is to run in `folder`.

    There the control socket is made: a relative name, for a socket's path must be short.
    `firmware` are the unpacked `firmware_packages`, needed for boot mode "uefi"; its variables
    are not kept.
    """
    shared = any(card.shared_memory for card in machine.cards)
    board = f"{arch.qemu_board},accel={machine.accelerator}"
    if machine.hpet:
        board += ",hpet=on"  # the last one counts
    line = ["-nodefaults", "-no-user-config", "-display", "none", "-boot", "menu=off"]
    line += ["-machine", board + (",memory-backend=ram" if shared else "")]
    line += ["-cpu", "host" if machine.accelerator == "kvm" else arch.qemu_tcg_cpu]
    line += ["-smp", str(machine.vcpus), "-m", f"{machine.memory_mib}M"]
    if shared:
        size = f"{machine.memory_mib}M"
        line += ["-object", f"memory-backend-memfd,id=ram,share=on,size={size}"]
    line += _dmi(machine)
    if machine.boot_mode == "uefi":
        if firmware is None:
            raise ValueError("boot mode uefi needs the firmware")
        code, variables = (firmware.path(path) for path in arch.firmware)
        flash = "if=pflash,format=raw,unit={},file={},{}"
        line += ["-drive", flash.format(0, code, "readonly=on")]
        line += ["-drive", flash.format(1, variables, "snapshot=on")]
    if machine.console:
        line += ["-chardev", f"file,id=console,append=on,path={_escaped(machine.console)}"]
    else:
        line += ["-chardev", "stdio,id=console,signal=off"]
    line += ["-serial", "chardev:console"]
    line += ["-qmp", "unix:qmp,server=on,wait=off"]
    for number, disk in enumerate(machine.disks):
        order = number + (machine.kernel is not None)  # QEMU itself puts a kernel first
        line += _nvme(number, disk, order, removable=machine.hot_plug and number > 0)
    if machine.hot_plug:
        line += [*_NATIVE_HOT_PLUG, *_PLACES]
    if machine.kernel:
        line += ["-kernel", str(machine.kernel), "-append", machine.append]
    if machine.initrd:
        line += ["-initrd", str(machine.initrd)]
    for card in machine.cards:
        line += card.arguments
    return [*line, *machine.extra]


def _dmi(machine: Machine) -> list[str]:
    """What tells a guest that it is an instance.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
    """
    if not machine.instance_id:
        return []
    uuid = ec2_uuid(machine.instance_id)
    product, asset = _escaped(machine.product), _escaped(machine.instance_id)
    tables = (
        "type=0,vendor=Amazon EC2,version=1.0",
        f"type=1,manufacturer=Amazon EC2,product={product},uuid={uuid},serial={uuid}",
        f"type=2,manufacturer=Amazon EC2,asset={asset}",
        f"type=3,manufacturer=Amazon EC2,asset={asset}",
    )
    return [word for table in tables for word in ("-smbios", table)]


def ec2_uuid(instance_id: str) -> str:
    """A UUID that begins with "ec2", always the same for an instance."""
    digest = hashlib.sha256(instance_id.encode()).hexdigest()
    return str(UUID(f"ec2{digest[:29]}"))


def _nvme(number: int, disk: Disk, order: int, *, removable: bool) -> list[str]:
    """A disk behind a port of its own.

    On the bus itself SeaBIOS places the disk's registers beyond 4 GiB when there is memory, and
    then cannot read it.
    """
    drive, port = f"disk{number}", f"port{number}"
    name, serial = disk.name or f"nvme{number}", _escaped(disk.serial or drive)
    hotplug = "on" if removable else "off"
    line = f"nvme,id={name},bus={port},drive={drive},serial={serial},bootindex={order}"
    if disk.model:
        line += f",model={_escaped(disk.model)},firmware-version={DISK_FIRMWARE}"
    file = f"if=none,id={drive},format=raw,cache=unsafe,file={_escaped(disk.path)}"
    return [
        *("-device", f"pcie-root-port,id={port},chassis={number},hotplug={hotplug}"),
        *("-drive", file),
        *("-device", line),
    ]


@contextmanager
def boot(
    qemu: Qemu,
    machine: Machine,
    folder: Path,
    *,
    pipes: bool = False,
    report: Reporter | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the machine for the length of a `with` block; it is ended with the block.

    `folder` takes QEMU's own messages (`qemu.log`) and its control socket (`qmp`). With `pipes`,
    a console without a file is the process's stdin and stdout instead of this terminal.
    """
    uefi = machine.boot_mode == "uefi"
    firmware = debian.tree(firmware_packages(qemu.arch), report=report) if uefi else None
    with (folder / "qemu.log").open("wb") as log:
        if machine.console:
            stdin, stdout = subprocess.DEVNULL, log.fileno()
        elif pipes:
            stdin = stdout = subprocess.PIPE
        else:
            stdin, stdout = sys.stdin.fileno(), sys.stdout.fileno()
        process = subprocess.Popen(
            [*qemu.command, *arguments(machine, folder, firmware, qemu.arch)],
            cwd=folder,
            stdin=stdin,
            stdout=stdout,
            stderr=log,
            pass_fds=[fd for card in machine.cards for fd in card.fds],
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to go; make it, if it does not within STOP_SECONDS."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def press_power_button(folder: Path) -> bool:
    """Press the power button if the guest listens to it; False when it does not.

    It listens when its ACPI driver has set PWRBTN_EN (ACPI 6.5, 4.8.4.1.2). Both firmwares place
    the register block at the same port.
    """
    with control(folder) as ask:
        line = {"command-line": f"i/h {_PM1_ENABLE:#x}"}
        told = ask("human-monitor-command", line)
        enabled = re.search(r"=\s*0x([0-9a-f]+)", str(told))
        if not enabled or not int(enabled[1], 16) & _PWRBTN_EN:
            return False
        ask("system_powerdown")
        return True


Ask = Callable[..., object]  # a command and its arguments → what it returns


@contextmanager
def control(folder: Path, name: str = "qmp") -> Iterator[Ask]:
    """What gives the QEMU whose socket is `name` in `folder` a command, and returns its answer.

    It listens to one connection at a time.

    Raises NitroError for a command that QEMU refuses, OSError and ValueError when it does not
    answer.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(STOP_SECONDS)
        connect(connection, folder, name)
        with connection.makefile("rw") as channel:
            channel.readline()  # the greeting

            def ask(command: str, arguments: Mapping[str, object] | None = None) -> object:
                request = {"execute": command, **({"arguments": arguments} if arguments else {})}
                channel.write(json.dumps(request) + "\n")
                channel.flush()
                while "return" not in (answer := json.loads(channel.readline())):
                    if "error" in answer:
                        raise NitroError(f"QEMU refused {command}: {answer['error']['desc']}")
                return answer["return"]

            ask("qmp_capabilities")
            yield ask


def connect(connection: socket.socket, folder: Path, name: str) -> None:
    """Connect to the socket `name` in `folder`, however long the folder's path is."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{handle}/{name}")
    finally:
        os.close(handle)


@cache
def _has_vfio_user(program: str) -> bool:
    return '"vfio-user-pci"' in _ask(program, "-machine", "none", "-device", "help")


@cache
def names_disks(qemu: Qemu) -> bool:
    """Whether the model of an NVMe disk can be chosen: a recent option of QEMU."""
    return " model=" in _ask(*qemu.command, "-device", "nvme,help")


@cache
def _version(command: tuple[str, ...]) -> tuple[int, ...]:
    found = re.search(r"version (\d+(?:\.\d+)*)", _ask(*command, "--version"))
    if not found:
        raise NitroError(f"{command[0]} does not print its version")
    return tuple(map(int, found[1].split(".")))


def _ask(*command: str) -> str:
    """What a program prints. Raises NitroError when it does not end within ANSWER_SECONDS."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS
        ).stdout
    except subprocess.TimeoutExpired:
        raise NitroError(
            f"`{' '.join(command)}` did not end within {ANSWER_SECONDS:g} s",
            hint="see whether it runs by itself; without it on the PATH, Debian's QEMU is used",
        ) from None


def _packaged_version(packages: Sequence[debian.Package], name: str) -> tuple[int, ...]:
    """From "1:11.1.3+ds-1~bpo13+1", which saves starting the program."""
    version = next(p.version for p in packages if p.name == name)
    found = re.search(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


def _escaped(value: object) -> str:
    """A comma separates QEMU's options; doubled, it stands for itself."""
    return str(value).replace(",", ",,")
