"""Which packages of a tree an image has files of: a tree also holds what only came along."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from nitro.debian import Package, Tree
from nitro.debian.fetch import fetch
from nitro.errors import NitroError
from nitro.image.cache import stored
from nitro.progress import Reporter


def of(tree: Tree, files: Iterable[Path], report: Reporter) -> list[Package]:
    """The packages of `tree` that any of `files` belongs to."""
    wanted = {path.resolve() for path in files}
    found = []
    for package, deb in zip(tree.packages, fetch(tree.packages, report), strict=True):
        listing = stored("contents", package.sha256, partial(_list, deb)).read_text()
        if any((tree.root / name).resolve() in wanted for name in listing.splitlines()):
            found.append(package)
    return found


def _list(deb: Path, target: Path) -> None:
    with (
        subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE
        ) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        names = [member.name for member in archive if member.isfile()]
    if process.returncode:
        raise NitroError(f"{deb.name} is not a Debian package")
    target.write_text("\n".join(names))
