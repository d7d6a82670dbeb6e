"""Archives, disks, volumes and consoles as files, at every boundary, as transcripts."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nitro import debian
from nitro.local import console_file, disk_formats, ova, remains, store, volumes
from nitro.local.hypervisor import Disk
from nitro.local.store import BlockStore
from nitro.local.volumes import VolumeFiles
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"


def archive(members: list[tuple[str, Any]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.linkname = content, "x"
                tar.addfile(entry)
    return made.getvalue()


def ovf(files: str, disks: str) -> bytes:
    space = "http://schemas.dmtf.org/ovf/envelope/1"
    return (
        f'<Envelope xmlns="{space}" xmlns:ovf="{space}"><!-- c --><References>{files}</References>'
        f"<DiskSection>{disks}</DiskSection></Envelope>"
    ).encode()


def file(name: str = "a.vmdk", ident: str = "f1", more: str = "") -> str:
    return f'<File ovf:id="{ident}" ovf:href="{name}" {more}/>'


def disk(reference: str | None = "f1", form: str | None = FORMAT) -> str:
    of = f'ovf:fileRef="{reference}"' if reference is not None else ""
    kind = f'ovf:format="{form}"' if form is not None else ""
    return f'<Disk ovf:diskId="d" {of} {kind}/>'


def test_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(ova, "MOST_MEMBERS", 4)
    monkeypatch.setattr(ova, "LARGEST_TEXT", 900)
    good, data = ovf(file(), disk()), ("a.vmdk", b"disk")
    sums = {name: hashlib.new(name, b"disk").hexdigest() for name in ("SHA1", "SHA256", "MD5")}

    def take(what: str, *members: tuple[str, Any]) -> None:
        whole = archive(list(members))
        told.outcome(what, ova.disks, whole)

    take("good", ("vm.ovf", good), data)
    take("a capital suffix", ("VM.OVF", good), data)
    take("another suffix", ("vm.ovfx", good), data)
    take("two", ("a.ovf", good), ("b.ovf", good), data)
    for count in (1, 2, 3, 4):
        take(f"{count} more", ("vm.ovf", good), data, *[(f"x{n}", b"") for n in range(count)])
    take("the same name", ("vm.ovf", good), data, data)
    for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
        take(f"of type {kind!r}", ("vm.ovf", good), data, ("odd", kind))
    whole = archive([("vm.ovf", good), data])
    for size in (0, 1, 512, 512 + len(good), 1024 + 1024, 2048 + 511, 2048 + 512, len(whole)):
        told.outcome(f"{size} bytes of it", ova.disks, whole[:size])
    told.outcome("rubbish", ova.disks, b"x" * 1024)
    header = bytearray(whole)
    header[124:136] = b"77777777777\0"
    told.outcome("a wrong sum", ova.disks, bytes(header))
    for size in (-1, 1 << 33, 1 << 62, 1 << 63, 1 << 64, 1 << 80):
        entry = tarfile.TarInfo("a.vmdk")
        entry.size = size
        large = entry.tobuf(tarfile.GNU_FORMAT)
        told.outcome(f"a file of {size}", ova.disks, large + whole)
        told.outcome(f"a file of {size} at last", ova.disks, whole[:-10240] + large)
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.DIRTYPE):
        entry = tarfile.TarInfo("long")
        entry.type, entry.size = kind, 1 << 80
        about = entry.tobuf(tarfile.GNU_FORMAT)
        told.outcome(f"a header of type {kind!r} without an end", ova.disks, about + whole)
    for text in (
        *(b"<open>", b"\xff", b"", b"\xef\xbb\xbf" + good, b"<!DOCTYPE x><x/>", b"<!ENTITY x>"),
        *(b"x" * 899, b"x" * 900, b"x" * 901, good.replace(b"Disk ", b"disk ")),
    ):
        take(f"the OVF {text[:20]!r}, {len(text)}", ("vm.ovf", text), data)
    for what, files, listed in (
        ("an empty disk", file(), disk(None) + disk()),
        ("only an empty disk", file(), disk(None)),
        ("of no file", file(), disk("f2")),
        ("identity", file(more='ovf:compression="identity"'), disk()),
        ("gzip", file(more='ovf:compression="gzip"'), disk()),
        ("chunks", file(more='ovf:chunkSize="5"'), disk()),
        ("no chunks", file(more='ovf:chunkSize=""'), disk()),
        ("another format", file(), disk(form="qcow2")),
        ("a capital format", file(), disk(form="VMDK")),
        ("no format", file(), disk(form=None)),
        ("a file that is not there", file("b.vmdk"), disk()),
        ("a file twice", file() + file(ident="f2"), disk() + disk("f2")),
        ("a disk twice", file(), disk() + disk()),
        ("two disks", file("vm.ovf", "f2") + file(), disk() + disk("f2")),
        ("no name", '<File ovf:id="f1"/>', disk()),
    ):
        take(what, ("vm.ovf", ovf(files, listed)), data)
    for what, line in (
        *((f"{name}", f"{name}(a.vmdk)= {value}") for name, value in sums.items()),
        *((f"{name} in capitals", f"{name}(a.vmdk)= {v.upper()}") for name, v in sums.items()),
        ("spaces", f"SHA1 (a.vmdk) = {sums['SHA1']}  "),
        ("no spaces", f"SHA1(a.vmdk)={sums['SHA1']}"),
        ("wrong", f"SHA1(a.vmdk)= {'0' * 40}"),
        ("of none", f"SHA1(b.vmdk)= {sums['SHA1']}"),
        ("twice", f"SHA1(a.vmdk)= {sums['SHA1']}\nSHA1(a.vmdk)= {sums['SHA1']}"),
        ("of two kinds", f"SHA1(a.vmdk)= {sums['SHA1']}\nSHA256(a.vmdk)= {sums['SHA256']}"),
        ("rubbish", "rubbish"),
        ("large", "x" * 901),
    ):
        take(f"a manifest, {what}", ("vm.ovf", good), data, ("vm.MF", line.encode()))
    take("a manifest that is not UTF-8", ("vm.ovf", good), data, ("vm.mf", b"\xff"))
    compare(HERE / "ova.txt", told.text)


def vmdk(
    *, magic: bytes = b"KDMV", capacity: int = 8, offset: int = 1, size: int = 1, text: bytes = b""
) -> bytes:
    header = struct.pack("<4sIIQQQQ", magic, 1, 3, capacity, 128, offset, size)
    return header.ljust(512, b"\0") + text


def test_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    source, target = tmp_path / "source", tmp_path / "target"
    result: list[Any] = [subprocess.CompletedProcess([], 0, b"", b"")]

    def run(*_: Any, **__: Any) -> Any:
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    monkeypatch.setattr(subprocess, "run", told.stand_in("run", run))

    def take(what: str, kind: str, content: bytes = b"") -> None:
        source.write_bytes(content)
        told.outcome(
            f"{kind}, {what}", disk_formats.to_raw, ["ld", "qemu-img"], source, kind, target
        )

    for kind in ("VHD", "VHDX", "VMDK", "other"):
        take("good", kind, vmdk())
    for content in (
        *(b"", b"KDM", vmdk(magic=b"KDMW"), vmdk(capacity=0), vmdk(capacity=1), vmdk()[:43]),
        *(vmdk()[:44], vmdk(offset=0), vmdk(offset=1 << 60), vmdk(size=0), vmdk(size=1 << 60)),
    ):
        take(f"{len(content)} bytes {content[:30].hex()}", "VMDK", content)
    for line in (
        *(b"parentCID=ffffffff", b"parentCID=FFFFFFFF", b"parentCID=fffffffe", b" parentCID = 1"),
        *(b"\tparentCID\t=\t1", b"xparentCID=1", b"#\nparentCID=1\nx", b"parentCID=", b"CID=1"),
        *(b"parentCID=ffffffff\nparentCID=1", b"parentcid=1", b"x" * 600 + b"\nparentCID=1"),
    ):
        take(f"{line[:40]!r}", "VMDK", vmdk(text=line))
        take(f"{line[:40]!r} in two sectors", "VMDK", vmdk(text=line, size=2))
    monkeypatch.setattr(disk_formats, "_LARGEST_DESCRIPTION", 20)
    for space in (8, 9, 10):
        take(f"{space} before", "VMDK", vmdk(text=b"\n" * space + b"parentCID=1", size=2))
    said = [b"", b"one\ntwo\n", f"qemu-img: {source}: bad\n".encode(), b"\xff\n", b"a\n\n"]
    for number, error in enumerate(said):
        result[0] = subprocess.CompletedProcess([], 1, b"", error)
        take(f"errors, {number}", "VHD")
    result[0] = subprocess.TimeoutExpired("q", 1)
    take("late", "VHDX")
    tree: Any = type("Tree", (), {"program": told.stand_in("program", lambda name: ["/deb", name])})
    monkeypatch.setattr(debian, "tree", told.stand_in("tree", lambda *_, **__: tree))
    for where in (None, "/usr/bin/qemu-img"):
        monkeypatch.setattr(shutil, "which", told.stand_in("which", lambda _, where=where: where))
        told.outcome("find", disk_formats.find)
    compare(HERE / "disk-formats.txt", told.text)


def look(told: Told, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            runs = [at for at in range(0, len(content), 4) if any(content[at : at + 4])]
            told.note(
                f"    {path} {len(content)} {path.stat().st_nlink} {runs} {content[-2:].hex()}"
            )


def test_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(store, "BLOCK_SIZE", 4)
    monkeypatch.setattr(store, "_ZERO", bytes(4))
    written = os.pwrite

    def pwrite(_: int, data: bytes, at: int) -> int:
        told.note(f"    pwrite {data.hex()} at {at}")
        return written(_, data, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    made = BlockStore(tmp_path / "a" / "disks")
    for name, pieces in {
        "empty": [],
        "zeros": [bytes(9)],
        "one": [b"abcd"],
        "part": [b"ab"],
        "many": [b"abcdefghi", b"", bytes(3), b"\0\0\0\1"],
        "nothing": [b""],
    }.items():
        told.outcome(f"create {name}", made.create, name, pieces)
        told.outcome("used", made.used, name)
        for index in range(5):
            told.outcome(f"read {index}", made.read, name, index)
        told.note(f"    {made.exists(name)} {made.exists(f'{name}.raw')}")
    look(told, tmp_path)

    def broken() -> Any:
        yield b"abcd"
        raise OSError(errno.ENOSPC, "full")

    told.outcome("a write that fails", made.create, "broken", broken())
    for name in ("many", "zeros", "none"):
        told.outcome(f"take {name}", made.take, "taken", made.path(name))
        told.outcome("used", made.used, "taken")
    for index in (0, 1, 5):
        told.outcome(f"write {index}", made.write, "one", index, b"wxyz")
        told.outcome("used", made.used, "one")
    told.outcome("write to none", made.write, "none", 0, b"wxyz")
    for size in (0, 3, 24, 25):
        told.outcome(f"copy to {size}", made.copy_to, "one", tmp_path / f"copy{size}", size)
    told.outcome("copy", made.copy, "many", "zeros")
    told.outcome("used", made.used, "zeros")
    told.outcome("link", made.link, "one", "part")
    told.outcome("used", made.used, "part")
    for name in ("many", "none"):
        told.outcome(f"delete {name}", made.delete, name)
        told.note(f"    {made.exists(name)}")
    told.outcome("used after", made.used, "many")
    look(told, tmp_path)
    made.create("base", [b"base"])
    files = VolumeFiles(tmp_path / "v" / "volumes", made)
    for each in (
        Disk("/dev/a", 6, "base", "vol-1"),
        Disk("/dev/b", 3, "base", "vol-2"),
        Disk("/dev/c", 5, None, "vol-3"),
        Disk("/dev/c", 9, None, "vol-3"),
        Disk("/dev/d", 5, "absent", "vol-4"),
    ):
        told.outcome(f"{each}", files.make, each)
    for volume, size in (("vol-1", 5), ("vol-1", 6), ("vol-1", 7), ("vol-2", 9), ("vol-9", 9)):
        told.outcome(f"grow {volume} {size}", files.grow, volume, size)
    for volume in ("vol-2", "vol-9"):
        told.outcome(f"delete {volume}", files.delete, volume)
    look(told, tmp_path / "v")
    assert volumes.VolumeFiles is VolumeFiles
    compare(HERE / "disks.txt", told.text)


def test_consoles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(console_file, "KEPT", 10)

    class Library:
        def __init__(self, name: object, **more: object) -> None:
            told.note(f"    CDLL({name}, {more})")

            def punch(_: int, *rest: int) -> int:
                told.note(f"    fallocate{rest}")
                return 0

            self.fallocate: Any = punch

    monkeypatch.setattr(ctypes, "CDLL", Library)
    path = tmp_path / "console"
    told.outcome("none", console_file.read_end, path)
    told.outcome("nothing to drop", console_file.drop_beginning, path)
    for size in (0, 1, 9, 10, 11, 12, 30):
        path.write_bytes(bytes(range(65, 65 + size)))
        told.outcome(f"{size} bytes", console_file.read_end, path)
        told.outcome("drop", console_file.drop_beginning, path)
    compare(HERE / "consoles.txt", told.text)


def test_what_remains(tmp_path: Path) -> None:
    told = Told(tmp_path)
    index = tmp_path / "index"

    def ask() -> None:
        told.outcome("anything", remains.anything, tmp_path)
        for name in ("snap-1", "snap", "bucket", "bucket/key", "key", "", "other", "a/b/c", 'q"'):
            told.outcome(f"may hold {name!r}", remains.may_hold, tmp_path, name)

    ask()
    index.mkdir()
    contents: list[Any] = [
        *({}, {"snapshots": {}}, {"images": []}, [], "snap-1", {"other": {"id": "snap-1"}}),
        *({"snapshots": {"id": "snap-1"}}, {"images": {"id": "ami-1", "name": 'q"'}}),
    ]
    for content in contents:
        told.note(f"{content}")
        (index / "us-east-1.json").write_text(json.dumps(content))
        ask()
    (index / "us-east-1.json").write_text("{")
    ask()
    (index / "us-east-1.json").write_text("[" * 100_000)
    ask()
    (index / "us-east-1.json").write_bytes(b'\xff{"images": 1}')
    ask()
    (index / "us-east-1.txt").write_text('{"images": {"id": "snap-1"}}')
    ask()
    (index / "buckets" / "bucket").mkdir(parents=True)
    (index / "buckets" / "bucket" / "1.json").write_text('{"key": "key"}')
    ask()
    compare(HERE / "remains.txt", told.text)
