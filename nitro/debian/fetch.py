"""Downloads packages into the cache, each checked against the SHA-256 of its metadata."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from nitro import space
from nitro.cache import touch
from nitro.debian.mirror import archives
from nitro.debian.package import Package
from nitro.errors import NitroError
from nitro.paths import cache_dir
from nitro.progress import Stage

# apt's own downloader: it follows the machine's proxy and certificate settings.
_HELPER = "/usr/lib/apt/apt-helper"
_BATCH = 16
_PARALLEL = 2


class SupersededError(NitroError):
    """The archive no longer has the pinned version `package`."""

    def __init__(self, package: Package, what: str) -> None:
        super().__init__(what)
        self.package = package


def download(packages: Sequence[Package], stage: Stage) -> list[Path]:
    """The packages' files, in order, downloaded where the cache lacks them.

    Raises SupersededError when the archive has dropped one, NitroError when it is out of reach.
    """
    folder = cache_dir() / "debs"
    folder.mkdir(exist_ok=True)
    missing = [p for p in packages if not touch(_file(folder, p)).exists()]
    batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
    total, done = sum(package.size for package in missing), 0
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for batch, _ in zip(batches, pool.map(partial(_download, folder), batches), strict=True):
            done += sum(package.size for package in batch)
            stage.progress(done, total)
    return [_file(folder, package) for package in packages]


def _download(folder: Path, batch: Sequence[Package]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        request: list[str] = []
        for package in batch:
            target = Path(scratch) / package.sha256
            request += [_address(package), str(target), f"SHA256:{package.sha256}"]
        done = subprocess.run(
            [_HELPER, "-o", "APT::Sandbox::User=root", "download-file", "--", *request],
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        for package in batch:
            target = Path(scratch) / package.sha256
            if not _is_whole(target, package):
                raise _failure(package, folder, done)
            target.rename(_file(folder, package))


def _is_whole(path: Path, package: Package) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as deb:
        return hashlib.file_digest(deb, "sha256").hexdigest() == package.sha256


def _failure(package: Package, folder: Path, done: subprocess.CompletedProcess[str]) -> NitroError:
    """Why a package did not arrive whole, in the words of apt's downloader."""
    what = f"{package.name} {package.version}"
    if space.says_full(done.stderr):
        return space.full(folder)
    if " 404 " in done.stderr:
        return SupersededError(package, f"{what} is no longer in Debian's archive")
    if done.returncode == 0:
        return NitroError(f"{package.path}: differs from what Debian signed")
    # The first error is the cause; others say that it failed.
    errors = (line for line in done.stderr.splitlines() if line.startswith(("E:", "Err:")))
    return NitroError(
        f"could not download {what}: {next(errors, 'apt gave no reason')}",
        hint="check that this machine reaches its Debian mirror (apt-get update)",
    )


def _address(package: Package) -> str:
    known = archives()
    if package.archive not in known:
        raise SupersededError(
            package,
            f"{package.name} {package.version} comes from {package.archive}, "
            "which neither NITRO_DEBIAN_MIRROR nor this machine's apt names",
        )
    return f"{known[package.archive]}/{package.path}"


def _file(folder: Path, package: Package) -> Path:
    return folder / f"{package.name}_{package.sha256[:16]}.deb"
