"""The headers of one version of OSv, from a source tree in which its kernel was built.

They are what a module for that kernel is compiled from: the tree's own, the C library's, and those
that the build made (version and configuration). Kept as an archive beside the kernel, so that the
tree may go.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nitro.errors import InputError

#: folders of the tree, with links followed: `musl` is a link to one of two versions
FOLDERS = (
    *("arch", "include", "bsd", "compiler", "drivers", "fs", "libc", "musl/include"),
    *("external/x64/acpica/source/include", "build/last/gen/include"),
)
_CONFIGURATION = "build/last/.config"
_VERSION = "build/last/gen/include/osv/version.h"
_SOURCES = {".c", ".cc", ".cpp", ".S", ".s", ".o", ".d", ".ld", ".so"}
_NAMED = re.compile(r'#define OSV_VERSION "([^"]*)"')


def collect(source: Path, version: str) -> bytes:
    """The headers for the kernel `version` in a tree or a tar archive of one, as a tar.gz.

    The same files give the same bytes. Raises InputError when they are not there, or are those of
    another version.
    """
    if source.is_dir():
        return _packed(source, source, version)
    with tempfile.TemporaryDirectory(prefix="nitro-headers-") as name:
        folder = Path(name)
        try:
            with tarfile.open(source) as archive:
                unpack(archive, folder)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise InputError(
                f"{source}: neither a folder nor a tar archive: {error}", hint="check --source"
            ) from None
        inside = [path for path in folder.iterdir() if path.is_dir()]
        whole = folder if len(inside) != 1 or (folder / _VERSION).exists() else inside[0]
        return _packed(whole, source, version)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive of headers, or of a whole tree. Raises tarfile.TarError."""
    archive.extractall(folder, filter="data")


def _packed(tree: Path, source: Path, version: str) -> bytes:
    try:
        found = _NAMED.search((tree / _VERSION).read_text(errors="replace"))
        (tree / _CONFIGURATION).stat()
    except FileNotFoundError as error:
        missing = Path(error.filename).relative_to(tree)
        raise InputError(
            f"{source} has no {missing}",
            hint="name a source tree of OSv in which this kernel was built",
        ) from None
    named = found[1] if found else "no version"
    if named != version:
        raise InputError(
            f"{source} has the headers of {named}, and the kernel is {version}",
            hint="name the tree that the kernel was built in",
        )
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in _files(tree):
            content = (tree / path).read_bytes()
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _files(tree: Path) -> Iterator[str]:
    yield _CONFIGURATION
    for folder in FOLDERS:
        for path in sorted((tree / folder).rglob("*")):
            if path.is_file() and path.suffix not in _SOURCES:
                yield str(path.relative_to(tree))
