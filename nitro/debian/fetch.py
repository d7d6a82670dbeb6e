"""Downloads packages into the cache, each checked against the SHA-256 of its metadata."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

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
    missing = [p for p in packages if not _file(folder, p).exists()]
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
            capture_output=True,
            text=True,
            check=False,
        )
        for package in batch:
            target = Path(scratch) / package.sha256
            if not target.exists():
                _explain(package, done.stderr)
            with target.open("rb") as deb:
                if hashlib.file_digest(deb, "sha256").hexdigest() != package.sha256:
                    raise NitroError(f"{package.path}: differs from what Debian signed")
            target.rename(_file(folder, package))


def _explain(package: Package, reason: str) -> None:
    what = f"{package.name} {package.version}"
    if " 404 " in reason:
        raise SupersededError(package, f"{what} is no longer in Debian's archive")
    lines = [line for line in reason.splitlines() if line.startswith(("E:", "Err:"))]
    raise NitroError(
        f"could not download {what}: {lines[-1] if lines else 'apt gave no reason'}",
        hint="check that this machine reaches its Debian mirror (apt-get update)",
    )


def _address(package: Package) -> str:
    known = archives()
    if package.archive not in known:
        raise SupersededError(
            package,
            f"{package.name} {package.version} comes from {package.archive}, "
            "which this machine's apt does not name",
        )
    return f"{known[package.archive]}/{package.path}"


def _file(folder: Path, package: Package) -> Path:
    return folder / f"{package.name}_{package.sha256[:16]}.deb"
