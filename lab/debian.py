"""A disk as anybody makes one of Debian 12's packages: systemd, cloud-init, Amazon's utilities.

Nothing in it knows of nitro but the loader, which is GRUB for BIOS from `nitro.image`. It takes
mmdebstrap, root and minutes, and is kept in the cache until what it is made of changes here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import UUID

from nitro import debian
from nitro.arch import X86_64
from nitro.image.formats import fat, gpt
from nitro.image.formats.gpt import SECTOR
from nitro.image.linux import grub
from nitro.paths import cache_dir

PACKAGES = (
    "systemd-sysv udev dbus libnss-resolve systemd-resolved linux-image-cloud-amd64 cloud-init "
    "cloud-guest-utils openssh-server netplan.io iproute2 e2fsprogs fdisk gdisk sudo chrony "
    "amazon-ec2-utils amazon-ec2-net-utils nvme-cli"
)
SIZE_GIB = 3
FILES = {
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
    "etc/hostname": "localhost\n",
    "etc/machine-id": "",
    # As in Debian's own images for clouds: no locale is installed, and none is made at boot.
    "etc/cloud/cloud.cfg.d/90_locale.cfg": "locale: false\n",
}
COMMAND_LINE = "root=LABEL=root ro console=ttyS0 quiet"

_DISK = UUID(int=0x6E6974726F004000800000000000000A)
_LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_ESP_SECTOR = 2048


def needs() -> str:
    """What this machine lacks to make the disk; "": nothing."""
    if os.geteuid():
        return "root"
    missing = [each for each in ("mmdebstrap", "mke2fs") if not shutil.which(each)]
    return ", ".join(missing)


def make() -> Path:
    """The raw disk, SIZE_GIB large. Not to be written to."""
    folder = cache_dir() / "debian-12"
    disk, marker = folder / "disk.raw", folder / "made-from.txt"
    made_from = "\n".join([PACKAGES, str(FILES), COMMAND_LINE, str(SIZE_GIB)])
    if marker.exists() and marker.read_text() == made_from:
        return disk
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch) / "root"
        _install(root)
        _write(disk, root, Path(scratch) / "root.ext4")
    marker.write_text(made_from)
    return disk


def _install(root: Path) -> None:
    include = ",".join(PACKAGES.split())
    line = ["mmdebstrap", "--variant=minbase", "--mode=root", f"--include={include}"]
    subprocess.run([*line, "bookworm", str(root)], check=True, stdin=subprocess.DEVNULL)
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    resolver = root / "etc/resolv.conf"  # of the machine that made it
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("../run/systemd/resolve/stub-resolv.conf")


def _write(out: Path, root: Path, filesystem: Path) -> None:
    """GRUB and the kernel in front, the root file system up to the end of the disk."""
    tools, modules = debian.tree(grub.LIBRARIES), debian.tree(grub.packages(X86_64))
    core = grub.bios_core(tools, modules, grub.bios_script(COMMAND_LINE), gpt.FIRST_USABLE)
    boot = grub.boot_sector(modules, gpt.FIRST_USABLE)
    (kernel,), (initrd,) = (root.glob(f"boot/{name}-*") for name in ("vmlinuz", "initrd.img"))
    esp = fat.Volume({"VMLINUZ": kernel, "INITRD": initrd}, label="BOOT", serial=1)
    esp_end = _ESP_SECTOR + esp.size // SECTOR
    first = -(-esp_end // 2048) * 2048
    sectors = SIZE_GIB * 2**30 // SECTOR
    kib = (sectors - gpt.TABLE_SECTORS - 2 - first) * SECTOR // 4096 * 4
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, filesystem, f"{kib}k"], check=True
    )
    partitions = [
        gpt.Partition(
            gpt.BIOS_BOOT, UUID(int=_DISK.int + 1), gpt.FIRST_USABLE, _ESP_SECTOR - 1, "BIOS boot"
        ),
        gpt.Partition(
            gpt.EFI_SYSTEM, UUID(int=_DISK.int + 2), _ESP_SECTOR, esp_end - 1, "EFI system"
        ),
        gpt.Partition(
            _LINUX, UUID(int=_DISK.int + 3), first, first + kib * 1024 // SECTOR - 1, "root"
        ),
    ]
    start, end = gpt.write(_DISK, partitions, sectors)
    with out.open("wb") as file:
        file.write(boot + start[len(boot) :])
        file.write(core)
        esp.write(file, _ESP_SECTOR * SECTOR)
        file.seek(sectors * SECTOR - len(end))
        file.write(end)
    copy = ["dd", f"if={filesystem}", f"of={out}", "bs=1M", f"seek={first * SECTOR}"]
    options = ["oflag=seek_bytes", "conv=notrunc,sparse", "status=none"]
    subprocess.run([*copy, *options], check=True)
