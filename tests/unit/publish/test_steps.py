"""The steps of a plan as they are printed: what each would do, with its calls and bytes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nitro.publish import steps
from nitro.publish.access import Access
from nitro.publish.steps import Step

FRIEND, UNIT = "210987654321", "arn:aws:organizations::123456789012:ou/o-a/ou-b"
SOME, NONE = Access(frozenset({FRIEND}), units=frozenset({UNIT})), Access()
EVERYBODY = Access(groups=frozenset({"all"}))
REMOVED = {"ec2:CreateTags": 1, "ec2:DeregisterImage": 1, "ec2:DeleteSnapshot": 1}
R = "eu-west-1"


def removal(*, protected: bool) -> Step:
    return steps.RemoveImage(
        region=R,
        image_id="ami-1",
        snapshot_id="snap-1",
        protected=protected,
        why="old",
        retires=True,
    )


@pytest.mark.parametrize(
    ("step", "calls", "text"),
    [
        (
            steps.Write(region=R, blocks=3, block_size=512 << 10),
            {
                "ebs:StartSnapshot": 1,
                "ebs:PutSnapshotBlock": 3,
                "ebs:CompleteSnapshot": 1,
                "ec2:CreateTags": 1,
            },
            "write a snapshot, at most 3 blocks of 512 KiB",
        ),
        (
            steps.Import(region=R, size=1_500_000, parts=2),
            {
                "s3:CreateMultipartUpload": 1,
                "s3:UploadPart": 2,
                "s3:CompleteMultipartUpload": 1,
                "ec2:ImportSnapshot": 1,
                "ec2:CreateTags": 2,
                "s3:DeleteObject": 1,
            },
            "upload 1.5 MB to S3 and import a snapshot",
        ),
        (
            steps.Register(region=R),
            {"ec2:RegisterImage": 1},
            "register the AMI on the new snapshot",
        ),
        (
            steps.Register(region=R, snapshot_id="snap-1"),
            {"ec2:RegisterImage": 1},
            "register the AMI on snap-1",
        ),
        (
            steps.Copy(region=R, source="us-east-1"),
            {"ec2:CopyImage": 1},
            "copy the AMI from us-east-1",
        ),
        (steps.Prove(region=R), {"ec2:CreateTags": 1}, "read the snapshot back and compare it"),
        (
            steps.ShareImage(region=R, add=SOME, remove=EVERYBODY),
            {"ec2:ModifyImageAttribute": 1},
            f"share the AMI: with {FRIEND}, {UNIT}, no longer with everybody",
        ),
        (
            steps.ShareSnapshot(region=R, add=NONE, remove=SOME.of_snapshot),
            {"ec2:ModifySnapshotAttribute": 1},
            f"share its snapshot: no longer with {FRIEND}",
        ),
        (
            steps.Deprecate(region=R, at=datetime(2030, 1, 2, 3, 4, tzinfo=UTC)),
            {"ec2:EnableImageDeprecation": 1},
            "deprecate it from 2030-01-02 03:04 UTC on",
        ),
        (
            steps.Deprecate(region=R, at=None),
            {"ec2:EnableImageDeprecation": 1},
            "deprecate it",
        ),
        (
            steps.DoNotDeprecate(region=R),
            {"ec2:DisableImageDeprecation": 1},
            "do not deprecate it any more",
        ),
        (
            steps.Protect(region=R, on=True),
            {"ec2:EnableImageDeregistrationProtection": 1},
            "protect it from deregistration",
        ),
        (
            steps.Protect(region=R, on=False),
            {"ec2:DisableImageDeregistrationProtection": 1},
            "allow its deregistration",
        ),
        (
            steps.Finish(region=R, tags={"a": "b"}),
            {"ec2:CreateTags": 1},
            "tag it and its snapshot as published",
        ),
        (removal(protected=False), REMOVED, "remove ami-1 and its snapshot: old"),
        (
            removal(protected=True),
            REMOVED | {"ec2:DisableImageDeregistrationProtection": 1},
            "remove ami-1 and its snapshot: old",
        ),
        (
            steps.RemoveSnapshot(region=R, snapshot_id="snap-1"),
            {"ec2:DeleteSnapshot": 1},
            "remove snap-1, which an interrupted run left",
        ),
        (
            steps.Flip(region=R, name="/web", before="ami-0"),
            {"ssm:PutParameter": 1},
            "set the parameter /web, now ami-0, to the AMI",
        ),
        (
            steps.Flip(region=R, name="/web", before=None),
            {"ssm:PutParameter": 1},
            "set the parameter /web, now not there, to the AMI",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Step) else "",
)
def test_a_step_says_what_it_does_and_which_calls_that_takes(
    step: Step, calls: dict[str, int], text: str
) -> None:
    assert (step.text, dict(step.calls)) == (text, calls)


def test_bytes_are_sent_by_what_uploads_and_by_nothing_else() -> None:
    assert steps.Write(region=R, blocks=3, block_size=512 << 10).bytes_sent == 3 * 512 << 10
    assert steps.Import(region=R, size=1000, parts=1).bytes_sent == 1000
    assert steps.Copy(region=R, source="us-east-1").bytes_sent == 0
