"""Snapshots written through the EBS direct API: started, adopted, completed, tagged."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Keep, Published, Undo, direct, publish, snapshot, tags
from nitro.cloud.direct import Written, write_snapshot
from nitro.cloud.disk import BLOCK_SIZE
from nitro.cloud.publish import Via
from nitro.errors import NitroError, RefusedError
from nitro.local.aws import Site
from nitro.progress import Reporter
from tests.cloud.conftest import (
    NOTHING,
    RUN,
    after,
    connect,
    everything,
    make_disk,
    recorded,
    refuse,
)
from tests.heard import Heard


def write(cloud: Cloud, disk: DiskImage, **options: Any) -> Written:
    with Undo(sleep=cloud.sleep) as undo, Reporter().stage("") as stage:
        return write_snapshot(cloud, disk, RUN, undo, stage, **options)


def publish_direct(
    cloud: Cloud,
    disk: DiskImage,
    via: Via = Via.EBS,
    report: Reporter | None = None,
    **options: Any,
) -> Published:
    with Undo(sleep=cloud.sleep, **options) as undo:
        return publish(cloud, disk, undo, via=via, report=report)


def changed(disk: DiskImage, at: int, content: bytes = b"changed") -> DiskImage:
    """The disk with other bytes at an offset, as another build of the same recipe."""
    other = disk.path.with_name(f"changed-{at}.raw")
    other.write_bytes(disk.path.read_bytes())
    with other.open("r+b") as file:
        os.pwrite(file.fileno(), content, at)
    return replace(disk, path=other, digest=f"sha256:{at:064x}", size_bytes=other.stat().st_size)


def content(site: Site, snapshot_id: str, disk: DiskImage) -> bytes:
    """What a machine would read of the snapshot, as far as the disk goes."""
    blocks = (site.store.read(snapshot_id, index) for index in range(disk.blocks))
    return b"".join(blocks)[: disk.size_bytes]


def tags_of(cloud: Cloud, snapshot_id: str) -> tags.Tags:
    (found,) = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    return tags.from_list(found["Tags"])


@pytest.mark.extended
def test_the_snapshot_is_the_disk_and_no_zeros_are_sent(
    cloud: Cloud, disk: DiskImage, site: Site
) -> None:
    """700,000 bytes at the start and 300,001 from 2,700,000: blocks 0, 1 and 5."""
    written = write(cloud, disk)
    assert (written.blocks_sent, written.bytes_sent, written.parent) == (3, 3 * BLOCK_SIZE, None)
    assert content(site, written.snapshot_id, disk) == disk.path.read_bytes()
    assert tags_of(cloud, written.snapshot_id)[tags.DIGEST] == disk.digest


@pytest.mark.extended
def test_the_digest_comes_after_the_content(cloud: Cloud, disk: DiskImage) -> None:
    """Whoever finds a snapshot by its digest may rely on it."""
    calls = recorded(again := connect())
    write(again, disk)
    steps = [call.operation for call in calls if call.changes]
    assert steps == [
        "StartSnapshot",
        *["PutSnapshotBlock"] * 3,
        "CompleteSnapshot",
        "CreateTags",
    ]
    started = next(call for call in calls if call.operation == "StartSnapshot")
    assert tags.DIGEST not in tags.from_list(started.params["Tags"])
    assert tags.ours(tags.from_list(started.params["Tags"]))


@pytest.mark.extended
@pytest.mark.parametrize("recorded_in_tags", [True, False])
def test_only_what_differs_from_the_parent_is_sent(
    cloud: Cloud, disk: DiskImage, site: Site, recorded_in_tags: bool
) -> None:
    parent = write(cloud, disk)
    if not recorded_in_tags:
        kept = {key: "" for key in tags_of(cloud, parent.snapshot_id) if tags.BLOCKS in key}
        assert kept
        cloud.ec2.delete_tags(Resources=[parent.snapshot_id], Tags=[{"Key": key} for key in kept])
    other = changed(disk, 600_000)
    calls = recorded(again := connect())
    written = write(again, other)
    assert (written.blocks_sent, written.parent) == (1, parent.snapshot_id)
    assert content(site, written.snapshot_id, other) == other.path.read_bytes()
    read = [call for call in calls if call.operation == "GetSnapshotBlock"]
    assert bool(read) is not recorded_in_tags


@pytest.mark.extended
def test_what_has_become_zeros_is_sent_as_zeros(cloud: Cloud, disk: DiskImage, site: Site) -> None:
    parent = write(cloud, disk)
    other = changed(disk, 0, bytes(BLOCK_SIZE))
    written = write(cloud, other)
    assert (written.blocks_sent, written.parent) == (1, parent.snapshot_id)
    assert content(site, written.snapshot_id, other) == other.path.read_bytes()


@pytest.mark.extended
def test_a_shorter_disk_inherits_nothing_behind_its_end(
    cloud: Cloud, disk: DiskImage, site: Site
) -> None:
    write(cloud, disk)
    short = disk.path.with_name("short.raw")
    short.write_bytes(disk.path.read_bytes()[:700_000])
    written = write(cloud, replace(disk, path=short, digest=f"sha256:{1:064x}", size_bytes=700_000))
    assert written.blocks_sent == 1
    assert site.store.used(written.snapshot_id) == [0, 1]


@pytest.mark.extended
def test_a_parent_that_may_not_be_used_is_done_without(cloud: Cloud, disk: DiskImage) -> None:
    """An unencrypted one where encryption by default is on."""
    write(cloud, disk)
    other = changed(disk, 600_000)
    failures = refuse(cloud2 := connect(), "ebs.StartSnapshot", "ValidationException", times=1)
    written = write(cloud2, other)
    assert failures
    assert (written.blocks_sent, written.parent) == (3, None)


@pytest.mark.extended
def test_what_is_encrypted_by_default_is_sent_its_holes(cloud: Cloud, disk: DiskImage) -> None:
    """They would read as random data. An unencrypted snapshot can be no parent then."""
    write(cloud, disk)
    cloud.ec2.enable_ebs_encryption_by_default()
    written = write(cloud, changed(disk, 600_000))
    assert (written.blocks_sent, written.parent) == (disk.blocks, None) == (6, None)


@pytest.mark.extended
@pytest.mark.policies("publish")
def test_a_snapshot_has_the_key_that_is_asked_for(bare_cloud: Cloud, disk: DiskImage) -> None:
    """A parent has to have it, too: EBS takes no key together with a parent."""
    cloud = bare_cloud  # the policy for deployments allows no keys, that for publishing does
    key = cloud.session.client("kms").create_key()["KeyMetadata"]["Arn"]
    unencrypted = write(cloud, disk)
    first = write(cloud, changed(disk, 1), kms_key_arn=key)
    assert (first.blocks_sent, first.parent) == (6, None)
    second = write(cloud, changed(disk, 2), kms_key_arn=key)
    assert (second.blocks_sent, second.parent) == (1, first.snapshot_id)
    assert write(cloud, changed(disk, 3)).parent == unencrypted.snapshot_id
    ids = [first.snapshot_id, second.snapshot_id]
    found = cloud.ec2.describe_snapshots(SnapshotIds=ids)["Snapshots"]
    assert [raw["KmsKeyId"] for raw in found] == [key, key]


class Killed(BaseException):
    """In place of SIGKILL: nothing is cleaned up."""


def killed_at(disk: DiskImage, call: str, **options: Any) -> None:
    """A run that ends after the answer to `call`."""
    victim = connect()

    def kill() -> None:
        raise Killed

    after(victim, call, kill)
    with pytest.raises(Killed), Reporter().stage("") as stage:
        write_snapshot(victim, disk, RUN, Undo(), stage, **options)


@pytest.mark.extended
@pytest.mark.parametrize(
    "call", ["ebs.StartSnapshot", "ebs.PutSnapshotBlock", "ebs.CompleteSnapshot"]
)
def test_a_killed_run_is_gone_on_with(cloud: Cloud, disk: DiskImage, site: Site, call: str) -> None:
    killed_at(disk, call)
    (begun,) = everything(cloud)["snapshots"]
    written = write(cloud, disk)
    assert everything(cloud)["snapshots"] == [begun] == [written.snapshot_id]
    assert content(site, begun, disk) == disk.path.read_bytes()
    alone = write(connect(), changed(disk, 600_000), incremental=False)
    assert tags_of(cloud, begun).keys() == tags_of(cloud, alone.snapshot_id).keys()


@pytest.mark.extended
def test_a_snapshot_that_was_removed_is_begun_anew(
    cloud: Cloud, disk: DiskImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EBS may answer the token with the snapshot that is gone."""
    monkeypatch.setattr("nitro.cloud.visibility.VISIBLE_AFTER", 0.05)
    killed_at(disk, "ebs.StartSnapshot")
    (begun,) = everything(cloud)["snapshots"]
    snapshot.remove(cloud, begun)

    def gone(parsed: dict[str, Any], **_: Any) -> None:
        if not made:
            made.append(parsed["SnapshotId"])
            parsed["SnapshotId"] = begun
            parsed["StartTime"] = parsed["StartTime"].replace(year=2020)

    made: list[str] = []
    again = connect()
    again.session.events.register("after-call.ebs.StartSnapshot", gone)
    written = write(again, disk)
    assert written.snapshot_id not in (begun, *made)


def test_a_snapshot_that_failed_is_removed_and_begun_anew(cloud: Cloud, disk: DiskImage) -> None:
    """As by its timeout."""

    def fail(parsed: dict[str, Any], **_: Any) -> None:
        if not failed:
            failed.append(parsed["SnapshotId"])
            parsed["Status"] = "error"

    failed: list[str] = []
    cloud.session.events.register("after-call.ebs.StartSnapshot", fail)
    written = write(cloud, disk)
    assert everything(cloud)["snapshots"] == [written.snapshot_id] != failed


def test_a_snapshot_that_is_not_visible_yet_is_waited_for(cloud: Cloud, disk: DiskImage) -> None:
    failures = refuse(cloud, "ebs.PutSnapshotBlock", "ResourceNotFoundException", times=5)
    assert write(cloud, disk).blocks_sent == 3
    assert len(failures) == 5


def test_another_run_with_the_same_disk_may_be_quicker(cloud: Cloud, disk: DiskImage) -> None:
    other: list[str] = []
    after(cloud, "ebs.StartSnapshot", lambda: other.append(write(connect(), disk).snapshot_id))
    written = write(cloud, disk)
    assert [written.snapshot_id] == other == everything(connect())["snapshots"]


def test_a_damaged_block_is_refused_and_nothing_stays(cloud: Cloud, disk: DiskImage) -> None:
    def damage(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-amz-Checksum"] = "A" * 43 + "="

    cloud.session.events.register("before-call.ebs.PutSnapshotBlock", damage)
    with pytest.raises(NitroError, match="checksum does not match the block"):
        write(cloud, disk)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_throttling_is_waited_out(cloud: Cloud, disk: DiskImage) -> None:
    calls = ("ebs.StartSnapshot", "ebs.PutSnapshotBlock", "ebs.CompleteSnapshot")
    failures = [refuse(cloud, call, "RequestThrottledException", times=3) for call in calls]
    assert write(cloud, disk).blocks_sent == 3
    assert [len(of_one) for of_one in failures] == [3, 3, 3]


@pytest.mark.extended
def test_an_empty_disk_is_a_snapshot_without_blocks(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "empty.raw"
    with path.open("wb") as file:
        file.truncate(5 * BLOCK_SIZE)
    written = write(cloud, DiskImage(path, f"sha256:{0:064x}", 5 * BLOCK_SIZE, "empty"))
    assert written.blocks_sent == 0


@pytest.mark.extended
def test_the_image_is_published_without_a_bucket(bare_cloud: Cloud, disk: DiskImage) -> None:
    """Nor is the role of VM Import there."""
    published = publish_direct(bare_cloud, disk)
    assert (published.via, published.bytes_uploaded) == ("ebs-direct", 3 * BLOCK_SIZE)
    left = everything(bare_cloud)
    assert (len(left["images"]), len(left["snapshots"]), left["buckets"]) == (1, 1, [])
    assert publish_direct(bare_cloud, disk).reused


@pytest.mark.extended
def test_what_an_ephemeral_run_made_goes_with_it(cloud: Cloud, disk: DiskImage) -> None:
    publish_direct(cloud, disk, keep=Keep.NOTHING)
    assert everything(connect()) == NOTHING


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("denied", ["ebs.StartSnapshot", "ebs.PutSnapshotBlock"])
def test_the_disk_goes_through_s3_where_writing_is_denied(
    cloud: Cloud, disk: DiskImage, denied: str
) -> None:
    refuse(cloud, denied, "AccessDeniedException", status=403)
    with pytest.raises(RefusedError, match=f"permission denied: {denied.replace('.', ':')}"):
        publish_direct(cloud, disk, Via.EBS)
    published = publish_direct(cloud, disk, Via.AUTO, heard := Heard())
    assert published.via == "s3-import"
    (note,) = heard.notes
    assert note == f"the disk goes through S3: permission denied: {denied.replace('.', ':')}"
    assert everything(connect())["snapshots"] == [published.snapshot_id]


@pytest.mark.extended
def test_the_choice_of_route_is_direct_where_it_is_allowed(cloud: Cloud, disk: DiskImage) -> None:
    assert publish_direct(cloud, disk, Via.AUTO).via == "ebs-direct"


@pytest.mark.extended
def test_another_disk_is_another_snapshot(cloud: Cloud, disk: DiskImage, tmp_path: Path) -> None:
    other = make_disk(tmp_path / "other.raw", seed=2)
    assert write(cloud, disk).snapshot_id != write(cloud, other).snapshot_id
    assert direct.TIMEOUT >= 10  # minutes, the least that EBS takes
