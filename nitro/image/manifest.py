"""What an image was made of: a manifest, and a bill of materials in CycloneDX 1.6.

Neither holds a time or a name of the machine that built the image, so both are the same on
every machine, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nitro import __version__
from nitro.debian import Package
from nitro.image.digests import Digests
from nitro.image.rootfs import Rootfs

VERSION = 1


def digest(path: Path) -> str:
    """`sha256:…` of the whole disk."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def inputs(rootfs: Rootfs) -> list[dict[str, Any]]:
    """Every file of the guest: path, size, SHA-256, where it came from."""
    known = Digests()
    found = [
        {
            "path": path,
            "size": node.size,
            "sha256": node.sha256(known.sha256),
            "origin": node.origin,
        }
        for path, node in sorted(rootfs.nodes.items())
        if node.source is not None
    ]
    known.keep()
    return found


def packages(found: Iterable[Package]) -> list[dict[str, Any]]:
    return [
        {
            "name": package.name,
            "version": package.version,
            "architecture": package.architecture,
            "sha256": package.sha256,
        }
        for package in sorted(set(found))
    ]


def bill_of_materials(
    name: str, suite: str, found: Iterable[Package], rootfs: Rootfs
) -> dict[str, Any]:
    """CycloneDX: Debian's packages, and as files what came from elsewhere."""
    components: list[dict[str, Any]] = [
        {
            "type": "library",
            "bom-ref": f"deb:{package.name}",
            "name": package.name,
            "version": package.version,
            "purl": (
                f"pkg:deb/debian/{package.name}@{package.version}"
                f"?arch={package.architecture}&distro={suite}"
            ),
            "hashes": [{"alg": "SHA-256", "content": package.sha256}],
        }
        for package in sorted(set(found))
    ]
    components += [
        {
            "type": "file",
            "bom-ref": f"file:{path}",
            "name": path,
            "hashes": [{"alg": "SHA-256", "content": node.sha256()}],
        }
        for path, node in sorted(rootfs.nodes.items())
        if node.layer == "program" and node.source is not None
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "operating-system", "bom-ref": "image", "name": name},
            "tools": {
                "components": [{"type": "application", "name": "nitro", "version": __version__}]
            },
        },
        "components": components,
    }
