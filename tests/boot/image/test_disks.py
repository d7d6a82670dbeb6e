"""A machine's other disks are not in the way of the one that boots."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.image import booted
from nitro import recipe
from nitro.image import build
from nitro.local import qemu

pytestmark = [pytest.mark.boot, pytest.mark.slow]

# Starts the second disk as firmware would that counts a local disk first.
START_SECOND_DISK = bytes.fromhex(
    "fa 31c0 8ed8 8ec0 8ed0 bc007c fb fc"  # segments 0, stack below 0x7c00
    "be007c bf0006 b90001 f3a5 ea1e060000"  # move to 0x600 and go on there
    "b80102 bb007c b90100 ba8100 cd13"  # read sector 0 of drive 0x81
    "ea007c0000"  # and run it, its drive's number in DL
)


def test_a_local_disk_counts_before_the_root_disk(tmp_path: Path) -> None:
    image = build(recipe.load("hello"))
    local, root = tmp_path / "local", tmp_path / "root"
    local.write_bytes(START_SECOND_DISK.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    shutil.copyfile(image.path, root)
    disks = (qemu.Disk(local), qemu.Disk(root))
    with booted(image, tmp_path, disks=disks) as machine:
        machine.wait_for("ready")


def test_uefi_starts_the_disk_that_boots_whatever_comes_first(tmp_path: Path) -> None:
    image = build(recipe.load("hello").model_copy(update={"boot_mode": "uefi"}))
    local, root = tmp_path / "local", tmp_path / "root"
    local.write_bytes(bytes(1 << 20))
    shutil.copyfile(image.path, root)
    disks = (qemu.Disk(local), qemu.Disk(root))
    with booted(image, tmp_path, disks=disks, boot_mode="uefi") as machine:
        machine.wait_for("ready")
