"""What QEMU needs to start an image's kernel itself, without firmware and GRUB reading the disk.

Under emulation GRUB takes 55 ms for each MB of the initrd; QEMU lays it into the memory at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nitro.image.build_cache import Image
from nitro.image.linux import disk
from nitro.space import writing


@dataclass(frozen=True)
class Direct:
    """The kernel and the initrd in files of their own, and the kernel's command line."""

    kernel: Path
    initrd: Path
    command_line: str


def unpack(image: Image, folder: Path) -> Direct | None:
    """Copy kernel and initrd of `image` to `folder`; None for an image without Linux.

    Raises NitroError when `folder` has no room for them.
    """
    try:
        files = disk.esp_files(image.path)
    except ValueError:  # OSv's disk has no such partition
        return None
    command_line: str = json.loads(image.manifest_path.read_text())["kernel"]["command_line"]
    with writing(folder), image.path.open("rb") as source:
        for name in ("VMLINUZ", "INITRD"):
            position, size = files[name]
            source.seek(position)
            (folder / name).write_bytes(source.read(size))
    return Direct(folder / "VMLINUZ", folder / "INITRD", command_line)
