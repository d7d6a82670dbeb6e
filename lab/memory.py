"""Images of a size, and whether a machine has memory enough for one."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from nitro import recipe
from nitro.image import Image, build
from nitro.local import accel, qemu
from nitro.local.nic import UserNic

_BOOT_SECONDS = 300
_PAGE = 4096
_RECIPE = """\
name = "memory"
suite = "{suite}"
boot_mode = "{boot_mode}"
extras = []
command = ["/bin/sh", "-c", "echo counted $(stat -c %b /srv/content)"]
[[files]]
source = "content"
path = "/srv/content"
"""


def image_of(folder: Path, suite: str, boot_mode: str, content: str, megabytes: int) -> Image:
    """An image with one file of `megabytes`, of "zeros" or "random" bytes."""
    with (folder / "content").open("wb") as file:
        source = random.Random(megabytes)  # the same image every time
        for _ in range(megabytes):
            file.write(bytes(1_000_000) if content == "zeros" else source.randbytes(1_000_000))
    made = folder / "memory.toml"
    made.write_text(_RECIPE.format(suite=suite, boot_mode=boot_mode))
    return build(recipe.load(made))


def holds(emulator: qemu.Qemu, image: Image, size: int, memory_mib: int, folder: Path) -> bool:
    """Whether a machine with so much memory boots the image, all `size` bytes of its file there.

    The blocks tell: Linux gives a file its size before it unpacks the contents.
    """
    console, disk = folder / "console", folder / "disk.raw"
    console.unlink(missing_ok=True)
    disk.unlink(missing_ok=True)
    disk.symlink_to(image.path)
    machine = qemu.Machine(
        disks=(qemu.Disk(disk),),
        memory_mib=memory_mib,
        boot_mode=image.boot_mode,
        accelerator=accel.best(emulator),
        console=console,
        cards=(UserNic().card,),
        extra=("-no-reboot", "-snapshot"),
    )
    with qemu.boot(emulator, machine, folder) as process:
        try:
            process.wait(_BOOT_SECONDS)
        except subprocess.TimeoutExpired:
            return False
    said = console.read_text(errors="replace")
    return f"counted {-(-size // _PAGE) * _PAGE // 512}\n" in said
