"""Work in several threads of which one fails: what has not been begun is left."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import Any

import pytest

from nitro.cloud import ApiError, DiskImage, upload, verify
from nitro.cloud.disk import BLOCK_SIZE
from nitro.cloud.storage import Bucket
from nitro.publish import readback
from tests.cloud.answers import ACCOUNT, DENIED, Answering
from tests.cloud.conftest import RUN

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
MANY = 120  # so many that all of them would take most of a second


@pytest.fixture
def asked() -> list[int]:
    return []


@pytest.fixture
def blocks(asked: list[int]) -> dict[str, Any]:
    """A snapshot of many blocks that are zeros, but for the first one."""

    def read(params: dict[str, Any]) -> object:
        asked.append(params["BlockIndex"])
        if params["BlockIndex"] == 0:
            return {"BlockData": io.BytesIO(b"x")}
        time.sleep(0.05)
        return {"BlockData": io.BytesIO(b"")}

    listed = [{"BlockIndex": index, "BlockToken": "t"} for index in range(MANY)]
    return {
        "ListSnapshotBlocks": {"Blocks": listed, "BlockSize": BLOCK_SIZE},
        "GetSnapshotBlock": read,
    }


def test_no_more_blocks_are_compared_after_a_difference(
    aws: Answering, disk: DiskImage, blocks: dict[str, Any], asked: list[int]
) -> None:
    with disk.path.open("wb") as file:
        file.truncate(MANY * BLOCK_SIZE)
    with pytest.raises(verify.Mismatch):
        verify.compare(aws.cloud(blocks), "snap-1", disk, aws.stage)
    assert len(asked) < MANY


def test_no_more_blocks_are_read_back_after_a_difference(
    aws: Answering, blocks: dict[str, Any], asked: list[int]
) -> None:
    with pytest.raises(readback.Mismatch):
        readback.compare(aws.cloud(blocks), "snap-1", {}, aws.stage, sample=None)
    assert len(asked) < MANY


def test_no_more_parts_are_sent_after_a_refusal(
    aws: Answering, disk: DiskImage, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    monkeypatch.setattr(upload, "PART_SIZE", 1024)
    disk.path.write_bytes(bytes(MANY * 1024))

    def send(params: dict[str, Any]) -> object:
        asked.append(params["PartNumber"])
        if params["PartNumber"] == 1:
            return DENIED
        time.sleep(0.05)
        return {"ETag": "t"}

    answers = {"CreateMultipartUpload": {"UploadId": "u"}, "UploadPart": send}
    whole = replace(disk, size_bytes=MANY * 1024)
    with pytest.raises(ApiError):
        upload.upload_disk(aws.cloud(answers), Bucket("mine", ACCOUNT), whole, RUN, aws.stage)
    assert len(asked) < MANY
