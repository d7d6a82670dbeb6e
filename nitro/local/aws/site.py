"""What the account stands on: where bytes lie, what runs instances, how long things take."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nitro.local.hypervisor import Hypervisor
from nitro.local.store import BlockStore
from nitro.local.volumes import VolumeFiles
from nitro.local.weather import FAIR, Forecast


@dataclass(frozen=True)
class Pace:
    """How long things take that are instant here and are not on AWS, in seconds."""

    import_snapshot: float = 1.0
    register_image: float = 0.3
    complete_snapshot: float = 0.2
    copy_snapshot: float = 1.0
    validate_parameter: float = 0.5
    modify_volume: float = 0.5


INSTANT = Pace(0, 0, 0, 0, 0, 0)


class PublicAddresses:
    """Hands out addresses of one /16 of 127.0.0.0/8: all of it is this machine."""

    def __init__(self, second_octet: int = 42) -> None:
        self._network = ipaddress.IPv4Network(f"127.{second_octet}.0.0/16")
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def take(self) -> str:
        """The lowest free address. RuntimeError when all 65,534 are in use."""
        with self._lock:
            for address in map(str, self._network.hosts()):
                if address not in self._taken:
                    self._taken.add(address)
                    return address
        raise RuntimeError(f"no free address in {self._network}")

    def give_back(self, address: str) -> None:
        with self._lock:
            self._taken.discard(address)


@dataclass
class Site:
    """Everything below the API, shared by all regions.

    `index` is the folder in which snapshots and images are remembered; None: they are not.
    `qemu_img` is the start of a command line. `volumes` are beside the store unless they are given.
    """

    store: BlockStore
    hypervisor: Hypervisor
    pace: Pace = INSTANT
    addresses: PublicAddresses = field(default_factory=PublicAddresses)
    clock: Callable[[], float] = time.monotonic
    index: Path | None = None
    forecast: Forecast = field(default_factory=lambda: Forecast(FAIR))
    qemu_img: Sequence[str] = ("qemu-img",)
    volumes: VolumeFiles = field(default=None)  # type: ignore[assignment]  # set below

    def __post_init__(self) -> None:
        if self.volumes is None:
            self.volumes = VolumeFiles(self.store.folder / "volumes", self.store)
