"""An image as its source has it: a configuration, and layers that are still packed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from nitro.arch import Arch
from nitro.container.config import Config
from nitro.errors import InputError

MAX_DOCUMENT = 4 << 20  # registries take manifests of 4 MiB at most

_Document = TypeVar("_Document", bound=BaseModel)


@dataclass(frozen=True)
class Layer:
    """A layer's archive. `open` gives its bytes as they are stored, compressed or not.

    `digest` and `size` are of those bytes, None where the source has none; `diff_id` is the digest
    of the archive itself.
    """

    name: str
    open: Callable[[], IO[bytes]]
    diff_id: str
    digest: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Source:
    """An image that has been found and not been unpacked.

    `identity`: the digest of its configuration, which names all layers by theirs. `inputs`: the
    files whose change makes it another image.
    """

    config: Config
    identity: str
    layers: tuple[Layer, ...]
    inputs: tuple[Path, ...]


def make(
    where: str,
    raw: bytes,
    layers: Callable[[Config], tuple[Layer, ...]],
    inputs: tuple[Path, ...],
    arch: Arch,
) -> Source:
    """The image with the configuration `raw`. Raises InputError when it is not one for `arch`."""
    config = parse(Config, raw, f"the configuration in {where}")
    if (config.os or "linux", config.architecture or arch.debian) != ("linux", arch.debian):
        raise InputError(
            f"{where}: an image for {config.os}/{config.architecture}",
            hint=f"get the one for linux/{arch.debian}",
        )
    return Source(config, digest(raw), layers(config), inputs)


def parse(kind: type[_Document], raw: bytes, what: str) -> _Document:
    """The JSON document `raw`. Raises InputError that says what is wrong with it."""
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise damaged(what, f"{key}: {first['msg']}" if key else first["msg"]) from None


def digest(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def damaged(what: str, why: object) -> InputError:
    return InputError(f"{what}: {why}", hint="it may be damaged; get or save the image again")
