"""From the C sources to a library, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from nitro.errors import NitroError
from nitro.stored import stored

SOURCES = Path(__file__).parent
FLAGS = (
    *("-std=gnu11", "-O2", "-Wall", "-Wextra", "-fno-strict-aliasing"),
    *("-fPIC", "-shared", "-fvisibility=hidden"),
)
_SECONDS = 20  # less than who starts a card waits for it


def library() -> Path | None:
    """The library, compiled if need be; None where there is no compiler or it fails."""
    compiler = find_compiler()
    if compiler is None or sys.byteorder != "little" or struct.calcsize("P") != 8:
        return None
    try:
        return stored("loops", _key(compiler), lambda path: build(compiler, path))
    except (OSError, NitroError, subprocess.SubprocessError):
        return None


def find_compiler() -> str | None:
    """The path of a C compiler."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(compiler: str, path: Path, *flags: str) -> None:
    """Compile into `path`. Raises OSError, subprocess.SubprocessError."""
    sources = sorted(str(source) for source in SOURCES.glob("*.c"))
    command = [compiler, *FLAGS, *flags, *sources, "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    path.chmod(0o755)


def _key(compiler: str) -> str:
    """Of the sources, the flags and the compiler, by its file's path, size and time."""
    found = Path(compiler).stat()
    told = [os.path.realpath(compiler), str(found.st_size), str(found.st_mtime_ns), *FLAGS]
    digest = hashlib.sha256("\0".join(told).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]
