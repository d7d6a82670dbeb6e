"""Builds an image: gathers, packs, writes the disk, remembers what it was made from."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro.debian import Lock, Package, Tree, Wanted, default_lock, tree
from nitro.errors import InputError
from nitro.image import build_cache, extras, manifest, owners
from nitro.image.build_cache import Image
from nitro.image.contents import Contents
from nitro.image.linux import disk, driver, grub, guest, kernel, layers, memory
from nitro.image.linux import trace as tracing
from nitro.image.rootfs import Rootfs
from nitro.paths import cache_dir, resource
from nitro.progress import Reporter
from nitro.recipe import Recipe

_ZSTD = Wanted(("zstd",))


@dataclass(frozen=True)
class _Parts:
    """What goes onto the disk."""

    kernel: kernel.Kernel
    rootfs: Rootfs
    packages: list[Package]


def build(
    recipe: Recipe, *, report: Reporter | None = None, locked: bool = False, trace: bool = False
) -> Image:
    """The image of `recipe`, built or, when nothing that it was made from changed, found.

    With `locked`, no package is resolved anew; with `trace`, the program runs under strace and
    `nitro.image.linux.trace` can read from the console what it sought in vain.

    Raises InputError for a recipe that cannot be built, NitroError when packages are missing.
    """
    started = time.monotonic()
    key = _key(recipe, trace=trace)
    if found := build_cache.find(key):
        return found
    report = report or Reporter()
    with report.stage("build image") as stage:
        lock = _lock(recipe, locked)
        parts = _gather(recipe, lock, report, trace=trace)
        stage.status("writing the disk")
        image = _write(recipe, parts, lock, report)
    image = build_cache.with_build_time(image, time.monotonic() - started)
    watched = _watched(parts, lock)
    build_cache.put(key, image, watched)
    if recipe.file is not None:
        build_cache.put(
            build_cache.request(recipe.file, trace=trace), image, [*watched, recipe.file]
        )
    return image


def needs(recipe: Recipe, *, report: Reporter | None = None, locked: bool = False) -> int:
    """The memory in MiB that a machine needs for the image, known before it is built.

    Raises as `build` does, for what cannot be gathered.
    """
    if found := build_cache.find(_key(recipe, trace=False)):
        return found.minimum_memory_mib
    parts = _gather(recipe, _lock(recipe, locked), report or Reporter(), trace=False)
    return _memory(recipe, parts)


@dataclass(frozen=True)
class Prepared:
    """An image that can be built: what it is made of has been gathered once."""

    recipe: Recipe
    locked: bool
    report: Reporter
    minimum_memory_mib: int

    def build(self) -> Image:
        """Raises as the function `build` does."""
        return build(self.recipe, report=self.report, locked=self.locked)


def prepare(recipe: Recipe, *, locked: bool = False, report: Reporter) -> Prepared:
    """Raises as `needs` does."""
    return Prepared(recipe, locked, report, needs(recipe, report=report, locked=locked))


def resolve(recipe: Recipe, lock: Lock, report: Reporter) -> None:
    """Pin in `lock` every package that an image of `recipe` is made from and with."""
    _gather(recipe, lock, report, trace=True)
    for wanted in (_ZSTD, grub.packages(recipe.arch), grub.LIBRARIES):
        tree(wanted, lock=lock, report=report)


def _key(recipe: Recipe, *, trace: bool) -> str:
    return build_cache.key(recipe.model_dump_json(), str(recipe.folder), str(trace))


def _memory(recipe: Recipe, parts: _Parts) -> int:
    return max(memory.minimum_mib(parts.rootfs.size), recipe.minimum_memory_mib or 0)


def _lock(recipe: Recipe, locked: bool) -> Lock:
    """A user's recipe is locked in a file beside it, those of nitro in nitro's own lock."""
    standard = default_lock(frozen=locked)
    if recipe.file is None or recipe.folder.is_relative_to(resource("amis")):
        return standard
    return Lock(recipe.file.with_suffix(".lock"), base=standard.base, frozen=locked)


def _gather(recipe: Recipe, lock: Lock, report: Reporter, *, trace: bool) -> _Parts:
    def get(*names: str, closure: bool = True) -> Tree:
        wanted = Wanted(names, recipe.suite, closure=closure, arch=recipe.arch)
        return tree(wanted, lock=lock, report=report)

    linux = kernel.get(recipe.suite, recipe.arch, lock, report)
    busybox = tree(guest.wanted(recipe.suite, recipe.arch), lock=lock, report=report)
    own = get(*recipe.packages) if recipe.packages else None
    names = [name for extra in recipe.extras for name in extras.PACKAGES.get(extra, ())]
    extra = get(*names, closure=False) if names else None
    rootfs = Rootfs()
    Contents(recipe, own, rootfs).add()
    extras.add(rootfs, recipe.extras, extra)
    ported = None
    if recipe.nic == "ported":
        ported = driver.build_module(
            linux.release, recipe.suite, arch=recipe.arch, lock=lock, report=report
        )
    guest.add(rootfs, linux, busybox, ported)
    if trace:
        tracing.add(rootfs, tree(tracing.packages(recipe.arch), lock=lock, report=report))
    packages = [*linux.packages, *busybox.packages, *(extra.packages if extra else ())]
    if own is not None:
        packages += owners.packages_owning(own, rootfs.sources())
    return _Parts(linux, rootfs, packages)


def _write(recipe: Recipe, parts: _Parts, lock: Lock, report: Reporter) -> Image:
    packed = layers.pack(parts.rootfs, tree(_ZSTD, lock=lock, report=report))
    modules = tree(grub.packages(recipe.arch), lock=lock, report=report)
    tools = tree(grub.LIBRARIES, lock=lock, report=report)
    images = cache_dir() / "images"
    images.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=images))
    try:
        with (scratch / "initrd").open("wb") as initrd:
            layers.join(packed, initrd)
        bios, uefi = (
            script(kernel.COMMAND_LINE) for script in (grub.bios_script, grub.uefi_script)
        )
        disk.write(
            scratch / "disk.raw",
            boot=grub.boot_sector(modules, disk.CORE_SECTOR),
            core=grub.bios_core(tools, modules, bios, disk.CORE_SECTOR),
            files={
                recipe.arch.efi_path: grub.uefi_program(tools, modules, uefi),
                "VMLINUZ": parts.kernel.image,
                "INITRD": scratch / "initrd",
            },
        )
        digest = disk.digest(scratch / "disk.raw")
        (scratch / "initrd").unlink()
        document = _manifest(recipe, parts, packed, digest, scratch / "disk.raw")
        _dump(scratch / "manifest.json", document)
        bill = manifest.bill_of_materials(recipe.name, recipe.suite, parts.packages, parts.rootfs)
        _dump(scratch / "sbom.cdx.json", bill)
        home = images / f"{digest.removeprefix('sha256:')[:32]}-{recipe.name}"
        home.mkdir(exist_ok=True)
        # One by one: who reads this image now, in another process, goes on doing so.
        for file in scratch.iterdir():
            file.replace(home / file.name)
    except ValueError as error:
        raise InputError(f"{recipe.name}: {error}", hint="make the image smaller") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return build_cache.from_manifest(home / "manifest.json")


def _manifest(
    recipe: Recipe, parts: _Parts, packed: list[layers.Packed], digest: str, path: Path
) -> dict[str, Any]:
    return {
        "version": manifest.VERSION,
        "name": recipe.name,
        "description": recipe.description,
        "digest": digest,
        "size_bytes": path.stat().st_size,
        "architecture": recipe.architecture,
        "boot_mode": recipe.boot_mode,
        "ports": [port.to_json() for port in recipe.ports],
        "tags": recipe.tags,
        "minimum_memory_mib": _memory(recipe, parts),
        "kernel": {"release": parts.kernel.release, "command_line": kernel.COMMAND_LINE},
        "layers": manifest.layers(packed),
        "files": manifest.inputs(parts.rootfs),
        "packages": manifest.packages(parts.packages),
    }


def _watched(parts: _Parts, lock: Lock) -> list[Path]:
    """The input files whose change makes another image; the code is in the entry's key."""
    cache = cache_dir()
    files = [path for path in parts.rootfs.sources() if cache not in path.parents]
    # A file that appears in a folder of the recipe changes the folder.
    folders = {path.parent for path in files}
    locks = [lock.path, *([lock.base.path] if lock.base else [])]
    return [*files, *folders, *locks]


def _dump(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")
