"""The test kernel, built with Debian's compiler, and machines that boot it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nitro.debian import chroot, tree
from nitro.image.rootfs import Node
from nitro.local import accel, qemu
from tests.driver.compiling import GCC

SOURCES = Path(__file__).parent / "kernel"
SECONDS = 300  # half a gibibyte is a minute's work where others are busy, too

_COMPILE = (
    *("gcc-12", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-static", "-ffreestanding"),
    *("-fno-pic", "-no-pie", "-mno-red-zone", "-mgeneral-regs-only", "-fno-stack-protector"),
    *("-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns"),
    *("-Wl,-T,/build/kernel.ld", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096"),
    *("-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments"),
)


def build(folder: Path) -> Path:
    """The test kernel's ELF file, in `folder`."""
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    sources = ("/build/start.S", "/build/main.c")
    chroot.run([tree(GCC)], [*_COMPILE, "-o", "/build/kernel.elf", *sources], folder)
    return folder / "kernel.elf"


@dataclass(frozen=True)
class Said:
    """What the kernel printed: files (name → size and digest), links, folders, other lines."""

    files: dict[str, tuple[int, str]]
    links: dict[str, str]
    folders: list[str]
    text: str


def boot(folder: Path, *, memory_mib: int = 128, **machine: object) -> Said:
    """What the kernel prints until it powers off, in a machine made as `machine` says."""
    emulator = qemu.find()
    console = folder / "console"
    console.unlink(missing_ok=True)
    made = qemu.Machine(
        console=console,
        memory_mib=memory_mib,
        accelerator=accel.best(emulator),
        **machine,  # type: ignore[arg-type]
    )
    with qemu.boot(emulator, made, folder) as process:
        process.wait(SECONDS)
    text = console.read_bytes().decode(errors="surrogateescape").replace("\r\n", "\n")
    assert text.endswith("done\n"), text[-2000:]
    assert "unaligned" not in text
    assert "memory is cleared\n" in text
    found = re.findall(r"^file (.*) (\d+) ([0-9a-f]{64})(?: [0-9a-f]*)?$", text, re.MULTILINE)
    return Said(
        {name: (int(size), digest) for name, size, digest in found},
        dict(re.findall(r"^link (\S+) (.*)$", text, re.MULTILINE)),
        re.findall(r"^folder (.*)/$", text, re.MULTILINE),
        text,
    )


def ide(disk: Path) -> Sequence[str]:
    """Arguments for QEMU: a disk behind an IDE controller."""
    drive = f"if=none,id=ide0,format=raw,file={disk}"
    return (
        *("-device", "piix3-ide,id=ide", "-drive", drive),
        *("-device", "ide-hd,bus=ide.0,drive=ide0,bootindex=0"),
    )


def expected(nodes: Mapping[str, Node]) -> Said:
    """What the kernel has to print of `nodes`."""
    files = {
        path: (node.size, digest(node)) for path, node in nodes.items() if node.source is not None
    }
    links = {path: node.target for path, node in nodes.items() if node.target is not None}
    folders = [path for path, node in nodes.items() if node.source is None and not node.target]
    return Said(files, links, folders, "")


def digest(node: Node) -> str:
    """As the kernel computes it."""
    if isinstance(node.source, Path):
        with node.source.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    return hashlib.blake2b(node.source or b"", digest_size=32).hexdigest()
