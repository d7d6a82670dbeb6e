"""The keys of Debian's archive: this machine's, or those of a package pinned by its hash."""

from __future__ import annotations

import io
import tarfile
from functools import partial
from pathlib import Path, PurePosixPath

from nitro.debian import fetch
from nitro.debian.package import Package
from nitro.errors import NitroError
from nitro.progress import Stage
from nitro.stored import stored

INSIDE = "/usr/share/keyrings/debian-archive-keyring.gpg"  # of the package
KEYRING = Path(INSIDE)  # of this machine
INSTALL = "sudo apt-get install debian-archive-keyring"

_POOL = "pool/main/d/debian-archive-keyring/debian-archive-keyring"
# Of trixie and of bookworm: an archive drops a version some time after the next one.
PINNED = (
    Package(
        name="debian-archive-keyring",
        version="2025.1",
        architecture="all",
        archive="debian",
        path=f"{_POOL}_2025.1_all.deb",
        size=179244,
        sha256="9ea7778e443144ca490668737a8ab22dd3e748bb99e805e22ec055abeb3c7fac",
    ),
    Package(
        name="debian-archive-keyring",
        version="2023.3+deb12u2",
        architecture="all",
        archive="debian",
        path=f"{_POOL}_2023.3+deb12u2_all.deb",
        size=178572,
        sha256="f699e2f88dca05212f2a452b58475f2993cb6993dfbafb1d0205a3291eb8b4b8",
    ),
)
_LINKS = 4  # that are followed at the most


def keyring() -> Path:
    """The file with the keys; fetched into the cache where this machine has none.

    Raises NitroError when the archive has none of the pinned packages any more.
    """
    if KEYRING.exists():
        return KEYRING
    dropped = []
    for package in PINNED:
        try:
            return stored("keyrings", f"{package.sha256}.gpg", partial(_unpack, package))
        except fetch.SupersededError:
            dropped.append(package.version)
    raise NitroError(
        f"this machine has no {KEYRING}, and Debian's archive has no debian-archive-keyring "
        f"{' or '.join(dropped)} any more",
        hint=f"install it: {INSTALL}",
    )


def _unpack(package: Package, out: Path) -> None:
    (deb,) = fetch.download([package], Stage())
    out.write_bytes(file_of(deb.read_bytes(), INSIDE))


def file_of(deb: bytes, path: str) -> bytes:
    """The content of a file that a package installs at an absolute path, links followed.

    Without dpkg. Raises NitroError for what is no package, or has no such file. The format is that
    of deb(5): an archive of ar(5) with a member data.tar, compressed.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_member(deb, b"data.tar"))) as data:
            names = {f"/{PurePosixPath(each.name)}": each for each in data}
            for _ in range(_LINKS):
                found = names.get(path)
                if found is None or not found.issym():
                    break
                path = str(PurePosixPath(path).parent / found.linkname)
            content = data.extractfile(found) if found and found.isfile() else None
            if content:
                return content.read()
    except (ValueError, OSError, EOFError, tarfile.TarError) as error:
        raise NitroError(f"not a Debian package: {error}") from None
    raise NitroError(f"no {path} in the Debian package")


def _member(archive: bytes, name: bytes) -> bytes:
    """The member whose name begins so. Raises ValueError."""
    if not archive.startswith(b"!<arch>\n"):
        raise ValueError("no archive of ar")
    place = 8
    while place + 60 <= len(archive):
        head = archive[place : place + 60]
        size = int(head[48:58])
        if size < 0 or place + 60 + size > len(archive):
            raise ValueError("a member is cut short")
        if head.startswith(name):
            return archive[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise ValueError(f"no {name.decode()}")
