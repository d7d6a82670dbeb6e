"""Snapshots, images, launch templates and settings that outlive the process, region by region.

The bytes are in the block store; a snapshot without its disk is dropped when read back.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from nitro.local.aws import kept, launch_templates
from nitro.local.aws.encryption import Encryption
from nitro.local.aws.images import LocalImage, Registration
from nitro.local.aws.snapshots import NO_VOLUME, DiskSnapshot

#: of the account in a region: attributes of the backend
_SETTINGS = (
    "ebs_encryption_by_default",
    "ebs_default_key",
    "image_public_access",
    "snapshot_public_access",
)

_log = logging.getLogger(__name__)


def save(backend: Any) -> None:
    """Write the region's file if anything in it has changed."""
    path = kept.path_of(backend)
    if path is None:
        return
    snapshots = [s for s in backend.snapshots.values() if not getattr(s, "open_for_writing", True)]
    document = {
        "snapshots": _entries(backend, snapshots, _snapshot_entry),
        "images": _entries(backend, backend.amis.values(), _image_entry),
        "launch_templates": _entries(
            backend, backend.launch_templates.values(), launch_templates.entry
        ),
        "settings": {name: getattr(backend, name) for name in _SETTINGS},
    }
    kept.write(backend, path, document)


def restore(backend: Any) -> None:
    """Put what the region's file holds into the backend.

    A record that cannot be read is left out and logged; a file that is none is put aside, as
    `.broken`, for the next one not to overwrite it.
    """
    path = kept.path_of(backend)
    held = kept.read(path, ("snapshots", "images"))
    if not held:
        return
    kinds: list[tuple[Any, Callable[..., None]]] = [
        (held.get("snapshots", ()), _restore_snapshot),
        (held.get("images", ()), _restore_image),
        (held.get("launch_templates", ()), launch_templates.restore),
    ]
    settings = held.get("settings")
    for name in _SETTINGS:
        if isinstance(settings, dict) and name in settings:
            setattr(backend, name, settings[name])
    for entries, restore_one in kinds:
        for entry in entries if isinstance(entries, list) else ():
            try:
                restore_one(backend, entry)
            except (AttributeError, LookupError, TypeError, ValueError):
                _log.exception("%s: a record is left out", path)


def _restore_snapshot(backend: Any, entry: dict[str, Any]) -> None:
    if not backend.site.store.exists(entry["id"]):
        return
    snapshot = DiskSnapshot(
        backend,
        entry["id"],
        size_gib=entry["size_gib"],
        description=entry["description"],
        started=datetime.fromisoformat(entry["started"]),
        encryption=Encryption(entry.get("kms_key"), entry.get("failure", "")),
        volume_id=entry.get("volume", NO_VOLUME),
    )
    snapshot.create_volume_permission_userids.update(entry.get("users", []))
    snapshot.create_volume_permission_groups.update(entry.get("groups", []))
    snapshot.written.update(entry.get("written", []))
    snapshot.parent_id = entry.get("parent")
    snapshot.add_tags(entry["tags"])
    backend.add_snapshot(snapshot)


def _restore_image(backend: Any, entry: dict[str, Any]) -> None:
    image = LocalImage(
        backend,
        entry["id"],
        Registration(**entry["registration"]),
        created=datetime.fromisoformat(entry["created"]),
        source=tuple(entry["source"]) if entry.get("source") else None,
    )
    if all(snapshot_id in backend.snapshots for snapshot_id in image.snapshot_ids):
        image.launch_permissions = entry.get("launch_permissions", [])
        image.state = entry.get("state", "available")
        if deprecated_at := entry.get("deprecated_at"):
            image.deprecated_at = datetime.fromisoformat(deprecated_at)
        if protection := entry.get("protection"):
            image.protection.enable(with_cooldown=protection == "enabled-with-cooldown")
        image.add_tags(entry["tags"])
        backend.amis[image.id] = image


def _entries(
    backend: Any, resources: Iterable[Any], describe: Callable[[Any], dict[str, Any]]
) -> list[dict[str, Any]]:
    """What is written of each resource; one that cannot be described is left out and logged."""
    entries = []
    for resource in resources:
        try:
            tags = dict(backend.tags.get(resource.id, {}))
            entry = {"id": resource.id, **describe(resource), "tags": tags}
            json.dumps(entry)
        except (AttributeError, TypeError, ValueError):
            _log.exception("%s is not archived", resource.id)
        else:
            entries.append(entry)
    return entries


def _snapshot_entry(snapshot: Any) -> dict[str, Any]:
    return {
        "size_gib": snapshot.volume_size,
        "volume": snapshot.volume_id,
        "description": snapshot.description,
        "started": snapshot.start_time.isoformat(),
        "users": sorted(snapshot.create_volume_permission_userids),
        "groups": sorted(snapshot.create_volume_permission_groups),
        "written": sorted(snapshot.written),
        "parent": snapshot.parent_id,
        "kms_key": snapshot.encryption.key_arn,
        "failure": snapshot.encryption.failure,
    }


def _image_entry(image: Any) -> dict[str, Any]:
    return {
        "created": image.creation_date.isoformat(),
        "registration": image.registration.as_dict(),
        "launch_permissions": image.launch_permissions,
        "state": "disabled" if image.state == "disabled" else "available",
        "deprecated_at": image.deprecated_at and image.deprecated_at.isoformat(),
        "protection": image.deregistration_protection if image.protection.enabled else "",
        "source": image.source_image_id and [image.source_image_id, image.source_image_region],
    }


def regions(index: Path) -> list[tuple[str, str]]:
    """(account, region) of each file in the folder."""
    return [(account, region) for account, _, region in map(_parts, index.glob("*.json"))]


def _parts(path: Path) -> tuple[str, str, str]:
    return path.stem.partition("-")
