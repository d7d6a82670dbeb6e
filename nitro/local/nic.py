"""The network card of a machine: what QEMU is told, and what runs beside it.

The seam for other cards: a `Nic` yields the part of the command line that makes it (`card`) and
is closed when the machine is gone. On its other side is always a tap with vnet headers, or,
with no network of the local Nitro's at hand, QEMU's own user-mode network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from nitro.errors import NitroError
from nitro.local.qemu import Card, end
from nitro.local.watch import Helper
from nitro.ports import Forward

CARD_SECONDS = 30.0
OFFLOADS = ("profile", "all")  # as `nitro device serve` has them
OFFLOADS_FILE = "offloads"
MAP_LLQ_FILE = "map-llq"
SHAPES_FILE = "shapes.json"

# Of the first network interface, as on Nitro instances: systemd then calls it ens5.
_SLOT = ("-device", "pcie-root-port,id=slot5,chassis=105,slot=5")


class Nic(Protocol):
    """A card for one machine, from before it starts until after it ended."""

    name: str  # as results report it: "virtio-net"

    @property
    def card(self) -> Card:
        """What the machine's command line needs."""

    def close(self) -> None:
        """Give back everything held. Harmless when repeated."""


def offloads_of(folder: Path) -> str:
    """The offloads of the cards that the local Nitro in `folder` plugs in; by default each
    profile's."""
    try:
        return (folder / OFFLOADS_FILE).read_text()
    except FileNotFoundError:
        return "profile"


def maps_llq(folder: Path) -> bool:
    """Whether the local Nitro in `folder` maps LLQ memory into its guests."""
    return (folder / MAP_LLQ_FILE).exists()


def shape_of(folder: Path, instance_type: str) -> str | None:
    """What the local Nitro in `folder` allows the cards of a type; None: all there is."""
    try:
        shapes: dict[str, str] = json.loads((folder / SHAPES_FILE).read_text())
    except FileNotFoundError:
        return None
    return shapes.get(instance_type)


class EnaNic:
    """An ENA card on a tap: `nitro.ena` in a process of its own, plugged in by vfio-user.

    The descriptor `tap` is this object's from here on. `profile` is the instance type whose
    card it is; `offloads` "all" gives it every offload instead of that card's, `map_llq` maps its
    LLQ memory into the guest, `shape` is what the type allows, as `nitro device serve` takes it.
    What the card reports, every broken rule of the driver's by name, is appended to `console`,
    where the instance's own words are.

    Raises NitroError when the card does not come up.
    """

    name = "ena"

    def __init__(
        self,
        tap: int,
        mac: str,
        *,
        profile: str,
        folder: Path,
        console: Path,
        offloads: str = "profile",
        map_llq: bool = False,
        shape: str | None = None,
    ) -> None:
        if offloads == "all":
            self.name += ", all offloads"
        if map_llq:
            self.name += ", LLQ mapped"
        # A relative name, for a socket's path must be short; QEMU runs in the same folder.
        socket = folder / "ena"
        socket.unlink(missing_ok=True)
        words = ["--socket", socket.name, "--port", f"fd:{tap}", "--mac", mac]
        words += ["--profile", profile, "--offloads", offloads, "--strict", "--once"]
        words += ["--map-llq"] if map_llq else []
        words += ["--shape", shape] if shape else []
        try:
            with console.open("ab") as reports:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "nitro.ena", "serve", *words],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=reports,
                    stderr=reports,
                    pass_fds=[tap],
                )
        finally:
            os.close(tap)
        self.helper = Helper("the ENA card", self._process, console)
        self._wait_for(socket)
        device = {
            "driver": "vfio-user-pci",
            "bus": "slot5",
            "socket": {"type": "unix", "path": socket.name},
        }
        line = (*_SLOT, "-device", json.dumps(device))
        self.card = Card(line, shared_memory=True)

    def close(self) -> None:
        end(self._process)

    def _wait_for(self, socket: Path) -> None:
        deadline = time.monotonic() + CARD_SECONDS
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise NitroError(
                    f"the ENA card at {socket} did not come up", hint="the console says why"
                )
            time.sleep(0.01)


class UserNic:
    """virtio-net on QEMU's user-mode network, with `forwards` from 127.0.0.1.

    The guest is `isolated`: it reaches neither this machine nor a network, unless UDP is
    forwarded. For libslirp drops every datagram of a guest with restrict=on (udp.c, udp_input),
    the answers to forwarded ones too.
    """

    name = "virtio-net"

    def __init__(self, forwards: Iterable[Forward] = ()) -> None:
        forwards = tuple(forwards)
        self.isolated = all(forward.protocol == "tcp" for forward in forwards)
        restrict = "on" if self.isolated else "off"
        options = "".join(
            f",hostfwd={forward.protocol}:127.0.0.1:{forward.host}-:{forward.guest}"
            for forward in forwards
        )
        self.card = Card(
            (
                "-netdev",
                f"user,id=net0,restrict={restrict}{options}",
                "-device",
                "virtio-net-pci,netdev=net0,romfile=",
            )
        )

    def close(self) -> None:
        """Nothing is held."""
