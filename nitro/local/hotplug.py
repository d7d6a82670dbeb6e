"""Disks that come and go while a machine runs, and a machine that stands still meanwhile.

Each function takes the folder of the machine's control socket. All raise NitroError for what QEMU
refuses, OSError and ValueError when it does not answer.
"""

from __future__ import annotations

from pathlib import Path

from nitro.errors import NitroError
from nitro.local import qemu


def plug(folder: Path, disk: qemu.Disk) -> None:
    """Give the guest a disk in the first free place. NitroError when there is none."""
    with qemu.control(folder) as ask:
        _close(ask, disk.name)  # of an earlier time
        content = {"driver": "file", "filename": str(disk.path)}
        cache = {"direct": False, "no-flush": True}
        ask(
            "blockdev-add",
            {"driver": "raw", "node-name": disk.name, "file": content, "cache": cache},
        )
        device = {"driver": "nvme", "id": disk.name, "drive": disk.name, "serial": disk.serial}
        if disk.model:
            device |= {"model": disk.model, "firmware-version": qemu.DISK_FIRMWARE}
        for number in range(qemu.PLACES):
            try:
                ask("device_add", {**device, "bus": qemu.place(number)})
            except NitroError as error:
                if "occupied" not in error.what:
                    _close(ask, disk.name)
                    raise
            else:
                return
        _close(ask, disk.name)
    raise NitroError(f"the machine has no place for more than {qemu.PLACES} disks added to it")


def unplug(folder: Path, name: str) -> None:
    """Ask the guest to let go of a disk. It takes some seconds, and a guest that listens."""
    with qemu.control(folder) as ask:
        ask("device_del", {"id": name})


def plugged(folder: Path) -> frozenset[str]:
    """The names of the machine's devices, disks among them."""
    with qemu.control(folder) as ask:
        found = ask("qom-list", {"path": "/machine/peripheral"})
    return frozenset(each["name"] for each in found) if isinstance(found, list) else frozenset()


def stand_still(folder: Path) -> None:
    """Stop the processors, and write what the disks have been given."""
    with qemu.control(folder) as ask:
        ask("stop")


def go_on(folder: Path) -> None:
    with qemu.control(folder) as ask:
        ask("cont")


def _close(ask: qemu.Ask, name: str) -> None:
    """Close the file of a disk that is not plugged in; nothing when there is none."""
    try:
        ask("blockdev-del", {"node-name": name})
    except NitroError:
        return
