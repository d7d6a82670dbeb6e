"""Compiles the ENA driver of `drivers/ena` for a Debian kernel, with Debian's own compiler.

Nothing is installed and no compiler of this machine is used. The same sources, kernel and
packages give the same bytes, so a module is compiled once and then found in the cache.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nitro.arch import X86_64, Arch
from nitro.debian import Lock, Package, Tree, Wanted, chroot, trees
from nitro.errors import InputError
from nitro.paths import cache_dir, resource
from nitro.progress import Reporter
from nitro.stored import stored

MODULE = "nitro_ena.ko"
_KIND = "modules"
_FOLDERS = ("core", "linux")
# What kbuild calls besides the compiler that a kernel's headers depend on.
_TOOLS = ("make", "dash", "coreutils", "sed", "grep", "findutils", "mawk", "perl-base")
_COMPILERS = {"bookworm": "gcc-12", "trixie": "gcc-14"}


def build_module(
    kernel_release: str,
    suite: str,
    *,
    arch: Arch = X86_64,
    lock: Lock | None = None,
    report: Reporter | None = None,
) -> Path:
    """The module `nitro_ena` for the kernel that `uname -r` calls `kernel_release`.

    `suite` is the Debian release it is of. Takes about 20 s the first time and milliseconds after
    that. Raises InputError for a kernel that is not Debian's, NitroError when a package is missing
    or the compiler fails.
    """
    report = report or Reporter()
    headers, tools = wanted(kernel_release, suite, arch)
    found = trees((headers, tools), lock=lock, report=report)
    return compile_module(kernel_release, found[headers], found[tools], report)


def wanted(kernel_release: str, suite: str, arch: Arch) -> tuple[Wanted, Wanted]:
    """The packages to compile with: the kernel's headers, and the compiler with its tools.

    Raises InputError for a kernel that is not Debian's.
    """
    return _headers(kernel_release, suite, arch), _tools(suite)


def cached(
    kernel_release: str, headers: Sequence[Package], tools: Sequence[Package]
) -> Path | None:
    """The module that an earlier build has compiled from the same sources with these packages."""
    path = cache_dir() / _KIND / _key(kernel_release, headers, tools)
    return path if path.exists() else None


def compile_module(kernel_release: str, headers: Tree, tools: Tree, report: Reporter) -> Path:
    """The module, compiled when the cache does not have it. Raises as `build_module` does."""

    def compile_to(path: Path) -> None:
        with (
            report.stage(f"compile the ENA driver for {kernel_release}"),
            tempfile.TemporaryDirectory(dir=path.parent) as scratch,
        ):
            shutil.move(_compile(Path(scratch), kernel_release, [tools, headers]), path)

    return stored(_KIND, _key(kernel_release, headers.packages, tools.packages), compile_to)


def sources() -> list[Path]:
    """The files that the module is compiled from."""
    home = resource("drivers") / "ena"
    found = (path for name in _FOLDERS for path in (home / name).rglob("*") if path.is_file())
    return [home / "Kbuild", *sorted(found)]


def _compile(folder: Path, kernel_release: str, trees: list[Tree]) -> Path:
    source = resource("drivers") / "ena"
    for name in _FOLDERS:
        shutil.copytree(source / name, folder / name)
    shutil.copy(source / "Kbuild", folder)
    # Debian finds sh and awk through links that its maintainer scripts make.
    setup = "ln -sf dash /usr/bin/sh; ln -sf mawk /usr/bin/awk; "
    build = f"make -s -j2 -C /usr/src/linux-headers-{kernel_release} M={chroot.WORK} "
    build += "CONFIG_DEBUG_INFO_BTF_MODULES= modules"  # type information that nobody reads
    strip = f"objcopy --strip-debug {chroot.WORK}/{MODULE}"
    environment = {"KBUILD_BUILD_TIMESTAMP": "1970-01-01", "KBUILD_BUILD_USER": "nitro"}
    environment |= {"KBUILD_BUILD_HOST": "nitro", "KBUILD_MODPOST_WARN": "0"}
    command = ["dash", "-ec", setup + build + "; " + strip]
    chroot.run(trees, command, folder, environment=environment)
    return folder / MODULE


def _headers(release: str, suite: str, arch: Arch) -> Wanted:
    """The headers' own packages; what they depend on besides (a kernel image) is not needed."""
    match = re.fullmatch(rf"((\d+\.\d+)\.\d+\S*?)-cloud-{arch.debian}", release)
    if not match or suite not in _COMPILERS:
        raise InputError(
            f"no headers are known for kernel {release} of Debian {suite}",
            hint="use one of Debian's cloud kernels, or the kernel's driver",
        )
    version, series = match.groups()
    kbuild = f"linux-kbuild-{series if suite == 'bookworm' else version}"
    names = (f"linux-headers-{release}", f"linux-headers-{version}-common", kbuild)
    return Wanted(names, suite, closure=False, arch=arch)


def _tools(suite: str) -> Wanted:
    libraries = ("libelf1",) if suite == "bookworm" else ("libelf1t64", "libdw1t64")
    return Wanted((_COMPILERS[suite], "binutils", *_TOOLS, *libraries), suite)


def _key(release: str, *packages: Sequence[Package]) -> str:
    """Names the module by everything that goes into it."""
    content = hashlib.sha256(f"{release} {chroot.WORK}".encode())
    for path in (*sources(), Path(__file__)):
        content.update(f"\n{path.name} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    for one in packages:
        content.update("\n".join(package.sha256 for package in one).encode())
    return f"{content.hexdigest()[:24]}.ko"
