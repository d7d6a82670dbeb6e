"""Snapshots that stay while they are needed."""

from __future__ import annotations

import pytest

from .conftest import Account, error_code


def test_a_snapshot_in_use_by_an_image_cannot_be_deleted(account: Account) -> None:
    snapshot_id = account.snapshot()
    image_id = account.image(snapshot_id)
    refused = error_code(lambda: account.ec2.delete_snapshot(SnapshotId=snapshot_id))
    assert refused == "InvalidSnapshot.InUse"
    account.ec2.deregister_image(ImageId=image_id)
    account.ec2.delete_snapshot(SnapshotId=snapshot_id)
    gone = error_code(lambda: account.ec2.describe_snapshots(SnapshotIds=[snapshot_id]))
    assert gone == "InvalidSnapshot.NotFound"


@pytest.mark.extended
def test_the_bytes_go_with_the_snapshot(account: Account) -> None:
    snapshot_id = account.snapshot()
    assert account.site.store.exists(snapshot_id)
    account.ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert not account.site.store.exists(snapshot_id)


@pytest.mark.extended
def test_snapshots_are_found_by_their_tags(account: Account) -> None:
    snapshot_id = account.snapshot()
    tags = [{"Key": "nitro:digest", "Value": "sha256:1"}]
    account.ec2.create_tags(Resources=[snapshot_id], Tags=tags)
    (found,) = account.ec2.describe_snapshots(
        Filters=[{"Name": "tag:nitro:digest", "Values": ["sha256:1"]}], OwnerIds=["self"]
    )["Snapshots"]
    assert (found["SnapshotId"], found["Tags"]) == (snapshot_id, tags)
