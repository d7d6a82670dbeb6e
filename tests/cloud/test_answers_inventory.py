"""What nitro makes of AWS's answers about all that there is, and of its removal."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.cloud import Cloud, destroy, expired, inventory, tags
from nitro.cloud.inventory import KINDS, Resource, remove
from tests.cloud.answers import DENIED, FAILED, Answering, Refused, at, tagged

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
OURS = tagged(Name="web", nitro_deployment="d-1")
NOTHING: Any = {
    "DescribeImportSnapshotTasks": {"ImportSnapshotTasks": []},
    "DescribeInstances": {"Reservations": []},
    "DescribeNetworkInterfaces": {"NetworkInterfaces": []},
    "DescribeVolumes": {"Volumes": []},
    "DescribeSecurityGroups": {"SecurityGroups": []},
    "DescribePlacementGroups": {"PlacementGroups": []},
    "DescribeImages": {"Images": []},
    "DescribeSnapshots": {"Snapshots": []},
    "HeadBucket": Refused("404", status=404),
}


def two(key: str, first: list[Any], second: list[Any]) -> list[Any]:
    """Two pages."""
    return [{key: first, "NextToken": "2"}, {key: second}]


def task(number: int, status: str, snapshot_id: str = "") -> dict[str, Any]:
    detail = {"Status": status} | ({"SnapshotId": snapshot_id} if snapshot_id else {})
    return {"ImportTaskId": f"import-{number}", "SnapshotTaskDetail": detail, "Tags": OURS}


def instance(number: int, state: str = "running", **more: Any) -> dict[str, Any]:
    return {"InstanceId": f"i-{number}", "State": {"Name": state}, **more}


def snapshot(number: int, state: str = "completed", **more: Any) -> dict[str, Any]:
    return {"SnapshotId": f"snap-{number}", "State": state, "VolumeSize": 1, **more}


def image(number: int, state: str = "available", snapshot_id: str = "", **more: Any) -> Any:
    mappings = [{"Ebs": {"SnapshotId": snapshot_id}}] if snapshot_id else []
    one = {"ImageId": f"ami-{number}", "State": state, "BlockDeviceMappings": mappings}
    return one | more


EVERYTHING: Any = NOTHING | {
    "DescribeImportSnapshotTasks": two(
        "ImportSnapshotTasks",
        [task(1, "active"), task(2, "completed", "snap-7"), task(3, "completed", "snap-8")],
        [task(4, "completed", "snap-9"), task(5, "deleted")],
    ),
    "DescribeInstances": [
        {
            "Reservations": [{"Instances": [instance(1), instance(2, "terminated")]}],
            "NextToken": "2",
        },
        {
            "Reservations": [
                {
                    "Instances": [
                        instance(
                            3,
                            "stopped",
                            Tags=OURS,
                            LaunchTime=at(1),
                            InstanceType="c5.large",
                            PublicIpAddress="203.0.113.7",
                            PrivateIpAddress="10.0.0.7",
                        ),
                        instance(4, PrivateIpAddress="10.0.0.8", PublicIpAddress=""),
                    ]
                }
            ]
        },
    ],
    "DescribeNetworkInterfaces": two(
        "NetworkInterfaces",
        [{"NetworkInterfaceId": "eni-1", "Attachment": {"AttachmentId": "a"}}],
        [
            {"NetworkInterfaceId": "eni-2", "TagSet": OURS, "Status": "available"},
            {"NetworkInterfaceId": "eni-3"},
        ],
    ),
    "DescribeVolumes": two(
        "Volumes",
        [{"VolumeId": "vol-1", "Attachments": [{}], "State": "in-use", "Size": 1}],
        [
            {
                "VolumeId": "vol-2",
                "State": "available",
                "Size": 2,
                "Tags": OURS,
                "CreateTime": at(2),
            },
            {"VolumeId": "vol-3", "State": "error", "Size": 1, "Attachments": []},
        ],
    ),
    "DescribeSecurityGroups": two(
        "SecurityGroups", [{"GroupId": "sg-1"}], [{"GroupId": "sg-2", "Tags": OURS}]
    ),
    "DescribePlacementGroups": {
        "PlacementGroups": [
            {"GroupName": "close"},
            {"GroupName": "far", "State": "available", "Tags": OURS},
        ]
    },
    "DescribeImages": two(
        "Images",
        [image(1)],
        [
            image(
                2,
                Tags=OURS,
                CreationDate="2026-01-01T00:00:00.000Z",
                DeregistrationProtection="enabled-with-cooldown",
            ),
            image(3, "failed", DeregistrationProtection="disabled"),
        ],
    ),
    # The first three are asked for by imports.
    "DescribeSnapshots": [
        {"Snapshots": [{"StartTime": at(3)}]},
        {"Snapshots": [{"StartTime": at(4), "Tags": OURS}]},
        Refused("InvalidSnapshot.NotFound"),
        {"Snapshots": [snapshot(1, "pending")], "NextToken": "2"},
        {"Snapshots": [snapshot(2, Tags=OURS, StartTime=at(5), FullSnapshotSizeInBytes=77)]},
    ],
    "HeadBucket": {},
    "ListObjectsV2": [
        {
            "Contents": [{"Key": "images/a", "LastModified": at(6), "Size": 5}],
            "IsTruncated": True,
            "NextContinuationToken": "2",
        },
        {"Contents": [{"Key": "images/b", "LastModified": at(7), "Size": 6}]},
        {"Contents": [{"Key": "results/c", "LastModified": at(8), "Size": 7}]},
    ],
    "ListMultipartUploads": [
        {
            "Uploads": [{"Key": "images/d", "UploadId": "1", "Initiated": at(9)}],
            "IsTruncated": True,
            "NextKeyMarker": "images/d",
            "NextUploadIdMarker": "1",
        },
        {"Uploads": [{"Key": "images/e", "UploadId": "2"}]},
    ],
    "GetObjectTagging": [{"TagSet": tagged()}, {"TagSet": []}, {"TagSet": tagged()}],
}


def test_everything_is_listed(aws: Answering) -> None:
    aws.case("nothing", inventory, NOTHING)
    aws.case("everything", inventory, EVERYTHING)
    aws.case("with a bucket", inventory, EVERYTHING, "mine")
    bare: Any = {"ListObjectsV2": {}, "ListMultipartUploads": {}}
    aws.case("an empty bucket", inventory, NOTHING | {"HeadBucket": {}} | bare)
    some = {
        "DescribeImportSnapshotTasks": {"ImportSnapshotTasks": [task(1, "completed", "snap-1")]}
    }
    for title, answer in {"none": {"Snapshots": []}, "failed": FAILED}.items():
        aws.case(f"unclaimed: {title}", inventory, NOTHING | some | {"DescribeSnapshots": answer})
    aws.case("placement groups denied", inventory, NOTHING | {"DescribePlacementGroups": DENIED})

    def over(_: Cloud, texts: list[str]) -> object:
        found = [
            Resource("instance", text, tags={tags.EXPIRES: text} if text != "none" else {})
            for text in texts
        ]
        return [one.id for one in expired(found)], [one.id for one in expired(found, at(-2))]

    texts = ["none", "", "soon", "2026-01-31T11:59:59Z", "2026-01-31T12:00:00Z"]
    texts += ["2026-01-31T12:00:01Z", "2026-01-31T13:00:00+01:00", "2026-01-31T14:00:01Z"]
    aws.case("expired", over, {}, texts)
    with_ports = {tags.PORTS: "80 udp:53"}
    for kind, tag_map in (
        ("instance", with_ports),
        ("image", with_ports),
        ("instance", {tags.PORTS: "x"}),
        ("instance", {}),
    ):
        one = Resource(kind, "x", tags=tag_map)
        aws.case(
            f"{kind} {tag_map}", lambda _, one: (one.ports, one.digest, one.deployment), {}, one
        )
    aws.compare("inventory")


def everything() -> list[Resource]:
    ids = {"upload": "mine/images/a#b#c", "object": "mine/images/a", "bucket": "mine"}
    return [Resource(kind, ids.get(kind, f"{kind}-1")) for kind in reversed(KINDS)]


def test_everything_is_removed(aws: Answering) -> None:
    def ask(cloud: Cloud, found: list[Resource]) -> object:
        return [one.id for one in destroy(cloud, found, aws.report)]

    def count(cloud: Cloud, found: list[Resource]) -> object:
        gone, left = remove(cloud, found, aws.report)
        return [one.id for one in gone], left

    answers: Any = {
        "DescribeImportSnapshotTasks": {"ImportSnapshotTasks": [task(1, "deleted", "snap-1")]},
        "DescribeInstances": {"Reservations": [{"Instances": [instance(1, "terminated")]}]},
    }
    calls = (
        *("TerminateInstances", "DeleteNetworkInterface", "DeleteVolume", "DeleteSecurityGroup"),
        *("DeletePlacementGroup", "DeregisterImage", "DeleteSnapshot", "AbortMultipartUpload"),
        *("DeleteObject", "DeleteBucket", "CancelImportTask"),
    )
    for title, answer in {
        "all": {},
        "gone": Refused("InvalidVolume.NotFound"),
        "refused": DENIED,
    }.items():
        every = answers | dict.fromkeys(calls, answer)
        aws.case(title, ask, every, everything())
        aws.case(f"{title}, told", count, every, everything())
        aws.case(f"{title}, alone", lambda c, f: len(destroy(c, f)), every, everything()[:2])
    aws.case("nothing", ask, {}, [])
    aws.compare("destroyed")
