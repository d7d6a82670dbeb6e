"""Which packages of a tree an image has files of: a tree also holds what only came along."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from nitro.debian import Package, Tree
from nitro.debian.fetch import download
from nitro.errors import NitroError
from nitro.progress import Stage
from nitro.stored import stored


def packages_owning(tree: Tree, files: Iterable[Path]) -> list[Package]:
    """The packages of `tree` that any of `files` belongs to."""
    wanted = {path.resolve() for path in files}
    found = []
    for package in tree.packages:
        listing = stored("contents", package.sha256, partial(_list, package)).read_text()
        if any((tree.root / name).resolve() in wanted for name in listing.splitlines()):
            found.append(package)
    return found


def _list(package: Package, target: Path) -> None:
    [deb] = download([package], Stage())
    with (
        subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", "--", str(deb)], stdout=subprocess.PIPE
        ) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        names = [member.name for member in archive if member.isfile()]
    if process.returncode:
        raise NitroError(f"{deb.name} is not a Debian package")
    target.write_text("\n".join(names))
