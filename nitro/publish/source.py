"""The disk to publish: opened, sized and hashed, block by block.

A release's manifest has the checksum of every block, so that it can be verified later without the
disk; one pass over the disk gives them and the digest of the whole.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from nitro.arch import REGISTERED
from nitro.cloud import DiskImage
from nitro.errors import InputError
from nitro.progress import Stage
from nitro.sparse import data_blocks, read_block, size_of

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
BOOT_MODES = ("legacy-bios", "uefi", "uefi-preferred")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

BLOCK_SIZE = 512 << 10  # bytes, of the EBS direct API


#: size, time of change and inode of a file
FileState = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a disk comes from. "" where that is not known; `bill` is a SHA-256 in hex."""

    revision: str = ""
    builder: str = ""
    bill: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A disk with all that a release says of it.

    `blocks`: the SHA-256 of each block of BLOCK_SIZE bytes that is not all zeros, by its index;
    the last one is filled up with zeros.
    """

    disk: DiskImage
    blocks: Mapping[int, bytes] = field(repr=False)
    state: FileState
    provenance: Provenance = Provenance()

    def require_unchanged(self) -> None:
        """Raises InputError when the disk's file is not the one that was hashed any more."""
        if _state(self.disk.path) != self.state:
            raise InputError(
                f"{self.disk.path} changed while it was published",
                hint="run the command again; no AMI was made of it",
            )

    @property
    def data_bytes(self) -> int:
        """What has to be sent of the disk, in whole blocks."""
        return len(self.blocks) * BLOCK_SIZE


def open_disk(path: Path) -> BinaryIO:
    """A disk that can be read at any place: a file, a block device, or a link to either.

    Raises InputError for anything else, such as a FIFO, which has no size and is gone when read.
    """
    try:
        mode = path.stat().st_mode  # before it is opened: a FIFO would wait for a writer
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise InputError(
                f"{path} is {_kind(mode)}, not a disk image",
                hint="give a file or a block device; write a stream to a file first",
            )
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="check the path") from None
    if size_of(file) == 0:
        file.close()
        raise InputError(f"{path} is empty", hint="give a raw disk image")
    return file


def scan(path: Path, stage: Stage) -> tuple[str, int, dict[int, bytes]]:
    """A disk's digest, its size in bytes and the checksums of its blocks, in one pass.

    Raises InputError when it is no disk, or changes meanwhile.
    """
    with open_disk(path) as file:
        size, before = size_of(file), _state(path)
        whole, blocks = hashlib.sha256(), dict[int, bytes]()
        data, zeros = iter(data_blocks(file, BLOCK_SIZE)), bytes(BLOCK_SIZE)
        following = next(data, None)
        for index in range(-(-size // BLOCK_SIZE)):
            content = zeros
            if index == following:
                content = read_block(file, index, BLOCK_SIZE)
                following = next(data, None)
                if content != zeros:
                    blocks[index] = hashlib.sha256(content).digest()
            whole.update(content[: size - index * BLOCK_SIZE])
            stage.progress((index + 1) * BLOCK_SIZE, size)
        if _state(path) != before or size_of(file) != size:
            raise InputError(f"{path} changed while it was read", hint="publish it when it is done")
    return f"sha256:{whole.hexdigest()}", size, blocks


def of_raw_disk(
    path: Path, *, name: str, architecture: str, boot_mode: str, stage: Stage
) -> Source:
    """Anybody's raw disk, of which only the bytes are known. Raises InputError."""
    for option, value, known in (
        ("--arch", architecture, REGISTERED),
        ("--boot-mode", boot_mode, BOOT_MODES),
    ):
        if value not in known:
            raise InputError(f"{option} {value} is not known", hint=f"use {', '.join(known)}")
    if not _NAME.fullmatch(name):
        raise InputError(f"--name {name} is not a plain name", hint="letters, digits, . _ and -")
    state = _state(path)
    digest, size, blocks = scan(path, stage)
    disk = DiskImage(
        path,
        digest,
        size,
        name,
        architecture=architecture,
        boot_mode=boot_mode,
    )
    return Source(disk, blocks, state)


def of_image(disk: DiskImage, provenance: Provenance, stage: Stage) -> Source:
    """A disk whose digest is known. Raises InputError when it is another disk by now."""
    state = _state(disk.path)
    digest, _, blocks = scan(disk.path, stage)
    if digest != disk.digest:
        raise InputError(
            f"{disk.path} is not the disk that its manifest describes", hint="build it again"
        )
    return Source(disk, blocks, state, provenance)


def _state(path: Path) -> FileState:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="check the path") from None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "a special file"
