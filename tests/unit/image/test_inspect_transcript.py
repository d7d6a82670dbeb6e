"""What is read back of disks of all kinds, and what is said of damaged ones."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from nitro.errors import InputError
from nitro.image.formats import cpio, fat
from nitro.image.inspect import inspect, inspect_kernel
from nitro.image.linux import direct, disk
from nitro.image.osv import artifact
from nitro.image.osv import disk as osv_disk
from nitro.image.rootfs import Node
from tests.transcripts import compare
from tests.unit.image.osv.kernel import SAMPLE, build
from tests.unit.image.test_inspect import _kernel

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
MAGIC = b"\x28\xb5\x2f\xfd"
_UNPACK = (
    "import sys, zstandard\n"
    "stream = zstandard.ZstdDecompressor().stream_reader(sys.stdin.buffer)\n"
    "try:\n    sys.stdout.buffer.write(stream.read())\n"
    "except zstandard.ZstdError:\n    sys.exit('damaged')\n"
)


class _Tools:
    def program(self, name: str) -> list[str]:
        return [sys.executable, "-c", _UNPACK, name]


@pytest.fixture(autouse=True)
def zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitro.image.inspect.tree", lambda wanted: _Tools())


def _block(kind: int, size: int, content: bytes, *, last: bool) -> bytes:
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content


def _frame(
    content: bytes, *, single: bool = False, size_of: int = 0, dictionary: int = 0, pieces: int = 1
) -> bytes:
    """A frame of blocks that are not compressed (RFC 8878, 3.1.1)."""
    descriptor = size_of << 6 | single << 5 | dictionary
    head = bytes([descriptor]) + (b"" if single else b"\x58")
    head += bytes((0, 1, 2, 4)[dictionary])
    fields = (len(content), len(content) - 256, len(content), len(content))
    width = (1 if single else 0, 2, 4, 8)[size_of]
    head += fields[size_of].to_bytes(width, "little") if width else b""
    step = -(-len(content) // pieces)
    parts = [content[at : at + step] for at in range(0, len(content), step)]
    blocks = [_block(0, len(part), part, last=part is parts[-1]) for part in parts]
    return MAGIC + head + b"".join(blocks)


def _archive(*names: str, size: int = 3) -> bytes:
    out = io.BytesIO()
    nodes = {f"/{name}": Node("program", "x", source=b"x" * size, uid=1) for name in names}
    nodes["/link"] = Node("program", "x", target="there")
    cpio.write(out, sorted(nodes.items()))
    return out.getvalue()


def _initrds() -> dict[str, bytes]:
    one, two = _archive("a"), _archive("b", "a", size=5)
    cut = _frame(one)
    found = {f"zeros {zeros}": _frame(one) + bytes(zeros) + _frame(two) for zeros in (0, 1, 65536)}
    found["more zeros"] = _frame(one) + bytes(65537) + _frame(two) + bytes(65535)
    for single in (False, True):
        for size_of in (0, 1, 2, 3):
            if not (single and size_of == 0):
                found[f"{single} {size_of}"] = _frame(one, single=single, size_of=size_of)
    found |= {f"dictionary {kind}": _frame(one, dictionary=kind) for kind in (1, 2, 3)}
    found |= {f"{pieces} blocks": _frame(one, pieces=pieces) for pieces in (2, 3)}
    zeros = MAGIC + b"\0\x58" + _block(1, 512, b"\0", last=False)
    found["a run of zeros in front"] = zeros + _block(0, len(one), one, last=True)
    found |= {
        "nothing": b"",
        "three bytes": MAGIC[:3],
        "magic alone": MAGIC,
        "five bytes": cut[:5],
        "six bytes": cut[:6],
        "seven bytes": cut[:7],
        "cut": cut[:-1],
        "a byte more": cut + b"x",
        "text behind": cut + b"more text",
        "magic behind": cut + MAGIC,
        "a reserved block": MAGIC + b"\0\x58" + _block(3, 1, b"x", last=True),
        "no cpio": _frame(b"text" * 40),
        "an empty frame": MAGIC + b"\0\x58" + _block(0, 0, b"", last=True),
        "damaged inside": MAGIC + b"\0\x58" + _block(2, 9, b"\xff" * 9, last=True),
        "reserved bit": MAGIC + b"\x08\x58" + _block(0, len(one), one, last=True),
    }
    return found


def _said(path: Path, folder: Path) -> str:
    try:
        found = inspect(path)
    except InputError as error:
        return f"{error.what}\n    {error.hint}".replace(f"{folder}/", "")
    files = " ".join(f"{one.path}:{one.mode:o}:{one.size}:{one.target}" for one in found.files)
    return f"{found.kernel} {found.boot} {files}"


def _linux(path: Path, initrd: bytes, kernel: bytes | None = None) -> None:
    files: dict[str, fat.Source] = {
        "EFI/BOOT/BOOTX64.EFI": b"efi",
        "VMLINUZ": _kernel() if kernel is None else kernel,
        "INITRD": initrd,
    }
    disk.write(path, boot=b"boot", core=b"core" * 200, files=files)


def test_initial_file_systems(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    text = ""
    for name, initrd in _initrds().items():
        _linux(path, initrd)
        text += f"{name}: {_said(path, tmp_path)}\n"
    compare(HERE / "initrds.txt", text)


def test_the_time_that_frames_take_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that are never unpacked: a disk may have a thousand million of blocks."""
    monkeypatch.setattr("nitro.image.inspect._MAX_SECONDS", -1.0)
    path = tmp_path / "disk.raw"
    for initrd in (_frame(_archive("a")), _frame(_archive("a"))[:-1]):
        _linux(path, initrd)
        with pytest.raises(InputError, match="reading it takes longer than"):
            inspect(path)


def test_kernels(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    text = ""
    far = bytearray(0x20000)
    far[0x202:0x206] = b"HdrS"
    for pointer in (0x100, 0x101, 0xFFFE, 0xFFFF):
        kernel = far.copy()
        struct.pack_into("<H", kernel, 0x20E, pointer)
        kernel[pointer + 0x200 : pointer + 0x205] = b"6.1 x"
        _linux(path, _frame(_archive("a")), bytes(kernel))
        text += f"{pointer:#x}: {_said(path, tmp_path)}\n"
    odd = _kernel().replace(b"-test", b"-\xe9\xff")
    _linux(path, _frame(_archive("a")), odd)
    text += f"letters of another encoding: {_said(path, tmp_path)}\n"
    for length in (0, 0x206, 0x210, 0x2FF, 0x301, 0x306, 0x30E, 0x30F):
        _linux(path, _frame(_archive("a")), _kernel()[:length])
        text += f"{length:#x} bytes: {_said(path, tmp_path)}\n"
    for end in (0, 100, 440, 512, 34 * 512, 2048 * 512, 2048 * 512 + 600, path.stat().st_size // 2):
        whole = path.read_bytes()
        path.write_bytes(whole[:end])
        text += f"{end} bytes of the disk: {_said(path, tmp_path)}\n"
        path.write_bytes(whole)
    compare(HERE / "kernels.txt", text)


def test_all_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    _linux(path, _frame(_archive("a", "b", size=40_000)))
    bare = inspect(path)
    text = f"{json.dumps(bare.summary(), indent=1)}\n"
    manifests: dict[str, Any] = {
        "of this disk": {
            "digest": bare.digest,
            "name": "mine",
            "boot_mode": "uefi",
            "ports": [80, "udp:53"],
            "minimum_memory_mib": 92,
            "more": 1,
        },
        "of another": {"digest": "sha256:x", "ports": []},
        "empty": {},
        "a list": [],
    }
    for name, manifest in manifests.items():
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        found = inspect(path)
        text += f"{name}: {found.matches_manifest} {json.dumps(found.summary(), indent=1)}\n"
        for files in (False, True):
            document = json.dumps(found.to_json(files=files), indent=1)
            text += f"{document}\n"
    for raw in (b"{", b"[" * 100_000, b"\xff"):
        (tmp_path / "manifest.json").write_bytes(raw)
        text += f"{raw[:3]!r}: {inspect(path).manifest}\n"
    for size, shown in ((64 << 20, True), ((64 << 20) + 1, False)):
        (tmp_path / "manifest.json").write_bytes(b'{"a": 1}'.ljust(size))
        assert (inspect(path).manifest is not None) == shown
    compare(HERE / "inspection.txt", text.replace(f"{tmp_path}/", ""))


def test_files_that_are_no_disks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    text = ""
    for name, content in {"empty": b"", "text": b"text", "gzip": b"\x1f\x8b\x08"}.items():
        path.write_bytes(content)
        text += f"{name}: {_said(path, tmp_path)}\n"
    text += f"none: {_said(tmp_path / 'none', tmp_path)}\n"
    os.mkfifo(tmp_path / "fifo")
    text += f"fifo: {_said(tmp_path / 'fifo', tmp_path)}\n"
    path.write_bytes(b"text")
    for size in (4 << 30, (4 << 30) + 1):
        os.truncate(path, size)
        text += f"{size}: {_said(path, tmp_path)}\n"
    compare(HERE / "no-disks.txt", text)


def test_osv(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    (tmp_path / "loader.elf").write_bytes(build(SAMPLE))
    kernel = artifact.read(tmp_path / "loader.elf")
    nodes = {
        "/f": Node("program", "x", source=b"12345"),
        "/folder": Node("program", "x"),
        "/link": Node("program", "x", target="fö\udcff"),
    }
    osv_disk.write(path, kernel, "--x /f", nodes)
    whole = path.read_bytes()
    text = f"{_said(path, tmp_path)}\n"
    note = artifact.PAYLOAD + 0x40
    changes = {
        "another note": whole[:note] + b"other" + whole[note + 5 :],
        "another table": whole[: note + 8] + b"\1" + whole[note + 9 :],
        "no mark": whole[:0x1B8] + b"vso" + whole[0x1BB:],
        "no end of a sector": whole[:510] + b"\0\0" + whole[512:],
        "cut in front of the note": whole[: note + 15],
        "cut behind the note": whole[: note + 16],
        "cut in the kernel": whole[: (1 << 20) + artifact.PAYLOAD + 900],
        "a command line without an end": whole[:518] + b"x" * (63 * 512 - 6) + whole[64 * 512 :],
        "letters of another encoding": whole[:512] + b"\xe9" + whole[513:],
        "units less": whole[:16] + b"\1\0" + whole[18:],
    }
    for name, content in changes.items():
        path.write_bytes(content)
        shown = _said(path, tmp_path)
        try:
            document = inspect_kernel(path)
            about = None if document is None else f"{document['kind']} {document['sha256'][:8]}"
        except InputError as error:
            about = error.what.replace(f"{tmp_path}/", "")
        text += f"{name}: {shown}\n  as a kernel: {about}\n"
    for name, content in {
        "kernel": build(SAMPLE),
        "text": b"text",
        "qcow2": b"QFI\xfb",
        "elf": b"\x7fELF",
        "our disk": whole,
    }.items():
        path.write_bytes(content)
        try:
            found = inspect_kernel(path)
            text += f"{name}: {json.dumps(found)}\n".replace(f"{tmp_path}/", "")
        except InputError as error:
            text += f"{name}: {error}\n".replace(f"{tmp_path}/", "")
    text += f"folder: {inspect_kernel(tmp_path)}, none: {inspect_kernel(tmp_path / 'none')}\n"
    compare(HERE / "osv.txt", text)


def test_kernel_and_initrd_in_files(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    initrd = _frame(_archive("a"))
    _linux(path, initrd)
    (tmp_path / "manifest.json").write_text('{"kernel": {"command_line": "quiet x=1"}}')

    class Built:
        manifest_path = tmp_path / "manifest.json"

    Built.path = path  # type: ignore[attr-defined]
    (tmp_path / "out").mkdir()
    found = direct.unpack(Built(), tmp_path / "out")  # type: ignore[arg-type]
    assert found is not None
    assert found.command_line == "quiet x=1"
    assert found.kernel.read_bytes() == _kernel()
    assert found.initrd.read_bytes() == initrd
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["INITRD", "VMLINUZ"]
    path.write_bytes(bytes(1 << 20))
    assert direct.unpack(Built(), tmp_path / "out") is None  # type: ignore[arg-type]


def test_the_disk_itself(tmp_path: Path) -> None:
    """Where each part lies, to the byte."""
    path = tmp_path / "disk.raw"
    text = ""
    for core in (0, 1, 512, 513, 2014 * 512, 2014 * 512 + 1):
        files: dict[str, fat.Source] = {"VMLINUZ": b"k" * 70_000, "INITRD": b"i"}
        try:
            disk.write(path, boot=b"B" * 440, core=b"C" * core, files=files)
        except ValueError as error:
            text += f"core of {core}: {error}\n"
            continue
        raw = path.read_bytes()
        runs = [(raw.index(b"B"), raw.count(b"B" * 440)), raw.find(b"C"), raw.rfind(b"C")]
        places = (raw.index(b"k" * 999), raw.index(b"EFI PART"), raw.rindex(b"EFI PART"))
        text += f"core of {core}: {len(raw)} {runs} {places} {disk.esp_files(path)}\n"
        text += f"  {raw[446:512].hex()}\n  {raw[1024:1280].hex()}\n"
    compare(HERE / "disk.txt", text)
