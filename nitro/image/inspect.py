"""Reads an image back from the disk itself, as firmware and kernel would; a kernel, too.

The manifest beside a disk is only compared with it: what is shown comes from the disk.
"""

from __future__ import annotations

import json
import mmap
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, BinaryIO

from nitro.budget import Budget
from nitro.debian import Wanted, tree
from nitro.documents.images import KernelDocument
from nitro.errors import InputError
from nitro.image import build_cache, manifest
from nitro.image.formats import cpio, qcow2, wrappers
from nitro.image.linux import disk
from nitro.image.osv import artifact, store
from nitro.image.osv import disk as osv_disk
from nitro.image.osv.layout import LINK

# What a foreign image may cost: FAT16 ends at 2 GiB, and no guest has more files than fit into
# the memory of a large instance.
_MAX_DISK = 4 << 30
_MAX_UNPACKED = 4 << 30
_MAX_SECONDS = 30.0
_MAX_MANIFEST = 64 << 20

# The version of a Linux boot image lies within its first 64 KiB: the pointer to it has 16 bits.
_HEADER_BYTES = 0x10400

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class GuestFile:
    """A file of the guest: `mode` as in stat(2), `size` in bytes."""

    path: str
    mode: int
    size: int
    target: str | None


@dataclass(frozen=True)
class Inspection:
    """What a disk holds. `boot` maps what firmware and boot loader read to sizes in bytes."""

    path: Path
    digest: str
    size_bytes: int
    kernel: str
    boot: dict[str, int]
    files: tuple[GuestFile, ...]
    #: the manifest beside the disk; None when there is none
    manifest: dict[str, Any] | None

    @cached_property
    def matches_manifest(self) -> bool | None:
        """Whether the disk is the one that its manifest describes; None without one."""
        return None if self.manifest is None else self.manifest.get("digest") == self.digest

    def summary(self) -> dict[str, str]:
        """For people: what is worth a line each."""
        manifest = self.manifest or {}
        unpacked = sum(file.size for file in self.files)
        lines = {
            "digest": self.digest,
            "size": f"{self.size_bytes / 1e6:.1f} MB",
            "kernel": self.kernel,
            "files": f"{len(self.files)}, {unpacked / 1e6:.1f} MB in memory",
        }
        lines |= {name.lower(): f"{size / 1e6:.2f} MB" for name, size in self.boot.items()}
        for key in ("name", "boot_mode", "ports", "minimum_memory_mib"):
            if key in manifest:
                value = manifest[key]
                shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                lines[key.replace("_", " ")] = shown
        known = {None: "none beside the disk", True: "matches", False: "of another disk"}
        lines["manifest"] = known[self.matches_manifest]
        return lines

    def to_json(self, *, files: bool = False) -> dict[str, Any]:
        """For machines; with `files`, every file of the guest."""
        document: dict[str, Any] = {
            "path": str(self.path),
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "kernel": self.kernel,
            "boot": self.boot,
            "manifest": self.manifest,
            "matches_manifest": self.matches_manifest,
        }
        if files:
            document["files"] = [asdict(file) for file in self.files]
        return document


def inspect(path: Path) -> Inspection:
    """Read the image at `path`.

    Raises InputError when it is not a disk that `nitro build` could have written.
    """
    try:
        if not path.is_file() and path.exists():  # opening a FIFO would wait for its writer
            raise ValueError("not a regular file")
        if path.exists() and path.stat().st_size > _MAX_DISK:
            raise ValueError(f"larger than {_MAX_DISK >> 30} GiB")
        with path.open("rb") as file:
            found = _read_osv(path) if osv_disk.is_osv(file) else _read_linux(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint="nitro build prints the path") from None
    except (OSError, ValueError, KeyError) as error:
        wrappers.refuse(path)
        raise InputError(
            f"{path}: not an image that nitro built: {error}",
            hint="give the path that nitro build prints, or a kernel of OSv's",
        ) from None
    kernel, boot, files = found
    return Inspection(
        path=path,
        digest=manifest.digest(path),
        size_bytes=path.stat().st_size,
        kernel=kernel,
        boot=boot,
        files=files,
        manifest=_manifest(path.with_name(build_cache.MANIFEST)),
    )


def inspect_kernel(path: Path) -> KernelDocument | None:
    """What is known of the OSv kernel in a file; None for what is no kernel, but may be an image.

    Raises InputError for a kernel that cannot be read.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = file.read(artifact.START)
            foreign = osv_disk.is_osv(file) and not osv_disk.is_ours(file)
    except OSError:
        return None
    if not (artifact.is_kernel(start) or start.startswith(qcow2.MAGIC) or foreign):
        return None
    return store.describe(artifact.read(path), "", str(path), store.sha256_of(path), "")


def _read_linux(path: Path) -> tuple[str, dict[str, int], tuple[GuestFile, ...]]:
    """The kernel's release, what firmware and boot loader read, and the guest's files."""
    places = disk.esp_files(path)
    with path.open("rb") as file:
        position, size = places["VMLINUZ"]
        kernel = _release(_part(file, position, min(size, _HEADER_BYTES)))
        files = tuple(_entries(file, *places["INITRD"]))
    return kernel, {name: size for name, (_, size) in sorted(places.items())}, files


def _read_osv(path: Path) -> tuple[str, dict[str, int], tuple[GuestFile, ...]]:
    """The same of an OSv disk, whose kernel and files are one."""
    found = osv_disk.read(path)
    data = found.segment.data
    files = []
    for entry in found.entries:
        kind, target = stat.S_IFREG | 0o666, None
        if entry.kind == LINK:
            content = data[entry.place : entry.place + entry.size]
            kind, target = stat.S_IFLNK | 0o777, content.rstrip(b"\0").decode(errors="replace")
        elif entry.name.endswith("/"):
            kind = stat.S_IFDIR | 0o777
        files.append(GuestFile(entry.name, kind, entry.size, target))
    boot = {"kernel": len(data), "command line": len(found.command_line)}
    return f"OSv {artifact.version(found.segment)}", boot, tuple(files)


def _part(file: Any, position: int, size: int) -> bytes:
    file.seek(position)
    data: bytes = file.read(size)
    if len(data) < size:
        raise ValueError("it ends in the middle of a file")
    return data


def _release(image: bytes) -> str:
    """The version that a Linux boot image names (Documentation/arch/x86/boot.rst)."""
    if image[0x202:0x206] != b"HdrS":
        raise ValueError("VMLINUZ is not a Linux kernel")
    start = int.from_bytes(image[0x20E:0x210], "little") + 0x200
    return image[start : image.index(b"\0", start)].decode(errors="replace").split(" ")[0]


def _entries(file: BinaryIO, position: int, size: int) -> Iterator[GuestFile]:
    """The files of the archives on end. What pads one compressed frame to the next is zeros."""
    end = position + size
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if end > len(data):
            raise ValueError("it ends in the middle of a file")
        if size < len(_ZSTD_MAGIC) or data[position : position + 4] != _ZSTD_MAGIC:
            raise ValueError("INITRD is not compressed with zstd")
        zstd = tree(Wanted(("zstd",))).program("zstd")
        budget = Budget(_MAX_UNPACKED, _MAX_SECONDS)
        seen: dict[str, GuestFile] = {}
        while position < end:
            length = _frame_size(data, position, end, budget)
            with _decompressed(zstd, data, position, length) as archive:
                for entry in cpio.read(budget.limit(archive)):
                    seen[entry.path] = GuestFile(entry.path, entry.mode, entry.size, entry.target)
            position = _next_frame(data, position + length, end)
    yield from (file for _, file in sorted(seen.items()))


def _next_frame(data: mmap.mmap, position: int, end: int) -> int:
    """Where the zeros from `position` on end."""
    while position < end:
        piece = data[position : min(position + 65536, end)]
        rest = piece.lstrip(b"\0")
        position += len(piece) - len(rest)
        if rest:
            break
    return position


@contextmanager
def _decompressed(
    zstd: Sequence[str], data: mmap.mmap, position: int, length: int
) -> Iterator[IO[bytes]]:
    """The content of a zstd frame, as a stream: a small frame may hold gigabytes."""
    with tempfile.TemporaryFile() as packed:
        for start in range(position, position + length, 1 << 20):
            packed.write(data[start : min(start + (1 << 20), position + length)])
        packed.seek(0)
        argv = [*zstd, "--quiet", "--decompress", "--stdout"]
        with subprocess.Popen(
            argv, stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                yield process.stdout
                said = process.stderr.read(4096).decode(errors="replace").strip()
                if process.wait():
                    raise ValueError(f"INITRD: zstd: {said}")
            finally:
                process.kill()


def _frame_size(data: mmap.mmap, start: int, end: int, budget: Budget) -> int:
    """The length of the zstd frame at `start` of `data` (RFC 8878, section 3.1.1)."""
    if end < start + 6 or data[start : start + 4] != _ZSTD_MAGIC:
        raise ValueError("INITRD holds something that is not a zstd frame")
    descriptor = data[start + 4]
    single = descriptor >> 5 & 1
    window = 1 - single
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (single, 2, 4, 8)[descriptor >> 6]
    position = start + 5 + window + dictionary + content
    last = False
    while not last:
        header = int.from_bytes(data[position : position + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        position += 3 + (1 if kind == 1 else size)
        budget.spend(size if kind == 1 else 0)
        if kind == 3 or position > end:
            raise ValueError("INITRD holds a broken zstd frame")
    return position + (4 if descriptor & 4 else 0) - start


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_MANIFEST:
            return None
        document = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
