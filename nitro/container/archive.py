"""What `docker save` writes: a tar archive with manifest.json, a configuration and layers.

Facts from Docker's image specification v1.2 and from what Docker 25 writes: there the names are
those of an OCI layout's blobs, and manifest.json is still there.
"""

from __future__ import annotations

import tarfile
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from nitro.arch import Arch
from nitro.container.config import Config
from nitro.container.source import MAX_DOCUMENT, Layer, Source, damaged, digest, make
from nitro.errors import InputError


class _Image(BaseModel):
    config: str = Field(alias="Config")
    tags: tuple[str, ...] | None = Field(default=None, alias="RepoTags")
    layers: tuple[str, ...] = Field(alias="Layers")


_IMAGES = TypeAdapter(tuple[_Image, ...])


def find(path: Path, tag: str | None, arch: Arch) -> Source:
    """The image in the archive at `path`; `tag` ("name:tag") where it has several.

    Raises InputError when there is none, or when it is not such an archive.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file", hint="docker save -o FILE.tar NAME writes one")
    try:
        with tarfile.open(path, "r:") as archive:
            images = _IMAGES.validate_json(_read(archive, "manifest.json"))
            image = _choose(path, images, tag)
            raw = _read(archive, image.config)
    except ValidationError as error:
        raise damaged(f"{path}: manifest.json", error.errors()[0]["msg"]) from None
    except (tarfile.TarError, EOFError, ValueError, KeyError, OverflowError) as error:
        hint = "docker save -o FILE.tar NAME writes one; unpack it if it is compressed"
        raise InputError(f"{path}: not an archive of an image: {error}", hint=hint) from None
    name = PurePosixPath(image.config).name.removesuffix(".json")
    if len(name) == 64 and digest(raw) != f"sha256:{name}":
        raise damaged(str(path), f"{image.config} has another digest")

    def layers(config: Config) -> tuple[Layer, ...]:
        ids = config.rootfs.diff_ids
        if len(ids) != len(image.layers):
            raise damaged(str(path), f"{len(image.layers)} layers, {len(ids)} in its configuration")
        return tuple(
            Layer(f"{path}: {name}", partial(_member, path, name), diff_id)
            for name, diff_id in zip(image.layers, ids, strict=True)
        )

    return make(str(path), raw, layers, (path,), arch)


def _choose(path: Path, images: tuple[_Image, ...], tag: str | None) -> _Image:
    fitting = [one for one in images if not tag or tag in (one.tags or ())]
    if len(fitting) == 1:
        return fitting[0]
    tags = ", ".join(tag for one in images for tag in one.tags or ())
    what = "several images" if fitting else "no such image"
    raise InputError(f"{path}: {what}", hint=f"add a name: docker-archive:{path}:NAME, of {tags}")


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    raw = file.read(MAX_DOCUMENT + 1)
    if len(raw) > MAX_DOCUMENT:
        raise ValueError(f"{name} is larger than {MAX_DOCUMENT >> 20} MiB")
    return raw


def _member(path: Path, name: str) -> IO[bytes]:
    """A file of the archive; where one layer is in it twice, the second one is a link."""
    archive = tarfile.open(path, "r:")  # noqa: SIM115 - closed with what it gives
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        archive.close()
        raise damaged(str(path), f"it lacks {name}")
    return file
