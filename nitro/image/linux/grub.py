"""GRUB, put together from Debian's modules for exactly one thing: start the kernel on the ESP.

Two programs come out, one for each firmware, with the same three commands embedded. Neither
holds a menu, a shell that a person could reach, or a file system other than FAT.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import tempfile
from pathlib import Path

from nitro.arch import Arch
from nitro.debian import Tree, Wanted
from nitro.errors import InputError, NitroError
from nitro.space import full, says_full
from nitro.stored import stored

SECTOR = 512

LIBRARIES = Wanted(("grub-common",))

_BIOS_MODULES = ("biosdisk", "part_gpt", "fat", "linux16")
_UEFI_MODULES = ("part_gpt", "fat", "linux")

# BIOS uses the 16-bit entry: GRUB copies the kernel once more for the 32-bit one, five times
# as many bytes, which takes two seconds on a machine without hardware virtualization. $root is
# the disk that GRUB itself came from, which local disks may be counted before.
_BIOS_SCRIPT = "set root=($root,gpt2)\nlinux16 /VMLINUZ {}\ninitrd16 /INITRD\nboot\n"
_UEFI_SCRIPT = "linux /VMLINUZ {}\ninitrd /INITRD\nboot\n"


def check_initrd(size: int, boot_mode: str) -> None:
    """Raises InputError for an initial file system of `size` bytes that GRUB cannot load."""
    if boot_mode == "legacy-bios" and size > _BIOS_INITRD:
        raise InputError(
            f"the image's files take {size / 1e6:.0f} MB, compressed; by BIOS at most "
            f"{_BIOS_INITRD / 1e6:.0f} MB can be loaded",
            hint='boot_mode = "uefi", for instance types that have it, loads 2 GB',
        )


def packages(arch: Arch) -> Wanted:
    """The packages of the modules that a machine of `arch` starts with."""
    return Wanted(("grub-common", *arch.grub_packages), closure=False, arch=arch)


def bios_script(command_line: str) -> str:
    """The commands that start the kernel of the EFI system partition, for BIOS."""
    return _BIOS_SCRIPT.format(command_line)


def uefi_script(command_line: str) -> str:
    """The same for UEFI, whose GRUB starts out on that partition."""
    return _UEFI_SCRIPT.format(command_line)


# GRUB for BIOS puts the initial file system below 896 MiB (GRUB_LINUX_INITRD_MAX_ADDRESS), behind
# the kernel, and starts it without one that has no room there. 820 MiB were booted, 858 were not.
_BIOS_INITRD = 820 << 20

# boot.img and diskboot.img, as in GRUB's include/grub/i386/pc/boot.h
_KERNEL_SECTOR = 0x5C
_DRIVE_CHECK = 0x66
_BLOCK_LIST = struct.Struct("<QHH")


def boot_sector(modules: Tree, core_sector: int) -> bytes:
    """The 440 bytes of code that load GRUB's core from `core_sector` by BIOS."""
    image = modules.path(f"/usr/lib/grub/{modules.arch.grub_bios}/boot.img")
    code = bytearray(image.read_bytes()[:440])
    struct.pack_into("<Q", code, _KERNEL_SECTOR, core_sector)
    # What grub-install does for hard disks: do not trust the drive number of odd firmware.
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    return bytes(code)


def bios_core(tools: Tree, modules: Tree, script: str, sector: int) -> bytes:
    """GRUB for BIOS, to be written at `sector`: its first one knows where the others lie."""
    core = bytearray(_make(tools, modules, script, modules.arch.grub_bios, _BIOS_MODULES))
    core += bytes(-len(core) % SECTOR)
    rest = len(core) // SECTOR - 1
    segment = _BLOCK_LIST.unpack_from(core, SECTOR - _BLOCK_LIST.size)[2]
    _BLOCK_LIST.pack_into(core, SECTOR - _BLOCK_LIST.size, sector + 1, rest, segment)
    return bytes(core)


def uefi_program(tools: Tree, modules: Tree, script: str) -> bytes:
    """GRUB for UEFI, which looks for it at the architecture's `efi_path`."""
    return _make(tools, modules, script, modules.arch.grub_uefi, _UEFI_MODULES)


def _make(tools: Tree, modules: Tree, script: str, platform: str, names: tuple[str, ...]) -> bytes:
    versions = " ".join(p.sha256 for p in (*tools.packages, *modules.packages))
    inputs = f"{versions} {platform} {names} {script}".encode()
    key = hashlib.sha256(inputs + Path(__file__).read_bytes()).hexdigest()

    def make(target: Path) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
            config.write(script)
            config.flush()
            argv = [*tools.program("grub-mkimage"), "--format", platform]
            argv += ["--directory", str(modules.path(f"/usr/lib/grub/{platform}"))]
            argv += [
                "--prefix",
                "/",
                "--config",
                config.name,
                "--output",
                str(target),
                "--",
                *names,
            ]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode and says_full(done.stderr):
            raise full(target.parent)
        if done.returncode:
            raise NitroError(f"grub-mkimage for {platform} failed: {done.stderr.strip()}")

    return stored("grub", key, make).read_bytes()
