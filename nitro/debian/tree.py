"""Packages unpacked side by side, and programs started from there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nitro.arch import X86_64, Arch
from nitro.debian.apt import AptRoot
from nitro.debian.fetch import SupersededError, fetch
from nitro.debian.lock import Lock, default_lock
from nitro.debian.package import Package, Wanted
from nitro.errors import NitroError
from nitro.paths import cache_dir
from nitro.progress import Reporter

_BINARIES = ("usr/bin", "usr/sbin", "usr/libexec", "usr/games")


@dataclass(frozen=True)
class Tree:
    """Unpacked packages, with the links of a merged /usr. Read-only by agreement."""

    root: Path
    packages: tuple[Package, ...]
    arch: Arch = X86_64

    def path(self, inside: str) -> Path:
        """The file that the packages install at the absolute path `inside`.

        Symbolic links are followed within the tree. Raises NitroError when there is none.
        """
        found = self._follow(inside)
        if not found.exists():
            names = ", ".join(package.name for package in self.packages[:3])
            raise NitroError(f"no {inside} in the Debian packages {names}…")
        return found

    def program(self, name: str) -> list[str]:
        """The start of a command line that runs a program with the tree's own libraries."""
        for folder in _BINARIES:
            found = self._follow(f"/{folder}/{name}")
            if found.is_file():
                loader = self._follow(f"/usr{self.arch.loader}")
                if not loader.exists():  # a tree without libc can only hold static programs
                    return [str(found)]
                folders = (f"usr/lib/{self.arch.triplet}", "usr/lib")
                libraries = ":".join(str(self.root / folder) for folder in folders)
                return [str(loader), "--library-path", libraries, str(found)]
        raise NitroError(f"no program {name} in the Debian packages")

    def _follow(self, inside: str) -> Path:
        path = self.root / inside.lstrip("/")
        for _ in range(16):
            if not path.is_symlink():
                break
            target = path.readlink()
            path = (
                self.root / str(target).lstrip("/")
                if target.is_absolute()
                else path.parent / target
            )
        return path


def tree(wanted: Wanted, *, lock: Lock | None = None, report: Reporter | None = None) -> Tree:
    """`wanted` resolved (or as pinned by `lock`), downloaded, verified and unpacked.

    The tree lies in the cache, named by its content; a second call costs a few milliseconds.

    Raises InputError for unknown packages, NitroError when the archive is out of reach or a
    frozen lock lacks the set or names versions that the archive has dropped.
    """
    lock = lock or default_lock()
    report = report or Reporter()
    packages = lock.get(wanted)
    if packages is None:
        packages = _resolve(wanted, lock, report)
    root = _root(packages)
    if not root.is_dir():
        try:
            debs = fetch(packages, report)
        except SupersededError as gone:
            report.note(
                f"{gone.what}: resolving {' '.join(wanted.names)} anew; digests will differ"
            )
            packages = _resolve(wanted, lock, report)
            root = _root(packages)
            debs = fetch(packages, report)
        if not root.is_dir():
            _unpack(debs, root, report)
    return Tree(root, packages, wanted.arch)


def _resolve(wanted: Wanted, lock: Lock, report: Reporter) -> tuple[Package, ...]:
    if lock.frozen:
        raise NitroError(
            f"{lock.path} does not pin what Debian has now for: {wanted.key}",
            hint="build without --locked to pin it anew",
        )
    with report.stage(f"resolve {' '.join(wanted.names)} in Debian {wanted.suite}"):
        packages = AptRoot.open(wanted.suite, wanted.arch).resolve(wanted)
    lock.put(wanted, packages)
    return packages


def _root(packages: Sequence[Package]) -> Path:
    content = hashlib.sha256("\n".join(p.sha256 for p in packages).encode()).hexdigest()
    return cache_dir() / "trees" / content[:24]


def _unpack(debs: Sequence[Path], root: Path, report: Reporter) -> None:
    root.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=root.parent))
    try:
        for folder in ("bin", "sbin", "lib", "lib64"):
            (scratch / "usr" / folder).mkdir(parents=True)
            (scratch / folder).symlink_to(f"usr/{folder}")
        with (
            report.stage(f"unpack {len(debs)} Debian packages") as stage,
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            jobs = pool.map(lambda deb: _extract(deb, scratch), debs)
            for done, _ in enumerate(jobs, 1):
                stage.progress(done, len(debs), "packages")
        scratch.chmod(0o755)
        try:
            scratch.rename(root)
        except OSError:  # another process was first: its tree has the same content
            if not root.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _extract(deb: Path, into: Path) -> None:
    # tar rather than `dpkg-deb -x`: a package that ships /lib must not replace the link.
    stream = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
    unpack = subprocess.run(
        [
            "tar",
            "--extract",
            "--keep-directory-symlink",
            "--no-same-owner",
            "--directory",
            str(into),
        ],
        stdin=stream.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    if stream.stdout:
        stream.stdout.close()
    if stream.wait() or unpack.returncode:
        raise NitroError(f"could not unpack {deb.name}: {unpack.stderr.strip()}")
