"""Builds an image in two steps: `prepare` gets and checks all inputs, `build` writes the disk."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nitro import container, debian
from nitro.container import Container, open_container
from nitro.debian import Lock, Package, Tree, Wanted, default_lock
from nitro.image import (
    base,
    build_cache,
    bytecode,
    decisions,
    declared,
    extras,
    flavour,
    manifest,
    owners,
    scripts,
    setup,
    users,
)
from nitro.image.build_cache import Image
from nitro.image.contents import Contents
from nitro.image.decisions import Decision
from nitro.image.flavour import Flavour
from nitro.image.rootfs import Rootfs
from nitro.paths import cache_dir, resource
from nitro.progress import Reporter
from nitro.recipe import Recipe
from nitro.space import writing


@dataclass(frozen=True)
class Prepared:
    """A recipe with all that its image is made from: nothing is left to download or compile."""

    recipe: Recipe
    #: what a machine needs to boot the image, in MiB
    minimum_memory_mib: int
    _build: Callable[[], Image] = field(repr=False)

    def build(self) -> Image:
        """Write the image, or return the one that was found.

        Raises InputError when the contents are too large for an image.
        """
        return self._build()


def prepare(
    recipe: Recipe, *, report: Reporter | None = None, locked: bool = False, trace: bool = False
) -> Prepared:
    """Find the image of `recipe` or, when anything it was made from changed, get all inputs.

    With `locked`, no package is resolved anew; with `trace`, the program runs under strace and
    `nitro.image.linux.trace` can read from the console what it sought in vain.

    Raises InputError for a recipe that cannot be built, NitroError when packages are missing.
    """
    started = time.monotonic()
    report = report or Reporter()
    recipe = container.complete(recipe, report=report)
    key = build_cache.key(recipe.model_dump_json(), str(recipe.folder), str(trace))
    if found := build_cache.find(key):
        image = found
        return Prepared(recipe, image.minimum_memory_mib, lambda: image)
    with report.stage("prepare image"):
        parts = _gather(recipe, lock_of(recipe, locked=locked), report, trace=trace)
    entries = {key: parts.inputs}
    if recipe.file is not None and not recipe.changed:
        request = build_cache.request(recipe.file, trace=trace)
        entries[request] = parts.inputs | build_cache.states([recipe.file])
    write = partial(_build, parts, entries, report, time.monotonic() - started)
    return Prepared(recipe, parts.minimum_memory_mib, write)


def build(
    recipe: Recipe, *, report: Reporter | None = None, locked: bool = False, trace: bool = False
) -> Image:
    """`prepare` and build: the image of `recipe`. Raises as they do."""
    return prepare(recipe, report=report, locked=locked, trace=trace).build()


def resolve(recipe: Recipe, lock: Lock, report: Reporter) -> None:
    """Pin in `lock` every package that an image of `recipe` is made from and with."""
    kernel = flavour.create(recipe, lock, report, trace=True)
    debian.resolve([*_own(recipe), *kernel.wanted()], lock=lock, report=report)


@dataclass(frozen=True)
class _Parts:
    """All that an image is made from. `inputs` are the states of the source files."""

    recipe: Recipe
    flavour: Flavour
    trees: Mapping[Wanted, Tree]
    rootfs: Rootfs
    packages: Sequence[Package]
    inputs: build_cache.States
    libraries: Sequence[Decision]

    @property
    def minimum_memory_mib(self) -> int:
        needed = self.flavour.minimum_memory_mib(self.rootfs)
        return max(needed, self.recipe.minimum_memory_mib or 0)

    @property
    def decisions(self) -> list[Decision]:
        recipe = self.recipe
        booted = decisions.asked(recipe, "boot_mode", "the default, which starts sooner than UEFI")
        asked = recipe.minimum_memory_mib or 0
        needed = self.flavour.minimum_memory_mib(self.rootfs)
        reason = "asked for" if asked > needed else "what it takes to boot these files"
        return [
            *self.flavour.decisions(self.rootfs),
            Decision("boot mode", recipe.boot_mode, booted),
            Decision("memory", f"{max(asked, needed)} MiB or more", reason),
            *self.libraries,
        ]


def lock_of(recipe: Recipe, *, locked: bool = False) -> Lock:
    """A user's recipe is locked in a file beside it, those of nitro in nitro's own lock."""
    standard = default_lock(frozen=locked)
    if recipe.file is None or recipe.folder.is_relative_to(resource("amis")):
        return standard
    return Lock(recipe.file.with_suffix(".lock"), base=standard.base, frozen=locked)


def _packages(recipe: Recipe) -> Wanted | None:
    if not recipe.packages:
        return None
    # Every Debian system has bash, so that no package depends on it.
    bash = ("bash",) if scripts.needs_bash(recipe) and "bash" not in recipe.packages else ()
    return Wanted((*recipe.packages, *bash), recipe.suite, arch=recipe.arch)


def _own(recipe: Recipe) -> list[Wanted]:
    """The sets of packages that the recipe asks for, whatever its kernel."""
    return [one for one in (_packages(recipe), extras.wanted(recipe)) if one is not None]


def _gather(recipe: Recipe, lock: Lock, report: Reporter, *, trace: bool) -> _Parts:
    kernel = flavour.create(recipe, lock, report, trace=trace)
    based = _base(recipe, report)
    trees = debian.trees(
        [*_own(recipe), *kernel.wanted()],
        lock=lock,
        report=report,
        needed=lambda packages: [*_own(recipe), *kernel.needed(packages)],
    )
    own, extra = (trees[one] if one else None for one in (_packages(recipe), extras.wanted(recipe)))
    rootfs = base.start(based)
    contents = Contents(
        recipe, own, rootfs, kernel.supplies, kernel.examine, based.root if based else None
    )
    contents.add()
    for note in contents.notes:
        report.note(note)
    bytecode.add(rootfs, own, report)
    extras.add(rootfs, recipe.extras, extra)
    extras.add(rootfs, extras.depended_on(recipe, own), own)
    users.add(rootfs, recipe)
    declared.add(rootfs, recipe, own.root if own else None)
    packages = [*kernel.add(rootfs, trees), *(extra.packages if extra else ())]
    sources = rootfs.sources()  # also of what the setup changes
    made = setup.add(rootfs, recipe, report)
    if own is not None:
        packages += owners.packages_owning(own, sources)
    based_on = based.inputs if based else ()
    inputs = build_cache.states([*_inputs(sources, lock), *kernel.inputs(), *based_on])
    return _Parts(recipe, kernel, trees, rootfs, packages, inputs, [*contents.decisions, *made])


def _base(recipe: Recipe, report: Reporter) -> Container | None:
    if recipe.base is None:
        return None
    return open_container(recipe.base, recipe.folder, recipe.arch, report)


def _inputs(sources: Sequence[Path], lock: Lock) -> list[Path]:
    """The files whose change makes another image; nitro's own code is in the cache's keys."""
    cache = cache_dir()
    files = [path for path in sources if not path.is_relative_to(cache)]
    # A file that appears in a folder of the recipe changes the folder.
    folders = {path.parent for path in files}
    locks = [lock.path, *([lock.base.path] if lock.base else [])]
    return [*files, *folders, *locks]


def _build(
    parts: _Parts, entries: Mapping[str, build_cache.States], report: Reporter, spent: float
) -> Image:
    """Write the image and put it under `entries` (key → inputs) into the cache.

    `spent` is how many seconds its preparation took.
    """
    started = time.monotonic()
    with report.stage("write image"):
        image = _write(parts)
    image = build_cache.with_build_time(image, spent + time.monotonic() - started)
    for key, inputs in entries.items():
        build_cache.put(key, image, inputs)
    return image


def _write(parts: _Parts) -> Image:
    recipe = parts.recipe
    images = cache_dir() / "images"
    images.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=images))
    try:
        path = scratch / build_cache.DISK
        # Hashing leaves Python's lock alone.
        with writing(images), ThreadPoolExecutor(1) as pool:
            inputs = pool.submit(manifest.inputs, parts.rootfs)
            kernel = parts.flavour.write_disk(parts.rootfs, parts.trees, path)
            digest = kernel.get("digest") or manifest.digest(path)
            files = inputs.result()
        _dump(scratch / build_cache.MANIFEST, _manifest(parts, kernel, digest, path, files))
        bill = manifest.bill_of_materials(recipe.name, recipe.suite, parts.packages, parts.rootfs)
        _dump(scratch / build_cache.BILL, bill)
        home = images / f"{digest.removeprefix('sha256:')[:32]}-{recipe.name}"
        home.mkdir(exist_ok=True)
        # One by one: who reads this image now, in another process, goes on doing so.
        for file in scratch.iterdir():
            file.replace(home / file.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return build_cache.from_manifest(home / build_cache.MANIFEST)


def _manifest(
    parts: _Parts,
    kernel: dict[str, Any],
    digest: str,
    path: Path,
    files: list[dict[str, Any]],
) -> dict[str, Any]:
    recipe = parts.recipe
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
        "minimum_memory_mib": parts.minimum_memory_mib,
        **kernel,
        decisions.KEY: decisions.to_json(parts.decisions),
        "files": files,
        "packages": manifest.packages(parts.packages),
    }


def _dump(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")
