"""What the local EC2 asks of whatever runs its instances, and a stand-in that runs nothing.

The API side (`nitro.local.aws`) describes a guest and from then on only asks how it is; the
real hypervisor (`nitro.local.qemu_hypervisor`) works in its own time. No AWS types pass this line.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from nitro.errors import NitroError


@dataclass(frozen=True)
class PortRange:
    """Ports that a security group opens to the world, both ends included."""

    protocol: str  # "tcp" | "udp"
    first: int
    last: int


@dataclass(frozen=True)
class Network:
    """The subnet that a guest lives in."""

    subnet_id: str
    vpc_id: str
    cidr: str  # "172.31.0.0/20"
    vpc_cidr: str = ""  # "172.31.0.0/16"
    domain: str = "ec2.internal"  # of the guests' names


@dataclass(frozen=True)
class Disk:
    """One disk of a guest. It begins as a copy of a snapshot, or empty."""

    device_name: str  # as the API names it: "/dev/xvda"
    size_bytes: int
    snapshot_id: str | None = None  # the block store's name of its content
    volume_id: str = ""  # "vol-0123456789abcdef0"


@dataclass(frozen=True)
class Profile:
    """An instance profile, and the role in it ("": none)."""

    arn: str
    id: str
    role: str


@dataclass(frozen=True)
class Guest:
    """An instance as its hypervisor needs to know it. Sizes are the instance type's."""

    instance_id: str
    image_id: str
    instance_type: str
    architecture: str  # "x86_64" | "arm64"
    boot_mode: str  # "legacy-bios" | "uefi"
    vcpus: int
    memory_mib: int
    disks: tuple[Disk, ...]  # the root disk first
    network: Network
    mac: str
    private_ip: str
    public_ip: str | None
    open_ports: frozenset[PortRange] = frozenset()
    user_data: bytes | None = None
    region: str = "us-east-1"
    availability_zone: str = "us-east-1a"
    account_id: str = "123456789012"
    reservation_id: str = ""
    launch_index: int = 0
    security_groups: tuple[str, ...] = ()
    metadata_enabled: bool = True
    metadata_tokens_required: bool = False
    metadata_hops: int = 1  # as far as the answer to a request for a token goes
    metadata_tags: Mapping[str, str] | None = None  # None: not shown to the guest
    key_name: str = ""  # of the key pair; "": none
    public_key: str = ""  # "ssh-rsa AAAA… comment"
    profile: Profile | None = None
    interface_id: str = ""
    security_group_ids: tuple[str, ...] = ()
    zone_id: str = ""  # "use1-az1"
    placement_group: str = ""
    launched_at: str = ""  # "2026-01-02T03:04:05Z"


class State(enum.Enum):
    """How a guest is doing."""

    STARTING = "starting"
    RUNNING = "running"
    OFF = "off"  # powered off, by itself or by us
    FAILED = "failed"  # could not be started


@dataclass(frozen=True)
class GuestStatus:
    state: State
    reason: str = ""  # why it failed
    facts: Mapping[str, str] = field(default_factory=dict)  # {"accelerator": "tcg", …}


class Hypervisor(Protocol):
    """Runs guests. No method blocks for long; every id not started before is a KeyError."""

    def start(self, guest: Guest) -> None:
        """Begin to start the guest, or start it again after it was off."""

    def status(self, instance_id: str) -> GuestStatus: ...

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """Begin to end the guest; it is OFF some time later. Harmless when it is off.

        The guest is asked first, and has some time, unless `force` is set.
        """

    def reboot(self, instance_id: str, meanwhile: Callable[[], None] | None = None) -> None:
        """Begin to restart the guest. `meanwhile` is called once, while it is down."""

    def update(self, guest: Guest) -> None:
        """Replace what the guest reads about itself, and the ports that it is reached on."""

    def console(self, instance_id: str) -> bytes:
        """The end, 64 KiB or more, of what the guest wrote to its console since the last start."""

    def release(self, instance_id: str) -> None:
        """Forget the guest but for its console: its addresses may go."""

    def paused(self, instance_id: str) -> AbstractContextManager[None]:
        """The guest stands still, and its disks with it, for the length of a `with` block."""

    def attach(self, instance_id: str, disk: Disk) -> None:
        """Plug a disk into the running guest. Raises NitroError when there is no place for it."""

    def detach(self, instance_id: str, volume_id: str) -> None:
        """Ask the running guest to let go of a disk. Raises NitroError when it cannot be asked."""

    def attached(self, instance_id: str) -> frozenset[str]:
        """The volumes that the guest has as disks now; none when it is off."""


@dataclass
class _Imagined:
    guest: Guest
    state: State = State.RUNNING
    console: bytes = b""
    plugged: set[str] = field(default_factory=set)


class NullHypervisor:
    """Runs nothing and says what it is told to say: for tests of everything above it.

    Guests are running as soon as they are started, unless `fails` names a reason.
    """

    def __init__(self, fails: str | None = None) -> None:
        self.fails = fails
        self.guests: dict[str, _Imagined] = {}
        self.released: list[str] = []

    def start(self, guest: Guest) -> None:
        state = State.FAILED if self.fails else State.RUNNING
        disks = {disk.volume_id for disk in guest.disks}
        self.guests[guest.instance_id] = _Imagined(guest, state, plugged=disks)

    def status(self, instance_id: str) -> GuestStatus:
        guest = self.guests[instance_id]
        facts = {"accelerator": "none"} if guest.state is State.RUNNING else {}
        return GuestStatus(guest.state, self.fails or "", facts)

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        self.guests[instance_id].state = State.OFF

    def reboot(self, instance_id: str, meanwhile: Callable[[], None] | None = None) -> None:
        self.guests[instance_id].console = b""
        if meanwhile:
            meanwhile()

    def update(self, guest: Guest) -> None:
        self.guests[guest.instance_id].guest = guest

    def console(self, instance_id: str) -> bytes:
        return self.guests[instance_id].console

    def release(self, instance_id: str) -> None:
        self.released.append(instance_id)

    def paused(self, instance_id: str) -> AbstractContextManager[None]:
        return nullcontext()

    def attach(self, instance_id: str, disk: Disk) -> None:
        if self.fails:
            raise NitroError(self.fails)
        self.guests[instance_id].plugged.add(disk.volume_id)

    def detach(self, instance_id: str, volume_id: str) -> None:
        self.guests[instance_id].plugged.discard(volume_id)

    def attached(self, instance_id: str) -> frozenset[str]:
        imagined = self.guests[instance_id]
        return frozenset(imagined.plugged if imagined.state is State.RUNNING else ())

    def write_console(self, instance_id: str, text: bytes) -> None:
        """Act as the guest: write to its serial console."""
        self.guests[instance_id].console += text
