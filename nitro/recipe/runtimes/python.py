"""Python: the interpreter, its standard library, and virtual environments of this machine.

Facts from Debian's python3 packages and from PEP 405 (pyvenv.cfg).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nitro.arch import Arch
from nitro.errors import InputError
from nitro.recipe.runtimes.base import Needs, Plain

_ENV = {"PYTHONUNBUFFERED": "1"}  # what is printed reaches the console at once
# Of a standard library outside Debian: other environments' packages, and what no program imports.
# Debian has these in packages of their own.
_EXCLUDED = (
    *("/site-packages", "/dist-packages", "/config-3*", "__pycache__"),
    *("/test", "/idlelib", "/turtledemo", "/ensurepip", "/ctypes/test", "/distutils/tests"),
    *("/lib2to3/tests", "/sqlite3/test", "/tkinter/test", "/unittest/test"),
)


@dataclass(frozen=True)
class Python(Plain):
    name: str = "python"
    suffixes: tuple[str, ...] = (".py",)
    marks: tuple[str, ...] = ("pyproject.toml", "requirements.txt", "setup.py")
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"trixie": ("3.13",), "bookworm": ("3.11",)}
    )

    def needs(self, version: str, arch: Arch) -> Needs:
        return Needs(
            packages=("python3",),
            programs=(f"/usr/bin/python{version}",),
            files=(f"/usr/lib/python{version}", "/usr/lib/python3"),
            env=_ENV,
        )

    def command(self, version: str, arch: Arch) -> Sequence[str]:
        return (f"/usr/bin/python{version}",)

    def environment(self, folder: Path, name: str | None = None) -> Needs | None:
        homes = [folder / one for one in ((".venv", "venv") if name is None else (name,))]
        found = next((home for home in homes if (home / "pyvenv.cfg").is_file()), None)
        return _virtual(found) if found else None


def _virtual(home: Path) -> Needs:
    """The environment at `home`, where it is on this machine, with its interpreter's library.

    Raises InputError when that interpreter is no longer there.
    """
    text = (home / "pyvenv.cfg").read_text(errors="replace")
    told = {
        key.strip(): value.strip()
        for key, _, value in (s.partition("=") for s in text.splitlines())
    }
    number = re.match(r"\d+\.\d+", told.get("version") or told.get("version_info") or "")
    version = number[0] if number else ""
    base = Path(told.get("home", "/nowhere"))
    library = base.parent / "lib" / f"python{version}"
    interpreter = base / f"python{version}"
    if not version or not (library / "os.py").is_file() or not interpreter.is_file():
        raise InputError(
            f"{home}: the Python of this environment is not at {base}",
            hint="make the environment again, with a Python of this machine",
        )
    links = {str(base / name) for name in ("python3", "python") if (base / name).exists()}
    return Needs(
        programs=(
            {"source": str(home / "bin/python"), "path": str(home / "bin/python"), "from": "host"},
            *(
                {"source": str(interpreter), "path": path, "from": "host"}
                for path in sorted({str(interpreter), *links})
            ),
        ),
        files=tuple(
            {"source": str(path), "path": str(path), "from": "host"} for path in (library, home)
        ),
        env=_ENV,
        exclude=_EXCLUDED,
    )


RUNTIME = Python()
