"""A release manifest: what was published where, with the checksum of every block.

It is all that `verify` and `rollback` need, and holds nothing of the machine that published.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nitro import input_file
from nitro.documents.releases import RELEASE_SCHEMA, ReleaseDocument
from nitro.errors import InputError, NitroError
from nitro.publish.publication import Publication
from nitro.publish.source import BLOCK_SIZE
from nitro.replacing import replacing

_LARGEST = 256 << 20  # bytes of a manifest: a disk of 1 TiB has 150 MB of checksums


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read. `blocks` has the SHA-256 of each block by its index."""

    document: ReleaseDocument
    blocks: Mapping[int, bytes]

    @property
    def name(self) -> str:
        return self.document["name"]


def of_publication(publication: Publication, account: str) -> ReleaseDocument:
    """Raises NitroError for one that a region lacks: a manifest is of the whole release."""
    release, disk = publication.release, publication.release.source.disk
    if missing := [outcome.region for outcome in publication.outcomes if outcome.ami is None]:
        raise NitroError(
            f"no manifest, because {', '.join(missing)} lacks the AMI", hint="publish again"
        )
    share = release.settings.share
    return {
        "schema": RELEASE_SCHEMA,
        "name": release.name,
        "account": account,
        "digest": release.digest,
        "size_bytes": disk.size_bytes,
        "architecture": disk.architecture,
        "boot_mode": disk.boot_mode,
        "tags": release.tag_map,
        "parameter": release.parameter,
        "share": {
            "accounts": sorted(share.accounts),
            "organizations": sorted(share.organizations),
            "units": sorted(share.units),
            "public": share.public,
        },
        "regions": [
            {
                "region": outcome.region,
                "ami": outcome.ami.id,
                "snapshot": outcome.ami.snapshot_id,
                "created": outcome.ami.created.astimezone(UTC).isoformat(),
            }
            for outcome in publication.outcomes
            if outcome.ami
        ],
        "block_size": BLOCK_SIZE,
        "blocks": {
            str(index): base64.b64encode(digest).decode()
            for index, digest in sorted(release.source.blocks.items())
        },
    }


def write(path: Path, document: ReleaseDocument) -> None:
    """Whole or not at all. Raises NitroError."""
    write_text(path, f"{json.dumps(document, indent=1)}\n")


def write_text(path: Path, text: str) -> None:
    """A manifest's text, or its signature's, whole or not at all. Raises NitroError."""
    try:
        with replacing(path) as fresh:
            fresh.write_text(text)
    except OSError as error:
        raise NitroError(
            f"the release is published, but {path} could not be written: {error.strerror}",
            hint="run the command again, with another file: it then only writes that",
        ) from None


def read(path: Path) -> Manifest:
    """Raises InputError for what is not a manifest of a release."""
    try:
        raw: Any = json.loads(input_file.read(path, _LARGEST))
        document = TypeAdapter(ReleaseDocument).validate_python(raw)
        blocks = {
            int(index): base64.b64decode(text, validate=True)
            for index, text in document["blocks"].items()
        }
    except (ValueError, RecursionError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(
            f"{path} is not a release manifest: {why}", hint="`nitro publish --manifest` writes one"
        ) from None
    if document["block_size"] != BLOCK_SIZE or not document["regions"]:
        raise InputError(f"{path} is not a manifest that this version of nitro can use")
    return Manifest(document, blocks)
