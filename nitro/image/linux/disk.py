"""The raw disk: where everything lies, and the two ways into it.

    sector 0        boot.img: BIOS starts here
    1 … 33          GUID partition table
    34 … 2047       "BIOS boot": GRUB's core for BIOS
    2048 …          "EFI system": FAT with GRUB for UEFI, VMLINUZ, INITRD (which changes most)
    the last 33     the table again

Both GRUBs read kernel and initrd from the EFI system partition, so they are stored once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from nitro.image.formats import fat, gpt
from nitro.image.formats.gpt import SECTOR

CORE_SECTOR = gpt.FIRST_USABLE
ESP_SECTOR = 2048

# Fixed: an image's identity is its digest. An instance has one such disk.
_DISK = UUID("6e6974726f00-4000-8000-000000000000".replace("-", "").ljust(32, "0"))
_BIOS_PART = UUID(int=_DISK.int + 1)
_ESP_PART = UUID(int=_DISK.int + 2)


def write(out: Path, *, boot: bytes, core: bytes, files: Mapping[str, fat.Source]) -> None:
    """Write the disk to `out`, sparse. `files` are those of the EFI system partition.

    Raises ValueError when GRUB's core does not fit in front of that partition.
    """
    if CORE_SECTOR + -(-len(core) // SECTOR) > ESP_SECTOR:
        raise ValueError("GRUB's core is too large")
    volume = fat.Volume(files, label="NITRO", serial=0x4E54524F)
    esp_end = ESP_SECTOR + volume.size // SECTOR
    sectors = esp_end + gpt.TABLE_SECTORS + 1
    partitions = (
        gpt.Partition(gpt.BIOS_BOOT, _BIOS_PART, CORE_SECTOR, ESP_SECTOR - 1, "BIOS boot"),
        gpt.Partition(gpt.EFI_SYSTEM, _ESP_PART, ESP_SECTOR, esp_end - 1, "EFI system"),
    )
    start, end = gpt.write(_DISK, partitions, sectors)
    with out.open("wb") as file:
        file.write(boot + start[len(boot) :])
        file.write(core)
        volume.write(file, ESP_SECTOR * SECTOR)
        file.seek(sectors * SECTOR - len(end))
        file.write(end)


def esp_files(path: Path) -> dict[str, tuple[int, int]]:
    """The files of a disk's EFI system partition: path → (position on the disk, size).

    Raises ValueError when `path` is not such a disk.
    """
    with path.open("rb") as disk:
        partitions = gpt.read(disk.read(gpt.FIRST_USABLE * SECTOR))
        esp = next((p for p in partitions if p.kind == gpt.EFI_SYSTEM), None)
        if esp is None:
            raise ValueError("no EFI system partition")
        if esp.first * SECTOR >= disk.seek(0, os.SEEK_END):
            raise ValueError("the EFI system partition starts beyond the end of the disk")
        return fat.read(disk, esp.first * SECTOR)
