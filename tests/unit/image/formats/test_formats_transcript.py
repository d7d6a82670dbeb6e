"""Volumes, tables, archives and disks: their bytes, and what is said to each wrong one."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from nitro.image.formats import cpio, fat, gpt
from nitro.image.formats.qcow2 import Qcow2
from nitro.image.rootfs import Node
from tests.transcripts import compare
from tests.unit.image.formats.damage import Show, wrong_bytes
from tests.unit.image.formats.test_qcow2 import qcow2

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def _volume(files: dict[str, fat.Source]) -> bytes:
    volume = fat.Volume(files, label="TEST", serial=0x01020304)
    out = io.BytesIO()
    volume.write(out, 0)
    return out.getvalue().ljust(volume.size, b"\0")


def test_wrong_bytes_of_fat() -> None:
    raw = _volume({"A.TXT": bytes(40_000), "D/E/F": b"f", "EMPTY": b""})
    table = struct.unpack_from("<H", raw, 14)[0] * 512
    root = raw.index(b"TEST       ", 512)
    folders = [raw.index(name, root) for name in (b"A       TXT", b"E          ", b"F          ")]
    places = [*range(3, 64), *range(508, 512), *range(table, table + 12)]
    places += [at for start in (root, *folders) for at in range(start - 2, start + 34)]
    show: Show = lambda data: str(fat.read(io.BytesIO(data), 0))  # noqa: E731
    compare(HERE / "fat-wrong.txt", wrong_bytes(raw, places, show, (0x01, 0x80)))


def _hidden(sector: bytes) -> str:
    fields = struct.unpack_from("<3s8sHBHBHHBHHHIIBBBI11s8s", sector)
    return f"{fields[2:14]} {fields[17:]}"


class _Sparse(io.FileIO):
    """Leaves zeros unwritten."""

    def write(self, data: Any) -> int:
        if data.count(0) < len(data):
            return super().write(data)
        self.seek(len(data), io.SEEK_CUR)
        return len(data)


def test_sizes_of_fat(tmp_path: Path) -> None:
    text = ""
    large = tmp_path / "large"
    sizes = [0, 1, 32767, 32768, 32769]
    sizes += [clusters * 32768 for clusters in (*range(1019, 1024), 4068, 4069, 4070, 4085)]
    for size in sizes:
        with large.open("wb") as file:
            file.truncate(size)
        for files in (("A",), ("A", "B/C")):
            named: dict[str, fat.Source] = {name: large if name == "A" else b"x" for name in files}
            volume = fat.Volume(named, label="LABEL", serial=7)
            with _Sparse(tmp_path / "out", "w+b") as out:
                volume.write(out, 512 * 2048)
                out.truncate(512 * 2048 + volume.size)
                out.seek(512 * 2048)
                sector = out.read(512)
                found = fat.read(out, 512 * 2048)
            text += f"{size} {len(files)}: {volume.size} {_hidden(sector)} {found}\n"
    for count in (1, 2, 14, 15, 1022, 1023):
        raw = _volume({f"D/F{number}": b"" for number in range(count)})
        text += f"{count} in a folder: {len(raw)} {hashlib.sha256(raw).hexdigest()}\n"
    names = (
        "A",
        "ABCDEFGH.IJK",
        "A.B",
        "A_-9.-_0",
        "a",
        "A.",
        ".A",
        "A.BCDE",
        "ABCDEFGHI",
        "A.B.C",
    )
    for name in names:
        try:
            raw = _volume({name: b"x"})
            text += f"{name}: {list(fat.read(io.BytesIO(raw), 0))}\n"
        except ValueError as error:
            text += f"{name}: {error}\n"
    compare(HERE / "fat.txt", text)


DISK = UUID(int=1)

BIOS = gpt.Partition(gpt.BIOS_BOOT, UUID(int=2), 34, 99, "BIOS boot")

ESP = gpt.Partition(gpt.EFI_SYSTEM, UUID(int=3), 100, 200, "EFI system")


def test_tables_of_partitions() -> None:
    text = ""
    many = [gpt.Partition(gpt.EFI_SYSTEM, DISK, at, at, "x") for at in range(34, 163)]
    cases: dict[str, tuple[list[gpt.Partition], int]] = {
        "two": ([BIOS, ESP], 4096),
        "in another order": ([ESP, BIOS], 4096),
        "none": ([], 100),
        "as small as it can be": ([gpt.Partition(gpt.BIOS_BOOT, DISK, 34, 34, "x")], 68),
        "one sector less": ([gpt.Partition(gpt.BIOS_BOOT, DISK, 34, 34, "x")], 67),
        "in the table": ([gpt.Partition(gpt.BIOS_BOOT, DISK, 33, 34, "x")], 4096),
        "overlapping": ([gpt.Partition(gpt.BIOS_BOOT, DISK, 34, 100, "x"), ESP], 4096),
        "behind its end": ([gpt.Partition(gpt.BIOS_BOOT, DISK, 35, 34, "x")], 4096),
        "128": (many[:128], 4096),
        "129": (many, 4096),
        "large": ([BIOS, ESP], 1 << 32),
        "larger": ([BIOS, ESP], (1 << 32) + 1),
        "a long name": ([gpt.Partition(gpt.BIOS_BOOT, DISK, 34, 34, "n" * 40)], 4096),
    }
    for name, (partitions, sectors) in cases.items():
        try:
            start, end = gpt.write(DISK, partitions, sectors)
        except ValueError as error:
            text += f"{name}: {error}\n"
            continue
        digests = " ".join(hashlib.sha256(one).hexdigest()[:16] for one in (start, end))
        text += f"{name}: {len(start)} {len(end)} {digests}\n"
        text += f"  {start[440:512].hex()}\n  {start[512:604].hex()}\n  {end[-512:-420].hex()}\n"
        found = gpt.read(start)
        text += f"  {len(found)} {[(one.first, one.last, one.name) for one in found[:2]]}\n"
        text += f"  {len(start.rstrip(bytes(1)))} {len(end[:-512].rstrip(bytes(1)))}\n"
    start, _ = gpt.write(DISK, [BIOS, ESP], 4096)
    show: Show = lambda data: str([(one.first, one.last) for one in gpt.read(data)])  # noqa: E731
    text += wrong_bytes(
        start, [*range(500, 612), 1024, 1151, 1152, 1280, len(start) - 1], show, (1,)
    )
    for length in (0, 511, 512, 603, 604, 1024, len(start) - 1, len(start)):
        try:
            text += f"{length} bytes: {show(start[:length])}\n"
        except ValueError as error:
            text += f"{length} bytes: {error}\n"

    def fixed(entry: int, data: bytes) -> bytes:
        raw = bytearray(start)
        raw[1024 + entry : 1024 + entry + len(data)] = data
        struct.pack_into("<I", raw, 512 + 88, zlib.crc32(raw[1024:17408]))
        struct.pack_into("<I", raw, 512 + 16, 0)
        struct.pack_into("<I", raw, 512 + 16, zlib.crc32(raw[512:604]))
        return bytes(raw)

    for entry, data in ((0, bytes(16)), (128, bytes(15)), (56, b"\xff\xd8" * 36), (16, b"\1" * 16)):
        text += f"entries with {data[:2].hex()} at {entry}: {gpt.read(fixed(entry, data))}\n"
    compare(HERE / "gpt.txt", text)


def _archive(nodes: dict[str, Node]) -> bytes:
    out = io.BytesIO()
    cpio.write(out, nodes.items())
    return out.getvalue()


def test_archives(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    nodes = {
        "/": Node("program", "x"),
        "/d": Node("program", "x", permissions=0o1777, uid=1, gid=2, mtime=3),
        "/d/four": Node("program", "x", source=b"1234", permissions=0o4711, mtime=4),
        "/d/file": Node("program", "x", source=file, executable=True, uid=5, gid=6),
        "/d/l": Node("program", "x", target="four"),
        "/d/none": Node("program", "x", source=b""),
        "/d/é": Node("program", "x", target="ö\udcff"),
    }
    raw = _archive(nodes)
    text = "".join(f"{raw[at : at + 60]!r}\n" for at in range(0, len(raw), 60))
    show: Show = lambda data: "; ".join(  # noqa: E731
        f"{one.path} {one.mode:o} {one.size} {one.target} {one.uid}:{one.gid}".encode(
            errors="backslashreplace"
        ).decode()
        for one in cpio.read(io.BytesIO(data))
    )
    one = _archive(
        {"/f": Node("program", "x", source=b"123"), "/l": Node("program", "x", target="t")}
    )
    text += wrong_bytes(one, range(len(one)), show, (0x01, 0x40))
    for padding in range(9):
        for data in (one + bytes(padding) + one, one[:116] + bytes(padding)):
            try:
                text += f"{padding}: {show(data)}\n"
            except ValueError as error:
                text += f"{padding}: {error}\n"
    compare(HERE / "cpio.txt", text)


def test_disks() -> None:
    text = ""
    cluster = 1 << 16
    for name, disk in (
        ("whole", bytes(cluster) + b"a" * 9 + bytes(cluster) + b"end"),
        ("none", b""),
    ):
        for compress in (False, True):
            raw = qcow2(disk, compress=compress)

            def show(data: bytes) -> str:
                found = Qcow2(io.BytesIO(data))
                content = found.read(0, 3 * (1 << 16))
                part = found.read(cluster - 3, 9)
                return f"{found.size} {len(content)} {zlib.crc32(content):x} {part!r}"

            text += f"{name} compressed={compress}\n"
            places = [*range(104), *range(cluster, cluster + 9)]
            places += [*range(2 * cluster, 2 * cluster + 25)]
            shown = wrong_bytes(raw, places, show, (0x01, 0x80))
            text += "\n".join(line[:150] for line in shown.splitlines()) + "\n"
    for bits in (8, 9, 21, 22):
        for size in (0, 1, (32 << 20) // 8, (32 << 20) // 8 + 1):
            image = bytearray(qcow2(b"x"))
            struct.pack_into(">I", image, 20, bits)
            struct.pack_into(">I", image, 36, size)
            try:
                text += f"{bits} {size}: {Qcow2(io.BytesIO(bytes(image))).size}\n"
            except ValueError as error:
                text += f"{bits} {size}: {error}\n"
    compare(HERE / "qcow2.txt", text)
