"""The headers of one version of OSv, from a source tree in which its kernel was built.

They are what a module for that kernel is compiled from: the tree's own, the C library's, and those
that the build made (version and configuration). Kept as an archive beside the kernel, so that the
tree may go.

Up to v0.57.0 the configuration is no header but options of the compiler, which the Makefile takes
from `conf/`; they are kept as a file of options.
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
from nitro.image.osv.segment import Segment

#: folders of the tree, with links followed: `musl` is a link to one of two versions
FOLDERS = (
    *("arch", "include", "bsd", "compiler", "drivers", "fs", "libc", "musl/include"),
    "external/x64/acpica/source/include",
)
LAST = "build/last"
"""The folder of the build, as the archive names it."""
OPTIONS = f"{LAST}/compiler-options"
"""The options by which the compiler knows the configuration, where no header has it."""

_GENERATED = "gen/include"
_VERSION = f"{_GENERATED}/osv/version.h"
_KERNELS = ("loader-stripped.elf", "loader.elf")
_SOURCES = {".c", ".cc", ".cpp", ".S", ".s", ".o", ".d", ".ld", ".so"}
_NAMED = re.compile(r'#define OSV_VERSION "([^"]*)"')
# In the Makefile and conf/*.mk of releases up to v0.57.0.
_LANGUAGE = re.compile(r"^CXXFLAGS = (-std=\S+)", re.MULTILINE)
_DEFINES = re.compile(r"^configuration-defines =((?:.*\\\n)*.*)$", re.MULTILINE)
_SETTING = re.compile(r"^conf-(\w+) *= *(\w+) *$", re.MULTILINE)


def collect(source: Path, version: str, kernel: Segment) -> bytes:
    """The headers for a kernel of `version` in a tree or a tar archive of one, as a tar.gz.

    Of several builds in the tree those of the one that made the kernel are taken. The same files
    give the same bytes. Raises InputError when they are not there, or are those of another version.
    """
    if source.is_dir():
        return _packed(source, source, version, kernel)
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
        whole = folder if len(inside) != 1 or (folder / LAST).exists() else inside[0]
        return _packed(whole, source, version, kernel)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive of headers, or of a whole tree. Raises tarfile.TarError."""
    archive.extractall(folder, filter="data")


def _packed(tree: Path, source: Path, version: str, kernel: Segment) -> bytes:
    build = _build(tree, kernel)
    try:
        found = _NAMED.search((build / _VERSION).read_text(errors="replace"))
        configuration = _configuration(tree, build)
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
        _add(archive, *configuration)
        for name, path in _files(tree, build):
            _add(archive, name, path.read_bytes())
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _build(tree: Path, kernel: Segment) -> Path:
    """The folder of the build that made the kernel.

    One source builds kernels of several configurations, whose structures differ in size; what they
    export tells them apart, whatever is in their RAMFS.
    """
    last = tree / LAST
    if not last.exists():
        return last
    builds = sorted({path.resolve() for path in (tree / "build").iterdir() if path.is_dir()})
    exported = {path: found for path in builds if (found := _exported(path)) is not None}
    if not exported:
        return last
    own = kernel.symbols.keys()
    return min(exported, key=lambda path: (len(exported[path] ^ own), path != last.resolve()))


def _exported(build: Path) -> frozenset[str] | None:
    """What the kernel of a build exports; None when there is none."""
    for path in (build / name for name in _KERNELS):
        try:
            return frozenset(Segment.parse(path.read_bytes()).symbols)
        except (OSError, ValueError):
            continue
    return None


def _configuration(tree: Path, build: Path) -> tuple[str, bytes]:
    """The file that the configuration is in, and its name. Raises FileNotFoundError."""
    options = build / Path(OPTIONS).name
    if options.exists():  # an archive that was collected before
        return OPTIONS, options.read_bytes()
    makefile = tree / "Makefile"
    text = makefile.read_text(errors="replace") if makefile.exists() else ""
    defines, language = _DEFINES.search(text), _LANGUAGE.search(text)
    if not defines or not language or (build / ".config").exists():
        return f"{LAST}/.config", (build / ".config").read_bytes()
    settings: dict[str, str] = {}
    mode = build.resolve().name.partition(".")[0]
    of_mode = tree / f"conf/{mode}.mk"
    for path in (tree / "conf/base.mk", *([of_mode] if of_mode.exists() else [])):
        settings |= dict(_SETTING.findall(path.read_text(errors="replace")))
    wanted = re.findall(r"conf-(\w+)", defines[1])
    words = [language[1], *(f"-DCONF_{name}={settings.get(name, '')}" for name in wanted)]
    return OPTIONS, " ".join(words).encode() + b"\n"


def _files(tree: Path, build: Path) -> Iterator[tuple[str, Path]]:
    """The headers, each with its name in the archive."""
    folders = {name: tree / name for name in FOLDERS}
    folders[f"{LAST}/{_GENERATED}"] = build / _GENERATED
    for name, folder in folders.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in _SOURCES:
                yield f"{name}/{path.relative_to(folder)}", path
