"""cpio archives in the "new ASCII" form that Linux unpacks as its first file system.

Facts from Linux's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from nitro.errors import InputError

_MAGIC = b"070701"
_HEADER = 110
_TRAILER = "TRAILER!!!"
_LARGEST = 0xFFFFFFFF
_LONGEST = 4096  # PATH_MAX: what Linux unpacks
_NAMES = ("utf-8", "surrogateescape")


class Member(Protocol):
    """A file (bytes or a host path), a symbolic link (`target`) or a folder (neither).

    `mode`: the permission bits. `mtime`: Unix time of the last change.
    """

    @property
    def source(self) -> bytes | Path | None: ...
    @property
    def target(self) -> str | None: ...
    @property
    def mode(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def mtime(self) -> int: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class Entry:
    """One file of an archive: `mode` as in stat(2), `target` for symbolic links."""

    path: str
    mode: int
    size: int
    target: str | None = None
    uid: int = 0
    gid: int = 0


def write(out: BinaryIO, members: Iterable[tuple[str, Member]]) -> None:
    """Write the archive of `members`. Raises InputError for a file of 4 GiB or more."""
    number = 0
    for number, (path, member) in enumerate(members, 1):
        name = path.lstrip("/") or "."
        if member.target is not None:
            target = member.target.encode(*_NAMES)
            _header(out, number, name, stat.S_IFLNK, member, len(target))
            _padded(out, target)
        elif member.source is None:
            _header(out, number, name, stat.S_IFDIR, member, 0)
        else:
            if member.size > _LARGEST:
                raise InputError(
                    f"{path}: 4 GiB and larger files do not fit into an image",
                    hint="leave it out with exclude, or split it",
                )
            _header(out, number, name, stat.S_IFREG, member, member.size)
            _content(out, member.source, member.size)
    _header(out, number + 1, _TRAILER, 0, None, 0)


def read(archive: IO[bytes]) -> Iterator[Entry]:
    """The entries of one or several archives on end, up to the end of the stream.

    Raises ValueError when the stream is not such an archive.
    """
    while True:
        word = archive.read(4)
        while word == bytes(4):  # what pads one archive to the next
            word = archive.read(4)
        if not word:
            return
        header = word + archive.read(_HEADER - 4)
        if len(header) < _HEADER or not header.startswith(_MAGIC):
            raise ValueError("not a cpio archive")
        fields = [int(header[at : at + 8], 16) for at in range(6, _HEADER, 8)]
        mode, uid, gid, size, name_size = *fields[1:4], fields[6], fields[11]
        if name_size > _LONGEST or (stat.S_ISLNK(mode) and size > _LONGEST):
            raise ValueError(f"a name of more than {_LONGEST} bytes")
        name = archive.read(name_size + -(_HEADER + name_size) % 4)[: name_size - 1].decode(*_NAMES)
        if name == _TRAILER:
            continue
        target = None
        if stat.S_ISLNK(mode):
            target = archive.read(size + -size % 4)[:size].decode(*_NAMES)
        else:
            _skip(archive, size + -size % 4)
        yield Entry("/" + ("" if name == "." else name), mode, size, target, uid, gid)


def _header(
    out: BinaryIO, number: int, name: str, kind: int, member: Member | None, size: int
) -> None:
    raw = name.encode(*_NAMES) + b"\0"
    links = 2 if kind == stat.S_IFDIR else 1
    mode, uid, gid, mtime = kind, 0, 0, 0
    if member is not None:
        mode, uid, gid, mtime = kind | member.mode, member.uid, member.gid, member.mtime
    # ino mode uid gid nlink mtime filesize dev(2) rdev(2) namesize check
    fields = (number, mode, uid, gid, links, mtime, size, 0, 0, 0, 0, len(raw), 0)
    out.write(_MAGIC + b"".join(b"%08x" % value for value in fields) + raw)
    out.write(bytes(-(_HEADER + len(raw)) % 4))


def _content(out: BinaryIO, source: bytes | Path, size: int) -> None:
    if isinstance(source, bytes):
        _padded(out, source)
        return
    written = 0
    with source.open("rb") as file:
        while block := file.read(1 << 20):
            written += out.write(block)
    if written != size:
        raise InputError(f"{source} changed while it was read", hint="build again")
    out.write(bytes(-size % 4))


def _padded(out: BinaryIO, data: bytes) -> None:
    out.write(data)
    out.write(bytes(-len(data) % 4))


def _skip(archive: IO[bytes], count: int) -> None:
    while count:
        block = archive.read(min(count, 1 << 20))
        if not block:
            raise ValueError("the cpio archive ends in the middle of a file")
        count -= len(block)
