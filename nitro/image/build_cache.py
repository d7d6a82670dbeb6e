"""Remembers builds, so that an unchanged recipe is found instead of built again.

An entry names the image and the size, time and inode of every input file. Its key contains a
hash of all code that can influence an image. Light on imports: this is all that a repeated
command runs.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nitro import __version__
from nitro.cache import touch
from nitro.errors import InputError
from nitro.paths import PACKAGE, cache_dir, resource
from nitro.ports import Port
from nitro.replacing import replacing

#: size, time of change and inode of a file; None when there is none
State = list[int] | None
States = dict[str, State]


@dataclass(frozen=True)
class Image:
    """A built image. `path` is the raw disk, `digest` "sha256:" and the hex of its bytes."""

    name: str
    path: Path
    digest: str
    size_bytes: int
    manifest_path: Path
    #: found rather than built
    cached: bool
    build_seconds: float
    minimum_memory_mib: int
    architecture: str
    boot_mode: str
    ports: tuple[Port, ...]
    tags: dict[str, str]
    description: str
    #: vCPUs that its kernel is best run with, at most; None: any number
    processors: int | None = None

    @property
    def bill_of_materials(self) -> Path:
        return self.manifest_path.with_name(BILL)


DISK, MANIFEST, BILL = "disk.raw", "manifest.json", "sbom.cdx.json"


def read(path: Path) -> Image:
    """The image whose manifest somebody names. Raises InputError when it is none."""
    try:
        return from_manifest(path)
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        raise InputError(f"{path} is not the manifest of an image") from None


def from_manifest(path: Path) -> Image:
    """The image whose manifest is at `path`."""
    document = json.loads(path.read_text())
    return Image(
        name=document["name"],
        path=path.with_name(DISK),
        digest=document["digest"],
        size_bytes=document["size_bytes"],
        manifest_path=path,
        cached=True,
        build_seconds=0.0,
        minimum_memory_mib=document["minimum_memory_mib"],
        architecture=document["architecture"],
        boot_mode=document["boot_mode"],
        ports=tuple(map(Port.parse, document["ports"])),
        tags=document["tags"],
        description=document["description"],
        processors=document["kernel"].get("processors"),
    )


def with_build_time(image: Image, seconds: float) -> Image:
    """`image` as built just now, in so many seconds."""
    return replace(image, cached=False, build_seconds=round(seconds, 3))


def code() -> list[Path]:
    """The files and folders of nitro's own that can influence an image."""
    packages = [PACKAGE / name for name in ("image", "debian", "recipe", "container", "documents")]
    shared = sorted(PACKAGE.glob("*.py"))
    return [*packages, *shared, resource("amis") / "guest", resource("drivers") / "ena"]


@functools.cache
def code_digest() -> str:
    """A hash of the names and contents of all files in `code()`; takes a few milliseconds."""
    content = hashlib.sha256()
    for start in code():
        for path in sorted(_files(start)):
            content.update(f"{path.relative_to(start.parent)}\0".encode())
            content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()


def _files(start: Path) -> Iterator[Path]:
    if start.is_file():
        yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder, name) for name in names)


def key(*parts: str) -> str:
    """Names a build by what was asked for."""
    return hashlib.sha256("\0".join((__version__, code_digest(), *parts)).encode()).hexdigest()


def request(recipe: Path, *, trace: bool) -> str:
    """Names a build by the recipe's file alone, before anyone has read it."""
    return key("file", str(recipe.resolve()), str(trace))


def find(name: str) -> Image | None:
    """The image built for `name`, if everything that it was made from is as it was."""
    try:
        document = json.loads(_path(name).read_text())
        if any(_state(path) != state for path, state in document["inputs"].items()):
            return None
        image = from_manifest(Path(document["manifest"]))
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError, InputError):
        return None
    touch(_path(name))
    touch(image.path.parent)
    return image if _intact(image) else None


def states(files: Iterable[Path]) -> States:
    """What each file is like now, to be given to `put` when the image is built."""
    return {str(path): _state(path) for path in sorted(set(files))}


def put(name: str, image: Image, inputs: States) -> None:
    """Remember `image` and the states of the files that it was made from."""
    document: dict[str, Any] = {"manifest": str(image.manifest_path), "inputs": inputs}
    path = _path(name)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(document))


def _path(name: str) -> Path:
    return cache_dir() / "builds" / f"{name}.json"


def _state(path: str | Path) -> State:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _intact(image: Image) -> bool:
    return image.path.is_file() and image.path.stat().st_size == image.size_bytes
