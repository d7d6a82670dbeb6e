"""A container image, found and unpacked into the cache."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nitro.arch import Arch
from nitro.cache import touch
from nitro.container import archive, layout, registry
from nitro.container.config import Config
from nitro.container.source import Source
from nitro.container.tree import Entry
from nitro.container.unpack import ROOT, VERSION, read, unpack
from nitro.paths import cache_dir
from nitro.progress import Reporter
from nitro.recipe import reference
from nitro.recipe.reference import Reference
from nitro.space import writing


@dataclass(frozen=True)
class Container:
    """An unpacked image: `entries` has each path's owner and mode, `root` the files themselves.

    `inputs`: the files whose change makes it another image. `special`: how many devices and FIFOs
    were left out.
    """

    name: str
    config: Config
    root: Path
    entries: dict[str, Entry]
    special: int
    inputs: tuple[Path, ...]


def find(name: str, folder: Path, arch: Arch, report: Reporter) -> tuple[Reference, Source]:
    """The image that `name` means, its configuration read and its layers still packed.

    The reference is the one given, with a digest when it is of a registry. A relative path starts
    at `folder`. Raises InputError for what is no image for `arch`, NitroError when a registry is
    out of reach.
    """
    named = reference.parse(name, folder)
    if named.kind == "docker":
        pinned = registry.pin(named, arch, report)
        return pinned, layout.find(registry.fetch(pinned, arch, report), None, arch)
    place = folder / named.place
    reader = layout if named.kind == "oci" else archive
    return named, reader.find(place, named.tag, arch)


def open_container(name: str, folder: Path, arch: Arch, report: Reporter) -> Container:
    """The image that `name` means, unpacked. Raises as `find` does, and for damaged layers."""
    named, source = find(name, folder, arch, report)
    kept = cache_dir() / f"containers-{VERSION}"
    home = touch(kept / source.identity.removeprefix("sha256:"))
    if not home.is_dir():
        _unpack(source, named, home, report)
    entries, special = read(home)
    return Container(str(named), source.config, home / ROOT, entries, special, source.inputs)


def _unpack(source: Source, named: Reference, home: Path, report: Reporter) -> None:
    home.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home.parent))
    try:
        with report.stage(f"unpack {named}") as stage, writing(home.parent):
            unpack(source.layers, scratch, stage)
        scratch.rename(home)
    except OSError:  # another process was first: its tree has the same content
        if not home.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
