"""What a runtime says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nitro.arch import Arch

#: where a script or a project goes in the guest
HOME = "/app"


@dataclass(frozen=True)
class Needs:
    """What a recipe must have for a runtime, as its keys have it."""

    packages: tuple[str, ...] = ()
    programs: tuple[str | dict[str, str], ...] = ()
    files: tuple[str | dict[str, Any], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()

    def keys(self) -> dict[str, Any]:
        lists = {
            "packages": list(self.packages),
            "programs": list(self.programs),
            "files": list(self.files),
            "exclude": list(self.exclude),
        }
        return {**lists, "env": dict(self.env)}


def where_there(*paths: str) -> tuple[dict[str, Any], ...]:
    """Folders into which packages of libraries put theirs, if there are such packages."""
    return tuple({"source": path, "optional": True} for path in paths)


class Runtime(Protocol):
    """A language's interpreter or virtual machine, from Debian's packages."""

    #: what recipes call it
    name: str
    #: the names of its scripts end so
    suffixes: tuple[str, ...]
    #: files that show a folder to be a project of the language
    marks: tuple[str, ...]
    #: Debian suite → the versions that it has, the default first
    versions: Mapping[str, tuple[str, ...]]

    def needs(self, version: str, arch: Arch) -> Needs:
        """What the interpreter of that version needs to run any script."""

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        """The start of a command line; a script's path and its arguments follow."""

    def serves(self, script: str, ports: Sequence[int]) -> tuple[Sequence[str], Sequence[int]]:
        """What comes between `command` and the path of a script that is run by itself, and the
        ports that listen then: where a web server is meant, the runtime's own.
        """

    def check(self, script: Path) -> None:
        """Raises InputError for a file that the interpreter could not start."""

    def environment(self, folder: Path, name: str | None = None) -> Needs | None:
        """What an environment of this machine in `folder`, an absolute path, brings instead of
        Debian's packages; `name` is its folder's, None that of any usual one.

        Its first program is the interpreter. None when `folder` has no such environment.
        """


@dataclass(frozen=True)
class Plain:
    """The usual answers: a script is run as it is, and there is no environment."""

    def serves(self, script: str, ports: Sequence[int]) -> tuple[Sequence[str], Sequence[int]]:
        return (), ports

    def check(self, script: Path) -> None:
        return

    def environment(self, folder: Path, name: str | None = None) -> Needs | None:
        return None
