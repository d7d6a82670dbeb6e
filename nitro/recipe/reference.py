"""Container images, as people name them: `oci:FOLDER`, `docker-archive:FILE`, `docker://NAME`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from nitro.errors import InputError

_FORMS = "oci:FOLDER[:TAG], docker-archive:FILE.tar or docker://NAME[:TAG|@DIGEST]"
# A registry's host and port, then path components, as distribution's reference grammar has them;
# never an option of a program.
_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a container image is. `place` is a folder, a file or a name in a registry."""

    kind: Literal["oci", "docker-archive", "docker"]
    place: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        start = "docker://" if self.kind == "docker" else f"{self.kind}:"
        tag = f":{self.tag}" if self.tag else ""
        return start + self.place + tag + (f"@{self.digest}" if self.digest else "")

    @property
    def short_name(self) -> str:
        """What a person calls the image: "redis" for docker://localhost:5000/library/redis:8."""
        name = PurePosixPath(self.place).name
        return name.removesuffix(".gz").removesuffix(".tar") if self.kind != "docker" else name


def is_reference(text: str) -> bool:
    """Whether `text` names a container image rather than a recipe or a program."""
    return text.startswith(("oci:", "docker-archive:", "docker:"))


def parse(text: str, folder: Path = Path()) -> Reference:
    """The image that `text` names; a relative path starts at `folder`.

    Raises InputError for what is not such a name.
    """
    kind, _, rest = text.partition(":")
    if kind == "docker" and rest.startswith("//"):
        match = _NAME.fullmatch(rest.removeprefix("//"))
        if match:
            return Reference("docker", match["name"], match["tag"], match["digest"])
    elif kind in ("oci", "docker-archive") and rest:
        place, tag = rest, None
        if not (folder / rest).exists() and ":" in rest:
            place, _, tag = rest.partition(":")
        if place:
            return Reference("oci" if kind == "oci" else "docker-archive", place, tag or None)
    raise InputError(f"{text!r} does not name a container image", hint=f"write {_FORMS}")
