"""The initial file system as the kernel gets it: three compressed cpio archives on end.

The kernel unpacks them one after the other into one root. They are cut by what changes
together, and each is kept by its content, so that a changed file costs only its own layer.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from nitro.debian import Tree, Wanted
from nitro.errors import NitroError
from nitro.image.cache import stored
from nitro.image.formats import cpio
from nitro.image.rootfs import LAYERS, Layer, Rootfs
from nitro.space import full, says_full, writing

ZSTD = Wanted(("zstd",))

# Levels above gain two percent at most and take three times as long.
_LEVEL = "-9"


@dataclass(frozen=True)
class Packed:
    """A layer: its archive's hash and size, and the file that holds it compressed."""

    layer: Layer
    sha256: str
    size: int
    path: Path


def pack(rootfs: Rootfs, zstd: Tree) -> list[Packed]:
    """Every layer of `rootfs` that has anything in it, in the order of unpacking."""
    packed = []
    for layer in LAYERS:
        nodes = list(rootfs.of(layer))
        if not nodes:
            continue
        with tempfile.TemporaryFile() as archive:
            with writing(Path(tempfile.gettempdir())):
                cpio.write(archive, nodes)
            size = archive.tell()
            archive.seek(0)
            digest = hashlib.file_digest(archive, "sha256").hexdigest()
            make = partial(_compress, archive, zstd)
            path = stored("layers", f"{digest}{_LEVEL}.zst", make)
        packed.append(Packed(layer, digest, size, path))
    return packed


def join(packed: Sequence[Packed], out: IO[bytes]) -> None:
    """Write the layers on end, each padded to the four bytes that the kernel expects."""
    for layer in packed:
        with layer.path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
        out.write(bytes(-out.tell() % 4))


def describe(packed: Sequence[Packed]) -> list[dict[str, Any]]:
    """What the manifest says of each layer: the archive's hash and size, compressed size."""
    return [
        {
            "layer": layer.layer,
            "sha256": layer.sha256,
            "size": layer.size,
            "compressed": layer.path.stat().st_size,
        }
        for layer in packed
    ]


def _compress(archive: IO[bytes], zstd: Tree, target: Path) -> None:
    archive.seek(0)
    with target.open("wb") as out:
        # A fixed number of threads: how the input is cut up must not depend on the machine.
        argv = [*zstd.program("zstd"), "--quiet", "--stdout", "--threads=2", _LEVEL]
        done = subprocess.run(argv, stdin=archive, stdout=out, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise full(target.parent) if says_full(said) else NitroError(f"zstd failed: {said}")
