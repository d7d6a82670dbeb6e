"""OCI image layouts: a folder with index.json and blobs that are named by their digests.

Facts from the OCI image specification 1.1, image-layout.md and image-index.md.
"""

from __future__ import annotations

from pathlib import Path

from nitro.arch import Arch
from nitro.container.config import Config, Descriptor, Manifest
from nitro.container.source import MAX_DOCUMENT, Layer, Source, damaged, digest, make, parse
from nitro.errors import InputError

_TAG = "org.opencontainers.image.ref.name"
_DEPTH = 4  # of indexes in an index


def find(folder: Path, tag: str | None, arch: Arch) -> Source:
    """The image in the layout `folder` for machines of `arch`; `tag` where it has several.

    Raises InputError when there is none, or when what there is contradicts its digests.
    """
    index = folder / "index.json"
    if not index.is_file():
        raise InputError(f"{folder}: no OCI layout (no index.json)", hint="check the path")
    top = parse(Manifest, _read(index, None), str(index))
    where = f"{folder}:{tag}" if tag else str(folder)
    named = [one for one in top.manifests if not tag or one.annotations.get(_TAG) == tag]
    if not named:
        tags = [str(one.annotations[_TAG]) for one in top.manifests if _TAG in one.annotations]
        raise InputError(f"{where}: no such tag", hint=f"tags: {', '.join(tags) or 'none'}")
    manifest = _choose(folder, where, named, arch, _DEPTH)
    if manifest.config is None:
        raise damaged(where, "an image without a configuration")
    raw = _blob(folder, manifest.config)

    def layers(config: Config) -> tuple[Layer, ...]:
        ids = config.rootfs.diff_ids
        if len(ids) != len(manifest.layers):
            raise damaged(where, f"{len(manifest.layers)} layers, {len(ids)} in its configuration")
        return tuple(
            _layer(folder, one, diff_id) for one, diff_id in zip(manifest.layers, ids, strict=True)
        )

    return make(where, raw, layers, (index,), arch)


def _choose(
    folder: Path, where: str, offered: list[Descriptor], arch: Arch, depth: int
) -> Manifest:
    """The manifest for `arch` among those offered, indexes followed."""
    fitting = [
        one
        for one in offered
        if one.platform is None
        or (one.platform.os, one.platform.architecture) == ("linux", arch.debian)
    ]
    if not fitting:
        found = sorted({f"{p.os}/{p.architecture}" for one in offered if (p := one.platform)})
        raise InputError(
            f"{where}: no image for linux/{arch.debian}",
            hint=f"it has {', '.join(found)}; build or pull one for linux/{arch.debian}",
        )
    if len({one.digest for one in fitting}) > 1:
        tags = ", ".join(str(one.annotations.get(_TAG, one.digest)) for one in fitting)
        raise InputError(f"{where}: several images", hint=f"add one of their tags: {tags}")
    manifest = parse(Manifest, _blob(folder, fitting[0]), f"{where}: {fitting[0].digest}")
    if manifest.config is not None or not manifest.manifests:
        return manifest
    if not depth:
        raise damaged(where, "indexes in indexes")
    return _choose(folder, where, list(manifest.manifests), arch, depth - 1)


def _path(folder: Path, one: Descriptor) -> Path:
    path = folder / "blobs" / one.digest.replace(":", "/")
    if not path.is_file():
        raise damaged(str(folder), f"no blob {one.digest}")
    return path


def _blob(folder: Path, one: Descriptor) -> bytes:
    raw = _read(_path(folder, one), one.size)
    if digest(raw) != one.digest:
        raise damaged(str(folder), f"the blob {one.digest} has another digest")
    return raw


def _read(path: Path, size: int | None) -> bytes:
    actual = path.stat().st_size
    if actual > MAX_DOCUMENT or (size is not None and actual != size):
        raise damaged(str(path), f"{actual} bytes, {MAX_DOCUMENT if size is None else size} wanted")
    return path.read_bytes()


def _layer(folder: Path, one: Descriptor, diff_id: str) -> Layer:
    path = _path(folder, one)
    return Layer(one.digest, lambda: path.open("rb"), diff_id, one.digest, one.size)
