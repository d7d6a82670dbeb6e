"""What `nitro publish` was given: a recipe, an image that was built, or anybody's disk."""

from __future__ import annotations

import getpass
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nitro import __version__
from nitro.arch import REGISTERED
from nitro.cli import recipe_arg
from nitro.errors import InputError
from nitro.progress import Reporter

if TYPE_CHECKING:
    from nitro.image import Image
    from nitro.publish.source import Source

# Where a CI says which revision it has checked out.
_OF_CI = ("GITHUB_SHA", "CI_COMMIT_SHA", "CODEBUILD_RESOLVED_SOURCE_VERSION")


def find(
    what: str,
    *,
    name: str | None,
    architecture: str | None,
    boot_mode: str | None,
    revision: str | None,
    locked: bool,
    report: Reporter,
) -> Source:
    """The disk, hashed; a recipe is built first. Raises InputError for what is neither."""
    from nitro.publish import source

    if architecture or boot_mode:
        if not (name and architecture and boot_mode):
            raise InputError(
                f"{what}: a raw disk needs --name, --arch and --boot-mode", hint="give all three"
            )
        with report.stage("hash") as stage:
            return source.of_raw_disk(
                Path(what),
                name=name,
                architecture=architecture,
                boot_mode=boot_mode,
                stage=stage,
            )
    from nitro.cloud import DiskImage

    built = _image(what, locked=locked, report=report)
    disk = DiskImage(
        built.path,
        built.digest,
        built.size_bytes,
        name or built.name,
        architecture=built.architecture,
        boot_mode=built.boot_mode,
        minimum_memory_mib=built.minimum_memory_mib,
        description=built.description,
        tags=built.tags,
        ports=tuple(built.ports),
        processors=built.processors,
    )
    provenance = source.Provenance(
        revision or _revision(Path(what)), __version__, _hash(built.bill_of_materials)
    )
    with report.stage("hash") as stage:
        return source.of_image(disk, provenance, stage)


def password() -> str | None:
    """The password of a signing key: from the environment, else asked for on a terminal."""
    given = os.environ.get("NITRO_SIGN_PASSWORD")
    if given is None and sys.stdin.isatty():
        given = getpass.getpass("password of the signing key: ")
    return given


def _image(what: str, *, locked: bool, report: Reporter) -> Image:
    """A built image by its disk, manifest or folder; else the image of a recipe."""
    from nitro import image
    from nitro.image import build_cache

    path = Path(what)
    manifest = (path if path.is_dir() else path.parent) / build_cache.MANIFEST
    names_image = path.is_dir() or path.name in (build_cache.MANIFEST, build_cache.DISK)
    if names_image and manifest.is_file():
        return build_cache.read(manifest)
    if path.exists() and not path.is_dir() and path.suffix in (".raw", ".img"):
        raise InputError(
            f"{what}: a raw disk without a manifest needs --name, --arch and --boot-mode",
            hint=f"such as --name web --arch {REGISTERED[0]} --boot-mode uefi",
        )
    known = None if recipe_arg.names_ami(what) else image.known(what)
    return known or image.build(recipe_arg.find(what), report=report, locked=locked)


def _revision(path: Path) -> str:
    """What the CI, or git in the recipe's folder, calls the source; "" where neither says."""
    for name in _OF_CI:
        if value := os.environ.get(name):
            return value
    folder = path.resolve().parent
    words = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run([*words, "--exclude=*"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
