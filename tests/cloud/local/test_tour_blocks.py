"""What EBS direct answers of snapshots, block by block."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from nitro.local.store import BLOCK_SIZE
from tests.cloud.local.tour import Tour, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NOTHING = "snap-0123456789abcdef0"
DISK = b"a" * BLOCK_SIZE + bytes(2 * BLOCK_SIZE) + b"b" * BLOCK_SIZE + b"tail"


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def block(letter: str) -> dict[str, Any]:
    data = letter.encode() * BLOCK_SIZE
    return {
        "BlockData": data,
        "DataLength": BLOCK_SIZE,
        "Checksum": checksum(data),
        "ChecksumAlgorithm": "SHA256",
    }


def test_reading_blocks(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot(DISK)
    listing, changed = "ebs.list_snapshot_blocks", "ebs.list_changed_blocks"
    blocks = tour(listing, SnapshotId=disk)["Blocks"]
    for one in blocks:
        tour("ebs.get_snapshot_block", SnapshotId=disk, **one)
    of_it = {"SnapshotId": disk, **blocks[1]}
    tour.each(
        "ebs.get_snapshot_block",
        {"BlockIndex": 0},
        {"BlockIndex": 2048},
        {"BlockIndex": -1},
        {"BlockToken": "x"},
        {"BlockToken": ""},
        {"SnapshotId": NOTHING},
        {"SnapshotId": "snap"},
        **of_it,
    )
    other = tour("ebs.start_snapshot", VolumeSize=1)["SnapshotId"]
    tour(listing, SnapshotId=other)
    tour("ebs.get_snapshot_block", **{**of_it, "SnapshotId": other})
    for index in range(5, 155):
        account.site.store.write(disk, index, b"x" * BLOCK_SIZE)
    page = account.ebs.list_snapshot_blocks(SnapshotId=disk, MaxResults=100)
    tour.note("the first page", [each["BlockIndex"] for each in page["Blocks"]])
    more = {"MaxResults": 100, "NextToken": page["NextToken"]}
    rest = account.ebs.list_snapshot_blocks(SnapshotId=disk, **more)
    tour.note("and the last one", [each["BlockIndex"] for each in rest["Blocks"]])
    tour.note("with a token", sorted(rest))
    lists: list[dict[str, Any]] = [
        {"StartingBlockIndex": 153},
        {"StartingBlockIndex": 154, "MaxResults": 100},
        {"StartingBlockIndex": 155},
        {"StartingBlockIndex": -1},
        {"MaxResults": 99},
        {"MaxResults": 10_001},
        {"NextToken": "x"},
        {"NextToken": base64.b64encode(f"{disk}:x".encode()).decode()},
        {"NextToken": base64.b64encode(f"{NOTHING}:1".encode()).decode()},
        {"NextToken": base64.b64encode(f"{disk}:153".encode()).decode(), "StartingBlockIndex": 2},
        {"SnapshotId": NOTHING},
    ]
    tour.each(listing, *lists, SnapshotId=disk)
    tour(changed, SecondSnapshotId=disk, StartingBlockIndex=153)
    tour(changed, SecondSnapshotId=NOTHING)
    tour(changed, FirstSnapshotId=NOTHING, SecondSnapshotId=disk)
    tour(changed, FirstSnapshotId=disk, SecondSnapshotId=disk)
    tour(changed, FirstSnapshotId=disk, SecondSnapshotId=other)
    compare(HERE / "blocks-read.txt", tour.text)


def test_writing_blocks(tour: Tour) -> None:
    account = tour.account
    start, put, complete = "ebs.start_snapshot", "ebs.put_snapshot_block", "ebs.complete_snapshot"
    asked = {
        "VolumeSize": 2,
        "Description": "direct",
        "Tags": tagged("x", Name="one", Owner="me")[0]["Tags"],
        "ClientToken": "token",
        "Timeout": 60,
    }
    made = tour(start, **asked)["SnapshotId"]
    tour.each(start, {}, {"VolumeSize": 3}, {"Description": "other"}, {"Timeout": 61}, **asked)
    of_it = {"SnapshotId": made}
    tour(put, BlockIndex=0, **block("a"), **of_it)
    tour(put, BlockIndex=4095, **block("b"), **of_it)
    tour.each(
        put,
        {"BlockIndex": 4096},
        {"BlockIndex": -1},
        {"Checksum": checksum(b"")},
        {"DataLength": BLOCK_SIZE - 1},
        {"BlockData": b"x" * (BLOCK_SIZE - 1)},
        {"Checksum": "x"},
        {"ChecksumAlgorithm": "MD5"},
        {"Progress": 101},
        {"SnapshotId": NOTHING},
        {"Progress": 50},
        {"BlockData": bytes(BLOCK_SIZE), "Checksum": checksum(bytes(BLOCK_SIZE)), "BlockIndex": 9},
        **{"BlockIndex": 1, **block("c"), **of_it},
    )
    written = (b"a", b"c", bytes(1), b"b")
    digests = b"".join(hashlib.sha256(each * BLOCK_SIZE).digest() for each in written)
    how = {"ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}
    tour("ec2.describe_snapshots", SnapshotIds=[made])
    tour.each(
        complete,
        {"ChangedBlocksCount": 3},
        {"ChangedBlocksCount": -1},
        {"Checksum": checksum(b""), **how},
        {"SnapshotId": NOTHING},
        {"Checksum": checksum(digests), **how},
        {},
        ChangedBlocksCount=4,
        **of_it,
    )
    tour(put, BlockIndex=2, **block("d"), **of_it)
    tour.after(2.9)
    tour("ec2.describe_snapshots", SnapshotIds=[made])
    tour("ebs.list_snapshot_blocks", **of_it)
    tour.after(0.1)
    tour("ec2.describe_snapshots", SnapshotIds=[made])
    tour("ebs.list_snapshot_blocks", **of_it)
    tour(start, **asked)
    account.ec2.delete_snapshot(SnapshotId=made)
    tour(start, **asked)
    compare(HERE / "blocks-written.txt", tour.text)


def test_starting_snapshots(tour: Tour) -> None:
    account = tour.account
    parent = account.snapshot(DISK)
    start = "ebs.start_snapshot"
    key = account.kms.create_key()["KeyMetadata"]["Arn"]
    off = account.kms.create_key()["KeyMetadata"]
    account.kms.disable_key(KeyId=off["KeyId"])
    asked: list[dict[str, Any]] = [
        {"VolumeSize": 65_536},
        {"VolumeSize": 65_537},
        {"VolumeSize": 0},
        {"Tags": [{"Key": "x", "Value": ""}] * 2},
        {"Tags": [{"Key": "aws:x", "Value": ""}]},
        {"Tags": [{"Key": "AWS:x", "Value": ""}]},
        {"Tags": [{"Key": "", "Value": ""}]},
        {"Tags": [{"Value": "x"}]},
        {"Tags": [{"Key": "x"}]},
        {"Timeout": 9},
        {"Timeout": 60},
        {"Encrypted": True},
        {"Encrypted": False},
        {"Encrypted": True, "KmsKeyArn": key},
        {"KmsKeyArn": key},
        {"Encrypted": False, "KmsKeyArn": key},
        {"Encrypted": True, "KmsKeyArn": off["Arn"]},
        {"Encrypted": True, "KmsKeyArn": key.replace("us-east-1", "eu-west-1")},
        {"Encrypted": True, "KmsKeyArn": "x"},
        {"ParentSnapshotId": parent, "Encrypted": False},
        {"ParentSnapshotId": parent, "KmsKeyArn": key},
        {"ParentSnapshotId": NOTHING},
    ]
    tour.each(start, *asked, VolumeSize=1)
    child = tour(start, VolumeSize=2, ParentSnapshotId=parent)["SnapshotId"]
    tour(start, VolumeSize=1, ParentSnapshotId=child)
    tour("ebs.put_snapshot_block", SnapshotId=child, BlockIndex=0, **block("z"))
    tour("ebs.put_snapshot_block", SnapshotId=child, BlockIndex=3, **block("b"))
    zeros = {"BlockData": bytes(BLOCK_SIZE), "Checksum": checksum(bytes(BLOCK_SIZE))}
    tour("ebs.put_snapshot_block", SnapshotId=child, BlockIndex=4, **{**block("x"), **zeros})
    tour("ebs.put_snapshot_block", SnapshotId=child, BlockIndex=7, **block("n"))
    tour("ebs.complete_snapshot", SnapshotId=child, ChangedBlocksCount=4)
    tour.after(3)
    tour("ebs.list_snapshot_blocks", SnapshotId=child)
    changed = "ebs.list_changed_blocks"
    both = {"FirstSnapshotId": parent, "SecondSnapshotId": child}
    tour.each(changed, {}, {"StartingBlockIndex": 5}, **both)
    tour(changed, FirstSnapshotId=child, SecondSnapshotId=parent)
    tour(start, VolumeSize=1, ParentSnapshotId=child)
    grandchild = tour(start, VolumeSize=2, ParentSnapshotId=child)["SnapshotId"]
    tour("ebs.complete_snapshot", SnapshotId=grandchild, ChangedBlocksCount=0)
    tour.after(3)
    tour(changed, FirstSnapshotId=child, SecondSnapshotId=grandchild)
    tour(changed, FirstSnapshotId=parent, SecondSnapshotId=grandchild)
    account.ec2.enable_ebs_encryption_by_default()
    tour(start, VolumeSize=1)
    tour(start, VolumeSize=2, ParentSnapshotId=child)
    locked = account.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    account.ebs.complete_snapshot(SnapshotId=locked, ChangedBlocksCount=0)
    account.clock.advance(3)
    tour(start, VolumeSize=1, ParentSnapshotId=locked)
    compare(HERE / "blocks-started.txt", tour.text)
