"""Compiles the ENA driver of `drivers/ena` for one OSv kernel, with Debian's compiler.

A module fits one version and configuration of OSv. The same sources, headers and packages give the
same bytes, so it is compiled once and then found in the cache.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nitro.arch import X86_64
from nitro.debian import Package, Tree, Wanted, chroot
from nitro.errors import NitroError
from nitro.image.osv import headers
from nitro.paths import cache_dir, resource
from nitro.progress import Reporter
from nitro.stored import stored

MODULE = "nitro_ena.so"
FOLDER = "/usr/lib/fs"
"""OSv opens each shared object in this folder before it starts its network."""
OPENED = FOLDER.encode() + b"\0"
"""What a kernel that does so has in its data."""
PATH = f"{FOLDER}/{MODULE}"

#: OSv's own builds are made with this compiler, and C++'s ABI is that of its headers, too
COMPILER = Wanted(("g++-12", "libboost-dev", "dash"), "bookworm")

_KIND = "osv-modules"
_FOLDERS = ("core", "osv")
_COMMON = "-O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -fno-stack-protector"
# As OSv compiles modules of its own: conf/base.mk and the Makefile. The configuration is in headers
# since OSv has kconfig, and in options before.
_INCLUDES = (
    *("-Iarch/x64", "-I.", "-Iinclude", "-Iarch/common", "-isystem include/glibc-compat"),
    *("-isystem external/x64/acpica/source/include", "-isystem /usr/include/c++/12"),
    *(f"-isystem /usr/include/{X86_64.triplet}/c++/12", "-isystem /usr/include/c++/12/backward"),
    *("-isystem include/api", "-isystem include/api/x64", "-isystem build/last/gen/include"),
    *("-isystem bsd/sys", "-isystem bsd/", "-isystem bsd/x64"),
)
_DEFINES = (
    *("-D__BSD_VISIBLE=1", "-U_FORTIFY_SOURCE", "-D_KERNEL", "-D_GNU_SOURCE", "-D__OSV__"),
    *("-DHAVE_ATTR_COLD_LABEL", "-DNDEBUG", "-DACPI_MACHINE_WIDTH=64", "-DACPI_USE_LOCAL_CACHE"),
    *("-D__XEN_INTERFACE_VERSION__=0x00030207", f"-DARCH_STRING={X86_64.ec2}"),
    "-include compiler/include/intrinsics.hh",
)
# Both folders have a tx.c and an rx.c of their own.
_SCRIPT = f"""
cd {chroot.WORK}/objects
gcc-12 -std=c11 {_COMMON} -fno-asynchronous-unwind-tables -c {chroot.WORK}/core/*.c
cd {chroot.WORK}/headers
options=
if [ -e {headers.OPTIONS} ]; then options=@{headers.OPTIONS}; fi
g++-12 -std=gnu++14 {_COMMON} -fvisibility-inlines-hidden -fno-omit-frame-pointer -msse2 \\
    -Wno-pointer-arith {" ".join(_INCLUDES)} {" ".join(_DEFINES)} $options -c {chroot.WORK}/osv/*.cc
g++-12 -shared -nodefaultlibs -s -Wl,-z,now,--gc-sections -Wl,-soname,{MODULE} \\
    -o {chroot.WORK}/{MODULE} *.o {chroot.WORK}/objects/*.o
"""


def cached(archive: Path, packages: Sequence[Package]) -> Path | None:
    """The module that an earlier build has compiled from the same headers with these packages."""
    path = cache_dir() / _KIND / _key(archive, packages)
    return path if path.exists() else None


def compile_module(archive: Path, version: str, tools: Tree, report: Reporter) -> Path:
    """The module for the kernel whose headers are in `archive`, compiled or from the cache.

    Raises NitroError when the compiler fails.
    """

    def compile_to(path: Path) -> None:
        with (
            report.stage(f"compile the ENA driver for OSv {version}"),
            tempfile.TemporaryDirectory(dir=path.parent) as scratch,
        ):
            try:
                module = _compile(Path(scratch), archive, tools)
            except NitroError as error:
                raise NitroError(
                    f"the ENA driver does not compile for OSv {version}: {error.what}",
                    hint=error.hint or "it is for v0.57.0 and later",
                ) from None
            shutil.move(module, path)

    return stored(_KIND, _key(archive, tools.packages), compile_to)


def sources() -> list[Path]:
    """The files that the module is compiled from."""
    home = resource("drivers") / "ena"
    return sorted(path for name in _FOLDERS for path in (home / name).rglob("*") if path.is_file())


def _compile(folder: Path, archive: Path, tools: Tree) -> Path:
    for name in _FOLDERS:
        shutil.copytree(resource("drivers") / "ena" / name, folder / name)
    (folder / "objects").mkdir()
    with tarfile.open(archive) as packed:
        headers.unpack(packed, folder / "headers")
    chroot.run([tools], ["dash", "-ec", _SCRIPT], folder)
    return folder / MODULE


def _key(archive: Path, packages: Sequence[Package]) -> str:
    """Names the module by everything that goes into it."""
    content = hashlib.sha256(archive.read_bytes())
    for path in (*sources(), Path(__file__)):
        content.update(f"\n{path.name} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    content.update("\n".join(package.sha256 for package in packages).encode())
    return f"{content.hexdigest()[:24]}.so"
