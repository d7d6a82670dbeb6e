"""Snapshots: found by the digest of their disk, waited for, tagged, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro.cloud import tags, wait
from nitro.cloud.errors import ApiError, ignoring, missing
from nitro.cloud.session import Cloud
from nitro.errors import NitroError
from nitro.progress import Stage

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SnapshotTypeDef


def find(cloud: Cloud, digest: str) -> str | None:
    """A finished snapshot that was compared with the disk of this digest, and found equal.

    One that its run will remove, because that is ephemeral, does not count.
    """
    pages = cloud.ec2.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"], Filters=tags.by(digest=digest)
    )
    ids = [
        found["SnapshotId"]
        for page in pages
        for found in page["Snapshots"]
        if found["State"] == "completed" and tags.EPHEMERAL not in tags.from_list(found.get("Tags"))
    ]
    return min(ids, default=None)


def exists(cloud: Cloud, snapshot_id: str) -> bool:
    try:
        return bool(cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"])
    except ApiError as error:
        if error.absent:
            return False
        raise


def started_by(cloud: Cloud, token: str) -> list[str]:
    """Ids of the snapshots that StartSnapshot made for a token of ours."""
    pages = cloud.ec2.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"], Filters=[{"Name": f"tag:{tags.WRITE}", "Values": [token]}]
    )
    return [found["SnapshotId"] for page in pages for found in page["Snapshots"]]


def state(cloud: Cloud, snapshot_id: str) -> str:
    """`pending`, `completed` or `error`. Raises ApiError when there is no such snapshot."""
    return _describe(cloud, snapshot_id)["State"]


def wait_completed(cloud: Cloud, snapshot_id: str, stage: Stage, deadline: float) -> None:
    """Raises NitroError when the snapshot fails or the deadline (seconds) passes."""
    wait.until(
        cloud,
        lambda: _is_completed(cloud, snapshot_id),
        what=f"snapshot {snapshot_id}",
        deadline=deadline,
        stage=stage,
        new=True,
    )


def tag_snapshot(cloud: Cloud, snapshot_id: str, tag_map: tags.Tags) -> None:
    """Tag a snapshot: ImportSnapshot itself cannot."""
    cloud.ec2.create_tags(Resources=[snapshot_id], Tags=tags.as_list(tag_map))


def remove(cloud: Cloud, snapshot_id: str) -> None:
    """Remove a snapshot; one that an image still uses stays."""
    with ignoring("absent", "InvalidSnapshot.InUse"):
        cloud.ec2.delete_snapshot(SnapshotId=snapshot_id)


def _is_completed(cloud: Cloud, snapshot_id: str) -> bool | None:
    described = _describe(cloud, snapshot_id)
    if described["State"] == "error":
        reason = described.get("StateMessage", "no reason given")
        raise NitroError(f"the snapshot {snapshot_id} failed: {reason}")
    return described["State"] == "completed" or None


def _describe(cloud: Cloud, snapshot_id: str) -> SnapshotTypeDef:
    found = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    if not found:
        raise missing(f"snapshot {snapshot_id}")
    return found[0]
