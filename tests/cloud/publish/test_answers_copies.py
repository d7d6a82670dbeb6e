"""What a release makes of AWS's answers about AMIs and snapshots that it makes."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from typing import Any

import pytest

from nitro.cloud import Cloud, tags
from nitro.publish import make, readback
from nitro.publish.release import Release
from nitro.publish.source import BLOCK_SIZE
from tests.cloud.answers import DENIED, UNCLEAR, Answering, Refused, at, tagged
from tests.cloud.publish.test_answers_regions import HOME, TAKEN, image, images, wanted

__all__ = ["wanted"]

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]


def test_snapshots_are_read_back(aws: Answering) -> None:
    contents = {index: bytes([index]) * 9 for index in range(4)} | {9: b""}

    def block(params: dict[str, Any], last: bytes = b"") -> object:
        index = params["BlockIndex"]
        return {"BlockData": io.BytesIO(last if index == 9 else contents[index])}

    def compare(cloud: Cloud, checksums: dict[int, bytes], options: dict[str, Any]) -> object:
        return readback.compare(cloud, "snap-1", checksums, aws.stage, **options)

    def listed(*indices: int) -> list[dict[str, Any]]:
        return [{"BlockIndex": index, "BlockToken": f"t{index}"} for index in indices]

    known = {
        index: hashlib.sha256(data.ljust(BLOCK_SIZE, b"\0")).digest()
        for index, data in contents.items()
        if data
    }
    pages: Any = [
        {"Blocks": listed(3, 0), "BlockSize": BLOCK_SIZE, "NextToken": "2"},
        {"Blocks": listed(1, 2, 9), "BlockSize": BLOCK_SIZE},
    ]
    answers: Any = {"ListSnapshotBlocks": pages, "GetSnapshotBlock": block}
    # The last one: of others it is not known which blocks are read beside it.
    filled = {"GetSnapshotBlock": partial(block, last=b"x")}
    for title, checksums, options, more in (
        ("all", known, {"sample": None}, {}),
        ("few", known, {}, {}),
        ("as many", known, {"sample": 5}, {}),
        ("wrong", known | {9: known[1]}, {"sample": None}, {}),
        ("not zeros", known, {"sample": None}, filled),
        ("missing", known | {8: b"", 7: b""}, {}, {}),
        ("larger blocks", known, {}, {"ListSnapshotBlocks": {"BlockSize": 1 << 20}}),
        ("none", {}, {}, {"ListSnapshotBlocks": {"BlockSize": BLOCK_SIZE}}),
    ):
        aws.case(title, compare, answers | more, checksums, options)
    aws.case(
        "none of them",
        lambda c, k: readback.compare(c, "s", k, aws.stage, sample=0),
        answers,
        known,
    )
    aws.compare("read-back")


def test_amis_are_registered_and_copied(aws: Answering, wanted: Release) -> None:
    def copy(cloud: Cloud, key: str | None = None) -> object:
        return make.copy(cloud, wanted, "us-east-1", "ami-9", key)

    mine, other = images(image(wanted)), images(image(wanted, tags={tags.DIGEST: "x"}))
    gone = Refused("InvalidAMIID.NotFound")
    for title, answers in {
        "made": {},
        "taken, ours": {"RegisterImage": TAKEN, "DescribeImages": [images(), mine]},
        "taken, another disk": {"RegisterImage": TAKEN, "DescribeImages": other},
        "unclear": {"RegisterImage": UNCLEAR, "DescribeImages": mine},
        "refused": {"RegisterImage": DENIED},
    }.items():
        base: Any = {"RegisterImage": {"ImageId": "ami-1"}}
        aws.case(title, make.register, base | answers, wanted, "snap-1")
    copied: Any = {"CopyImage": {"ImageId": "ami-1"}}
    again = {"CopyImage": [{"ImageId": "ami-1"}, {"ImageId": "ami-2"}]}
    pending = images(image(wanted, 2, "pending"))
    used = Refused("IdempotentParameterMismatch")
    for title, answers in {
        "made": {"DescribeImages": mine},
        "soon": {"DescribeImages": [gone, pending]},
        "failed": again | {"DescribeImages": [images(image(wanted, 1, "failed")), pending]},
        "deregistered": again | {"DescribeImages": [Refused("InvalidAMIID.Unavailable"), pending]},
        "missing": again | {"DescribeImages": [*[gone] * 16, pending]},
        "denied": {"DescribeImages": DENIED},
        "token used": {"CopyImage": used, "DescribeImages": [images(), mine]},
        "refused": {"CopyImage": DENIED},
    }.items():
        aws.case(f"copy: {title}", copy, copied | answers)
    aws.case("copy: with a key", copy, copied | {"DescribeImages": mine}, "arn:key")

    def patiently(cloud: Cloud, *errors: Any) -> object:
        left = [*errors]

        def one() -> str:
            if left:
                cloud.ec2.delete_snapshot(SnapshotId="snap-1")
            return "made"

        return make.patiently(cloud, one, "room")

    for code in ("ResourceLimitExceeded", "InvalidSnapshot.NotFound", "Strange"):
        refusals = {"DeleteSnapshot": Refused(code)}
        aws.case(f"patiently: {code}", patiently, refusals, 1)
    soon = {"DeleteSnapshot": [Refused("ResourceLimitExceeded"), {}]}
    aws.case("patiently: soon", patiently, soon, 1)
    aws.compare("registered-and-copied")


def test_which_import_is_gone_on_with(aws: Answering, wanted: Release) -> None:
    def found(cloud: Cloud, key: str | None) -> object:
        return make._import_run(cloud, wanted, key)

    ids = [
        wanted.token("import", HOME, key, str(n))[:16] for key in ("", "arn:key") for n in range(3)
    ]

    def task(run: str, status: str, snapshot_id: str = "") -> dict[str, Any]:
        tag_list = [*tagged(nitro_digest=wanted.digest, nitro_run=run)]
        detail = {"Status": status} | ({"SnapshotId": snapshot_id} if snapshot_id else {})
        return {"ImportTaskId": run, "SnapshotTaskDetail": detail, "Tags": tag_list}

    for title, tasks in {
        "none": [],
        "running": [task(ids[0], "active")],
        "over": [task(ids[0], "deleted"), task(ids[1], "active")],
        "both over": [task(ids[0], "deleted"), task(ids[1], "deleted")],
        "with a snapshot": [task(ids[0], "completed", "snap-1")],
        "of another key": [task(ids[3], "active")],
    }.items():
        for snapshots in ([], [{"SnapshotId": "snap-1", "StartTime": at()}]):
            answers = {
                "DescribeImportSnapshotTasks": {"ImportSnapshotTasks": tasks},
                "DescribeSnapshots": {"Snapshots": snapshots},
            }
            for key in (None, "arn:key"):
                aws.case(f"{title}, {len(snapshots)}, {key}", found, answers, key)
    aws.compare("gone-on-with")
