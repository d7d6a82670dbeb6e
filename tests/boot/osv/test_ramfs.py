"""A RAMFS as a kernel finds it: in place and grown, by PVH, and by BIOS from IDE and NVMe."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from nitro.debian import chroot, tree
from nitro.image.osv import artifact, disk, ramfs
from nitro.image.osv.artifact import Kernel
from nitro.image.rootfs import Node
from nitro.local import qemu
from nitro.paths import PACKAGE
from tests.boot.osv.machine import Said, boot, build, expected, ide
from tests.driver.compiling import GCC

pytestmark = pytest.mark.boot

LINE = '--rootfs=ramfs --env=A=b\\ c /hello "a b"'


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return artifact.read(build(tmp_path_factory.mktemp("kernel")))


def file(content: bytes | Path) -> Node:
    return Node("program", "test", source=content)


SMALL = {
    "/hello": file(b"hello"),
    "/empty": file(b""),
    "/etc/page": file(bytes(range(256)) * 16),
    "/link": Node("program", "test", target="etc/page"),
    "/tmp": Node("program", "test"),
    "/" + "n" * 109: file(b"the longest name"),
    "/caf\N{LATIN SMALL LETTER E WITH ACUTE}": file(b"UTF-8"),
}
GROWN = SMALL | {"/large": file(random.Random(1).randbytes(3_000_001))}


def check(said: Said, nodes: Mapping[str, Node], way: str) -> None:
    assert said.files == expected(nodes).files
    assert said.links == expected(nodes).links
    assert sorted(said.folders) == sorted(expected(nodes).folders)
    assert f"entered {way}\n" in said.text
    assert f"command line {LINE}\n" in said.text
    assert re.search(r"^memory 12[5-8]$", said.text, re.MULTILINE), "a little is the firmware's"


@pytest.mark.parametrize("nodes", [{}, SMALL, GROWN], ids=["none", "in place", "grown"])
def test_from_pvh(kernel: Kernel, nodes: dict[str, Node], tmp_path: Path) -> None:
    path = tmp_path / "kernel.elf"
    with path.open("wb") as out:
        out.writelines(ramfs.compose(kernel.segment, kernel.layout, nodes).chunks())
    check(boot(tmp_path, kernel=path, append=LINE), nodes, "pvh")


@pytest.mark.parametrize("nodes", [{}, SMALL, GROWN], ids=["none", "in place", "grown"])
@pytest.mark.parametrize("controller", ["nvme", "ide"])
def test_from_a_bios_disk(
    kernel: Kernel, nodes: dict[str, Node], controller: str, tmp_path: Path
) -> None:
    path = tmp_path / "disk"
    disk.write(path, kernel, LINE, nodes)
    if controller == "nvme":
        said = boot(tmp_path, disks=(qemu.Disk(path),))
    else:
        said = boot(tmp_path, extra=ide(path))
    check(said, nodes, "bios")


def test_ten_thousand_files(kernel: Kernel, tmp_path: Path) -> None:
    """More than the table's own place has room for: it goes behind the kernel."""
    assert kernel.layout.in_place < 1000
    nodes = {f"/data/{n}": file(b"%d" % n) for n in range(10_000)}
    path = tmp_path / "disk"
    disk.write(path, kernel, LINE, nodes)
    said = boot(tmp_path, disks=(qemu.Disk(path),))
    assert said.files == expected(nodes).files
    assert len(disk.read(path).entries) == 10_000


def test_half_a_gibibyte(kernel: Kernel, tmp_path: Path) -> None:
    block = random.Random(2).randbytes(1 << 20)
    with (tmp_path / "large").open("wb") as large:
        for number in range(512):
            large.write(number.to_bytes(8, "little") + block[8:])
    nodes = {"/large": file(tmp_path / "large"), "/small": file(b"behind it")}
    path = tmp_path / "kernel.elf"
    with path.open("wb") as out:
        out.writelines(ramfs.compose(kernel.segment, kernel.layout, nodes).chunks())
    said = boot(tmp_path, kernel=path, append=LINE, memory_mib=640)
    assert said.files == expected(nodes).files


def test_the_boot_sector_is_what_its_source_says(tmp_path: Path) -> None:
    shutil.copy(PACKAGE / "image/osv/boot.S", tmp_path)
    link = "-Wl,--build-id=none,-Ttext=0x7c00,--oformat=binary"
    words = ["gcc-12", "-m32", "-static", "-nostdlib", link, "-o", "/build/boot", "/build/boot.S"]
    chroot.run([tree(GCC)], words, tmp_path)
    assert (tmp_path / "boot").read_bytes() == disk.BOOT_SECTOR
