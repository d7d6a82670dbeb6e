"""The EBS direct API: the same bytes as the snapshot's, block by block."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from typing import Any

import pytest
from moto.server import create_backend_app

from nitro.local.store import BLOCK_SIZE

from .conftest import Account, error_code

DISK = b"a" * BLOCK_SIZE + bytes(2 * BLOCK_SIZE) + b"b" * BLOCK_SIZE + b"tail"


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def put(account: Account, snapshot_id: str, index: int, block: bytes, **options: Any) -> Any:
    given = {
        "DataLength": len(block),
        "Checksum": checksum(block),
        "ChecksumAlgorithm": "SHA256",
        **options,
    }
    return account.ebs.put_snapshot_block(
        SnapshotId=snapshot_id, BlockIndex=index, BlockData=block, **given
    )


@pytest.mark.extended
def test_an_imported_disk_reads_back_without_its_zeros(account: Account) -> None:
    snapshot_id = account.snapshot(DISK)
    listed = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    assert (listed["BlockSize"], listed["VolumeSize"]) == (BLOCK_SIZE, 1)
    assert [block["BlockIndex"] for block in listed["Blocks"]] == [0, 3, 4]
    read = bytearray(5 * BLOCK_SIZE)
    for block in listed["Blocks"]:
        answer = account.ebs.get_snapshot_block(SnapshotId=snapshot_id, **block)
        data = answer["BlockData"].read()
        assert (answer["DataLength"], answer["Checksum"]) == (BLOCK_SIZE, checksum(data))
        start = block["BlockIndex"] * BLOCK_SIZE
        read[start : start + BLOCK_SIZE] = data
    assert bytes(read) == DISK.ljust(5 * BLOCK_SIZE, b"\0")


def test_lists_come_in_pages(account: Account) -> None:
    used = range(0, 250, 2)
    snapshot_id = account.snapshot()
    for index in used:
        account.site.store.write(snapshot_id, index, b"x" * BLOCK_SIZE)
    seen, options = [], {"MaxResults": 100}
    while True:
        page = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, **options)
        seen.append([block["BlockIndex"] for block in page["Blocks"]])
        if "NextToken" not in page:
            break
        options["NextToken"] = page["NextToken"]
    assert [len(page) for page in seen] == [100, 25]
    assert [index for page in seen for index in page] == list(used)
    later = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, StartingBlockIndex=200)
    assert later["Blocks"][0]["BlockIndex"] == 200


def test_tokens_name_one_block(account: Account) -> None:
    snapshot_id = account.snapshot(DISK)
    first, second, _ = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
    swapped = {"BlockIndex": first["BlockIndex"], "BlockToken": second["BlockToken"]}
    code = error_code(lambda: account.ebs.get_snapshot_block(SnapshotId=snapshot_id, **swapped))
    assert code == "ValidationException"
    code = error_code(
        lambda: account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, NextToken="x:1")
    )
    assert code == "ValidationException"


def test_unknown_snapshots_are_not_found(account: Account) -> None:
    code = error_code(lambda: account.ebs.list_snapshot_blocks(SnapshotId="snap-0" + "1" * 16))
    assert code == "ResourceNotFoundException"


def test_a_snapshot_is_written_completed_and_read(account: Account) -> None:
    tags = [{"Key": "k", "Value": "v"}]
    started = account.ebs.start_snapshot(VolumeSize=1, Tags=tags, Description="direct")
    snapshot_id = started["SnapshotId"]
    assert (started["Status"], started["BlockSize"]) == ("pending", BLOCK_SIZE)
    blocks = {0: b"x" * BLOCK_SIZE, 7: b"y" * BLOCK_SIZE}
    for index, block in blocks.items():
        assert put(account, snapshot_id, index, block)["Checksum"] == checksum(block)
    pending = error_code(lambda: account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id))
    assert pending == "ResourceNotFoundException"
    linear = checksum(b"".join(hashlib.sha256(block).digest() for block in blocks.values()))
    answer = account.ebs.complete_snapshot(
        SnapshotId=snapshot_id,
        ChangedBlocksCount=2,
        Checksum=linear,
        ChecksumAlgorithm="SHA256",
        ChecksumAggregationMethod="LINEAR",
    )
    assert answer["Status"] == "pending"
    account.clock.advance(3)
    (snapshot,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert (snapshot["State"], snapshot["Tags"]) == ("completed", tags)
    listed = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
    assert [block["BlockIndex"] for block in listed] == [0, 7]


@pytest.mark.parametrize(
    "options", [{"Checksum": checksum(b"")}, {"DataLength": 17}], ids=["checksum", "length"]
)
def test_bad_blocks_are_refused(account: Account, options: dict[str, Any]) -> None:
    snapshot_id = account.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    block = b"x" * BLOCK_SIZE
    code = error_code(lambda: put(account, snapshot_id, 0, block, **options))
    assert code == "ValidationException"


@pytest.mark.parametrize("index", [2048, 1 << 30])
def test_blocks_beyond_the_volume_are_refused(account: Account, index: int) -> None:
    snapshot_id = account.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    code = error_code(lambda: put(account, snapshot_id, index, b"x" * BLOCK_SIZE))
    assert code == "ValidationException"


def test_the_count_and_checksum_of_completion_are_checked(account: Account) -> None:
    snapshot_id = account.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put(account, snapshot_id, 0, b"x" * BLOCK_SIZE)
    for wrong in ({"ChangedBlocksCount": 2}, {"ChangedBlocksCount": 1, "Checksum": checksum(b"")}):
        call = partial(account.ebs.complete_snapshot, SnapshotId=snapshot_id, **wrong)
        assert error_code(call) == "ValidationException"


@pytest.mark.extended
def test_a_completed_snapshot_takes_no_more_blocks(account: Account) -> None:
    snapshot_id = account.snapshot()
    code = error_code(lambda: put(account, snapshot_id, 0, b"x" * BLOCK_SIZE))
    assert code == "ValidationException"


def test_a_token_makes_a_start_idempotent(account: Account) -> None:
    first = account.ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"]
    assert account.ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"] == first
    code = error_code(lambda: account.ebs.start_snapshot(VolumeSize=2, ClientToken="once"))
    assert code == "ConflictException"


def start(account: Account, **options: Any) -> str:
    return str(account.ebs.start_snapshot(VolumeSize=1, **options)["SnapshotId"])


def complete(account: Account, snapshot_id: str, count: int) -> None:
    account.ebs.complete_snapshot(SnapshotId=snapshot_id, ChangedBlocksCount=count)
    account.clock.advance(account.site.pace.complete_snapshot)


def indices(answer: Any, name: str = "Blocks") -> list[int]:
    return [block["BlockIndex"] for block in answer[name]]


def test_a_snapshot_begins_as_its_parent(account: Account) -> None:
    parent = account.snapshot(DISK)
    child = start(account, ParentSnapshotId=parent)
    put(account, child, 3, b"c" * BLOCK_SIZE)
    put(account, child, 9, b"d" * BLOCK_SIZE)
    complete(account, child, 2)
    assert indices(account.ebs.list_snapshot_blocks(SnapshotId=child)) == [0, 3, 4, 9]
    changed = account.ebs.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)
    assert indices(changed, "ChangedBlocks") == [3, 9]
    both, added = changed["ChangedBlocks"]
    assert {"FirstBlockToken", "SecondBlockToken"} <= both.keys()
    assert "FirstBlockToken" not in added
    token = both["SecondBlockToken"]
    block = account.ebs.get_snapshot_block(SnapshotId=child, BlockIndex=3, BlockToken=token)
    assert block["BlockData"].read() == b"c" * BLOCK_SIZE


def test_changes_of_unrelated_snapshots_are_refused(account: Account) -> None:
    first, second = account.snapshot(DISK), start(account)
    complete(account, second, 0)
    code = error_code(
        lambda: account.ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)
    )
    assert code == "ValidationException"
    whole = account.ebs.list_changed_blocks(SecondSnapshotId=first)
    assert indices(whole, "ChangedBlocks") == [0, 3, 4]


def test_a_parent_must_exist_and_fit(account: Account) -> None:
    missing = "snap-0" + "1" * 16
    assert error_code(lambda: start(account, ParentSnapshotId=missing)) == (
        "ResourceNotFoundException"
    )
    large = account.ebs.start_snapshot(VolumeSize=2)["SnapshotId"]
    complete(account, large, 0)
    assert error_code(lambda: start(account, ParentSnapshotId=large)) == "ValidationException"


def test_a_block_written_as_zeros_is_listed(account: Account) -> None:
    snapshot_id = start(account)
    put(account, snapshot_id, 5, bytes(BLOCK_SIZE))
    complete(account, snapshot_id, 1)
    assert indices(account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)) == [5]


def test_the_token_of_a_deleted_snapshot_makes_another(account: Account) -> None:
    first = start(account, ClientToken="once")
    account.ec2.delete_snapshot(SnapshotId=first)
    assert start(account, ClientToken="once") != first


@pytest.mark.parametrize(
    "options",
    [
        {"Timeout": 5000},
        {"Description": "x" * 256},
        {"Tags": [{"Key": "aws:any", "Value": "x"}]},
        {"Tags": [{"Key": f"key-{number}", "Value": "x"} for number in range(51)]},
        {"Tags": [{"Key": "twice", "Value": "x"}, {"Key": "twice", "Value": "y"}]},
    ],
)
def test_a_start_that_the_model_does_not_know_is_refused(
    account: Account, options: dict[str, Any]
) -> None:
    assert error_code(lambda: start(account, **options)) == "ValidationException"


@pytest.mark.parametrize("options", [{"ChecksumAlgorithm": "SHA1"}, {"Progress": 150}])
def test_a_block_that_the_model_does_not_know_is_refused(
    account: Account, options: dict[str, Any]
) -> None:
    snapshot_id = start(account)
    code = error_code(lambda: put(account, snapshot_id, 0, b"x" * BLOCK_SIZE, **options))
    assert code == "ValidationException"


def test_a_malformed_id_is_refused_before_it_is_looked_for(account: Account) -> None:
    code = error_code(lambda: account.ebs.list_snapshot_blocks(SnapshotId="vol-1"))
    assert code == "ValidationException"


@pytest.mark.usefixtures("account")
def test_a_missing_parameter_is_named() -> None:
    answer = create_backend_app("ebs").test_client().post("/snapshots", json={})
    assert answer.status_code == 400
    assert "VolumeSize" in answer.json["Message"]


def test_an_exception_inside_is_an_internal_error(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot_id = account.snapshot()
    client = create_backend_app("ebs").test_client()
    with monkeypatch.context() as patch:
        patch.setattr(account.site, "store", None)
        answer = client.get(f"/snapshots/{snapshot_id}/blocks")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (
        500,
        "InternalServerException",
    )
    assert answer.headers["x-amzn-requestid"] in caplog.text
