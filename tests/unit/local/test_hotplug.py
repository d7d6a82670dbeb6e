"""Disks of a running machine, asked of a QEMU without a guest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro.errors import NitroError
from nitro.local import hotplug, qemu
from nitro.local.qemu import PLACES, Disk, Machine, arguments

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of the socket of a machine that waits in its firmware."""
    machine = Machine(console=tmp_path / "console", hot_plug=True)
    with qemu.boot(qemu.find(), machine, tmp_path):
        while not (tmp_path / "qmp").exists():
            time.sleep(0.01)
        yield tmp_path


def disk(folder: Path, name: str) -> Disk:
    path = folder / f"{name}.raw"
    with path.open("wb") as file:
        file.truncate(1 << 20)
    return Disk(path, serial=name, name=name)


def test_disks_take_the_places_that_there_are(folder: Path) -> None:
    names = [f"vol-{number}" for number in range(PLACES)]
    for name in names:
        hotplug.plug(folder, disk(folder, name))
    assert hotplug.plugged(folder) >= set(names)
    with pytest.raises(NitroError, match=f"no place for more than {PLACES} disks"):
        hotplug.plug(folder, disk(folder, "vol-more"))
    hotplug.unplug(folder, "vol-1")
    with pytest.raises(NitroError, match="refused device_del"):
        hotplug.unplug(folder, "vol-more")


def test_a_file_that_cannot_be_opened_leaves_nothing(folder: Path) -> None:
    with pytest.raises(NitroError, match="refused blockdev-add"):
        hotplug.plug(folder, Disk(folder / "absent", name="vol-1"))
    hotplug.plug(folder, disk(folder, "vol-1"))
    assert "vol-1" in hotplug.plugged(folder)


def test_a_machine_stands_still_until_it_goes_on(folder: Path) -> None:
    def status() -> object:
        with qemu.control(folder) as ask:
            answer = ask("query-status")
        assert isinstance(answer, dict)
        return answer["status"]

    hotplug.stand_still(folder)
    assert status() == "paused"
    hotplug.go_on(folder)
    assert status() == "running"


def test_the_disk_that_boots_stays(tmp_path: Path) -> None:
    disks = (Disk(tmp_path / "a"), Disk(tmp_path / "b"))
    line = arguments(Machine(disks=disks, hot_plug=True), tmp_path)
    ports = [word for word in line if word.startswith("pcie-root-port,id=port")]
    assert [port.rpartition("hotplug=")[2] for port in ports] == ["off", "on"]
    fixed = arguments(Machine(disks=disks), tmp_path)
    assert not [word for word in fixed if "hotplug=on" in word or "place" in word]
