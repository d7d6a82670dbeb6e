"""The initial file system as the kernel gets it: compressed cpio archives on end.

The kernel unpacks them one after the other into one root. They are cut by what changes
together, and each is kept by its content, so that a changed file costs only its own archive: to
compress, and to send to a cloud that has the image before.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from nitro.debian import Tree, Wanted
from nitro.errors import NitroError
from nitro.image.formats import cpio
from nitro.image.rootfs import LAYERS, Layer, Node, Rootfs
from nitro.space import full, says_full, writing
from nitro.stored import stored

ZSTD = Wanted(("zstd",))

# Levels above gain two percent at most and take three times as long. A frame that tells its size
# (--stream-size) makes the kernel reserve that much for it, and not the level's 4 MiB.
_LEVEL = "-9"


# Layers in which a file may change while the others stay, as their user's are. They are cut into
# archives of at most so many bytes of files, so that a change is seen in one of them only; that
# costs a few percent of their size.
_CUT: dict[Layer, int] = {"container": 2 << 20, "program": 1 << 20}
_ROUNDED = 4096  # bytes; a file that grows within these does not move a cut
# Where archives begin, and the initrd ends: one that grows within these moves nothing behind it.
_SLOT, _TOTAL = 8192, 256 * 1024


@dataclass(frozen=True)
class Packed:
    """A layer: hash and size of its archives, and the files that hold them compressed.

    The hash is that of one archive, or of the hashes of several.
    """

    layer: Layer
    sha256: str
    size: int
    paths: tuple[Path, ...]

    @property
    def compressed(self) -> int:
        """The size of the files."""
        return sum(path.stat().st_size for path in self.paths)


def pack(rootfs: Rootfs, zstd: Tree) -> list[Packed]:
    """Every layer of `rootfs` that has anything in it, in the order of unpacking."""
    packed = []
    for layer in LAYERS:
        digests, size, paths = list[str](), 0, list[Path]()
        for nodes in _cut(rootfs.of(layer), _CUT.get(layer)):
            with tempfile.TemporaryFile() as archive:
                with writing(Path(tempfile.gettempdir())):
                    cpio.write(archive, nodes)
                size += archive.tell()
                archive.seek(0)
                digests.append(hashlib.file_digest(archive, "sha256").hexdigest())
                make = partial(_compress, archive, zstd)
                paths.append(stored("layers", f"{digests[-1]}{_LEVEL}-sized.zst", make))
        if paths:
            packed.append(Packed(layer, _hash_of(digests), size, tuple(paths)))
    return packed


def _hash_of(digests: Sequence[str]) -> str:
    one, *more = digests
    return hashlib.sha256("".join(digests).encode()).hexdigest() if more else one


def _cut(
    nodes: Sequence[tuple[str, Node]], limit: int | None
) -> Iterator[Sequence[tuple[str, Node]]]:
    """Pieces of at most `limit` bytes of files; a larger file is a piece of its own."""
    piece: list[tuple[str, Node]] = []
    held = 0
    for path, node in nodes:
        weight = -(-node.size // _ROUNDED) * _ROUNDED
        if limit and held and held + weight > limit:
            yield piece
            piece, held = [], 0
        piece.append((path, node))
        held += weight
    if piece:
        yield piece


def join(packed: Sequence[Packed], out: IO[bytes]) -> None:
    """Write the archives on end, with zeros between them, which the kernel skips."""
    for path in (path for layer in packed for path in layer.paths):
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
        out.write(bytes(-out.tell() % _SLOT))
    out.write(bytes(-out.tell() % _TOTAL))


def describe(packed: Sequence[Packed]) -> list[dict[str, Any]]:
    """What the manifest says of each layer: hash and size of its archives, compressed size."""
    return [
        {
            "layer": layer.layer,
            "sha256": layer.sha256,
            "size": layer.size,
            "compressed": layer.compressed,
        }
        for layer in packed
    ]


def _compress(archive: IO[bytes], zstd: Tree, target: Path) -> None:
    size = f"--stream-size={archive.seek(0, os.SEEK_END)}"
    archive.seek(0)
    with target.open("wb") as out:
        # A fixed number of threads: how the input is cut up must not depend on the machine.
        argv = [*zstd.program("zstd"), "--quiet", "--stdout", "--threads=2", _LEVEL, size]
        done = subprocess.run(argv, stdin=archive, stdout=out, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise full(target.parent) if says_full(said) else NitroError(f"zstd failed: {said}")
