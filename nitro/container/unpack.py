"""Unpacks an image's layers into a folder of this machine, without root.

The folder has the files under their own names, with links, readable by its owner; what this
machine's file system is not to hold, owners, modes and capabilities, is in a list beside it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from nitro.budget import Budget
from nitro.container.source import Layer, damaged
from nitro.container.tree import Entry, Tree
from nitro.progress import Stage
from nitro.space import is_full

ROOT, LIST = "root", "entries.json"
VERSION = 2  # of what is written: another one is not read

_MAX_BYTES = 16 << 30
_MAX_SECONDS = 3600.0
_MAX_FILES = 1_000_000
_MAX_HEADER = 1 << 20
_CAPABILITY = "SCHILY.xattr.security.capability"
_WRONG = (
    *(tarfile.TarError, ValueError, EOFError, OverflowError, zlib.error, gzip.BadGzipFile),
    zstandard.ZstdError,
)
_NAMES = ("utf-8", "surrogateescape")
_EXTENSIONS = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}


class _Member(tarfile.TarInfo):
    """One that refuses sizes with which reading its header alone would take all memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size < 0 or (self.type in _EXTENSIONS and self.size > _MAX_HEADER):
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def unpack(
    layers: Sequence[Layer], folder: Path, stage: Stage, budget: Budget | None = None
) -> None:
    """Write the tree of `layers` to `folder`, which is empty: `ROOT`, and `LIST` for `read`.

    Raises InputError for a layer that is damaged, holds what no layer may, or is too large.
    """
    budget = budget or Budget(_MAX_BYTES, _MAX_SECONDS)
    contents = folder / "contents"
    contents.mkdir()
    tree, special, count = Tree(), 0, 0
    for number, layer in enumerate(layers):
        stage.progress(number, len(layers), "layers")
        with _archive(layer, budget) as archive:
            for member in archive:
                count += 1
                if count > _MAX_FILES:
                    raise ValueError(f"more than {_MAX_FILES} files")
                special += _add(tree, archive, member, number, contents / str(count), budget)
    try:
        listing = _place(tree, contents, folder / ROOT)
    except OSError as error:  # such as a name that is too long
        if is_full(error):
            raise
        raise damaged("the container image", error.strerror) from None
    shutil.rmtree(contents)
    document = {"special": special, "entries": listing}
    (folder / LIST).write_text(json.dumps(document))


def read(folder: Path) -> tuple[dict[str, Entry], int]:
    """What `unpack` has written to `folder`: path → entry, and how many devices it left out."""
    document = json.loads((folder / LIST).read_text())
    entries = {}
    for path, kind, mode, uid, gid, target, capability, mtime in document["entries"]:
        attribute = bytes.fromhex(capability) if capability else None
        entries[path] = Entry(kind, mode, uid, gid, target, capability=attribute, mtime=mtime)
    return entries, document["special"]


@contextmanager
def _archive(layer: Layer, budget: Budget) -> Iterator[tarfile.TarFile]:
    """The layer's archive, whose digests are checked when it has been read."""
    with layer.open() as stored:
        packed = _Hashing(stored)
        try:
            plain = _Hashing(budget.limit(_decompressed(io.BufferedReader(packed))))
            stream = io.BufferedReader(plain)
            with tarfile.open(
                fileobj=stream,
                mode="r|",
                tarinfo=_Member,
                encoding=_NAMES[0],
                errors=_NAMES[1],
            ) as archive:
                yield archive
            for rest in (stream, packed):
                while rest.read(1 << 20):
                    pass
        except _WRONG as error:
            raise damaged(layer.name, error or "it ends too early") from None
    if layer.digest and packed.digest != layer.digest:
        raise damaged(layer.name, "its bytes have another digest")
    if plain.digest != layer.diff_id:
        raise damaged(layer.name, f"its archive does not have the digest {layer.diff_id}")


def _decompressed(stream: io.BufferedReader) -> IO[bytes]:
    start = stream.peek(4)[:4]
    if start[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if start == b"\x28\xb5\x2f\xfd":
        # It refuses windows of more than 128 MiB.
        return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return stream


class _Hashing(io.RawIOBase):
    """A stream whose reader gets its digest."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash = stream, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        self._hash.update(block)
        buffer[: len(block)] = block
        return len(block)

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def _add(
    tree: Tree,
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    layer: int,
    content: Path,
    budget: Budget,
) -> int:
    """Add one member; returns 1 for a device or FIFO, which is left out."""
    mode, uid, gid = member.mode & 0o7777, _id(member.uid), _id(member.gid)
    if member.isdir():
        tree.put(member.name, Entry("folder", mode, uid, gid), layer)
    elif member.issym():
        tree.put(member.name, Entry("link", 0o777, uid, gid, target=member.linkname), layer)
    elif member.islnk():
        tree.link(member.name, member.linkname, layer)
    elif member.isfile():
        if member.issparse():
            budget.spend(member.size)
        source = archive.extractfile(member)
        assert source is not None
        with content.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        raw = member.pax_headers.get(_CAPABILITY)
        capability = raw.encode(*_NAMES) if raw else None
        number = int(content.name)
        entry = Entry("file", mode, uid, gid, "", number, capability, _mtime(member.mtime))
        tree.put(member.name, entry, layer)
    else:
        return 1
    return 0


def _mtime(seconds: float) -> int:
    """A time as the kernel's archives have it, in 32 bits; 0 for others."""
    return int(seconds) if 0 <= seconds < 1 << 32 else 0


def _id(number: int) -> int:
    if not 0 <= number < 1 << 32:
        raise ValueError(f"no user or group has the number {number}")
    return number


def _place(tree: Tree, contents: Path, root: Path) -> list[tuple[Any, ...]]:
    """Give the contents their names; links come last, so that nothing is written through one."""
    listing: list[tuple[Any, ...]] = []
    links: list[tuple[bytes, str]] = []
    base = os.fsencode(root)
    for path, entry in tree.entries():
        place = base + (b"" if path == "/" else path.encode(*_NAMES))
        if entry.kind == "folder":
            os.mkdir(place, 0o755)  # noqa: PTH102 - names are bytes
        elif entry.kind == "file":
            content = contents / str(entry.content)
            content.chmod(0o755 if entry.mode & 0o111 else 0o644)
            os.link(content, place)
        else:
            links.append((place, entry.target))
        capability = entry.capability.hex() if entry.capability else ""
        listing.append(
            (
                *(path, entry.kind, entry.mode, entry.uid, entry.gid, entry.target, capability),
                entry.mtime,
            )
        )
    for place, target in links:
        os.symlink(target.encode(*_NAMES), place)  # noqa: PTH211
    return listing
