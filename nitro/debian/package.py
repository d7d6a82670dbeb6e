"""What is asked of the archive, and what it answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from nitro.arch import X86_64, Arch


@dataclass(frozen=True)
class Wanted:
    """Packages by name, from one suite.

    With `closure`, everything that they depend on comes too (Depends and Pre-Depends, never
    Recommends); without it, exactly the packages named. `arch` is the one of the machine that
    runs them.
    """

    names: tuple[str, ...]
    suite: str = "trixie"
    closure: bool = True
    arch: Arch = X86_64

    @property
    def key(self) -> str:
        """How a lock file names this set; sets for x86_64 do not name their architecture."""
        suite = self.suite if self.arch == X86_64 else f"{self.suite} {self.arch.debian}"
        kind = "closure" if self.closure else "only"
        return f"{suite} {kind}: {' '.join(sorted(set(self.names)))}"


@dataclass(frozen=True, order=True)
class Package:
    """One version of one package, as the archive's signed metadata describes it.

    `archive` is "debian" or "debian-security", `path` its place in that archive, so that no
    mirror's address is ever written down.
    """

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str

    @classmethod
    def from_json(cls, document: Any) -> Package:
        """What `to_json` gave. Raises ValueError for anything else."""
        types = {field.name: int if field.name == "size" else str for field in fields(cls)}
        if not isinstance(document, dict) or document.keys() != types.keys():
            raise ValueError(f"a package has the keys {', '.join(types)}")
        for key, value in document.items():
            if type(value) is not types[key]:
                raise ValueError(f"{value!r} is not the {key} of a package")
        return cls(**document)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
