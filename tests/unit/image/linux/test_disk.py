"""The disk's layout; other tools judge whole disks in tests/boot/image."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.image.formats import fat, gpt
from nitro.image.formats.gpt import SECTOR
from nitro.image.linux import disk

FILES: dict[str, fat.Source] = {"VMLINUZ": b"kernel", "EFI/BOOT/BOOTX64.EFI": b"grub"}


def test_everything_is_where_firmware_looks(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    boot, core = b"\xeb" * 440, b"\xcc" * 1000
    disk.write(path, boot=boot, core=core, files=FILES)
    raw = path.read_bytes()
    assert raw[:440] == boot
    assert raw[510:512] == b"\x55\xaa"
    start = disk.CORE_SECTOR * SECTOR
    assert raw[start : start + len(core)] == core
    kinds = [part.kind for part in gpt.read(raw[: gpt.FIRST_USABLE * SECTOR])]
    assert kinds == [gpt.BIOS_BOOT, gpt.EFI_SYSTEM]
    found = {name: raw[at : at + size] for name, (at, size) in disk.esp_files(path).items()}
    assert found == FILES


def test_disk_is_sparse(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disk.write(path, boot=b"", core=b"", files=FILES)
    assert path.stat().st_blocks * 512 < path.stat().st_size / 4


def test_core_that_reaches_into_the_partition(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="core is too large"):
        disk.write(tmp_path / "disk", boot=b"", core=bytes(1 << 20), files=FILES)


@pytest.mark.parametrize("more", [0, 1])
def test_a_core_takes_all_in_front_of_the_partition(tmp_path: Path, more: int) -> None:
    core = b"\xcc" * ((2048 - 34) * SECTOR + more)
    path = tmp_path / "disk"
    if more:
        with pytest.raises(ValueError, match="core is too large"):
            disk.write(path, boot=b"", core=core, files=FILES)
        assert not path.exists()
    else:
        disk.write(path, boot=b"", core=core, files=FILES)
        assert set(disk.esp_files(path)) == set(FILES)


def test_the_partitions_are_next_to_each_other_up_to_the_second_table(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disk.write(path, boot=b"", core=b"", files=FILES)
    raw = path.read_bytes()
    bios, esp = gpt.read(raw[: gpt.FIRST_USABLE * SECTOR])
    assert (bios.first, bios.last, esp.first) == (34, 2047, 2048)
    assert (esp.last + 1 + 33) * SECTOR == len(raw)
    assert raw[-SECTOR:].startswith(b"EFI PART")
    assert len({bios.identity, esp.identity}) == 2
    assert (bios.name, esp.name) == ("BIOS boot", "EFI system")


def test_a_disk_without_its_partition_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disk.write(path, boot=b"", core=b"", files=FILES)
    raw = path.read_bytes()
    path.write_bytes(raw[: 2048 * SECTOR])
    with pytest.raises(ValueError, match="starts beyond the end of the disk"):
        disk.esp_files(path)
    path.write_bytes(raw[: 2048 * SECTOR + 1])
    with pytest.raises(ValueError, match="no FAT12 or FAT16 volume"):
        disk.esp_files(path)
    path.write_bytes(gpt.write(gpt.BIOS_BOOT, [], 1000)[0])
    with pytest.raises(ValueError, match="no EFI system partition"):
        disk.esp_files(path)
