"""What a release makes of AWS's answers about a region, with every call."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from nitro.cloud import Cloud, tags
from nitro.publish import access, checks, observe, parameters, rollback
from nitro.publish.access import Access
from nitro.publish.release import Release
from nitro.publish.source import Source
from tests.cloud.answers import DENIED, FAILED, Answering, Refused
from tests.cloud.publish.conftest import FRIEND, PARAMETER, make_release

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
HOME = "eu-central-1"
ORGANIZATION = f"arn:aws:organizations::{FRIEND}:organization/o-0123456789"
UNIT = f"arn:aws:organizations::{FRIEND}:ou/o-0123456789/ou-abcd-01234567"
EVERY_SHARE: Any = {"accounts": [FRIEND], "organizations": [ORGANIZATION], "units": [UNIT]}
TAKEN = Refused("InvalidAMIName.Duplicate")


@pytest.fixture
def wanted(disk: Source) -> Release:
    return make_release(disk, regions=[HOME])


def image(of: Release, number: int = 1, state: str = "available", **more: Any) -> dict[str, Any]:
    tag_list = tags.as_list(of.tag_map | more.pop("tags", {}))
    one: Any = {
        "ImageId": f"ami-{number}",
        "Name": of.name,
        "State": state,
        "CreationDate": f"2026-01-0{number}T00:00:00.000Z",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": f"snap-{number}"}}
        ],
        "Tags": tag_list,
    }
    one |= more
    return dict(one)


def images(*found: Any) -> dict[str, Any]:
    return {"Images": list(found)}


def snapshot(of: Release, number: int = 1, state: str = "completed", **more: Any) -> dict[str, Any]:
    tag_list = tags.as_list(of.tag_map | more.pop("tags", {}))
    return {"SnapshotId": f"snap-{number}", "State": state, "Tags": tag_list} | more


def test_access(aws: Answering) -> None:
    one, two = frozenset({"1"}), frozenset({"2", "1"})
    many = Access(two, frozenset({"o"}), frozenset({"u"}), frozenset({"all"}))
    some = (Access(), Access(one), Access(organizations=one), Access(units=one), Access(groups=one))

    def call(_: Cloud, found: Access) -> object:
        return [
            (str(found), bool(found), str(found.of_snapshot)),
            (found.launch_permissions(), found.volume_permissions()),
            [str(found.without(other)) for other in (*some, many)],
        ]

    for each in (*some, many):
        aws.case(str(each), call, {}, each)
    answers: Any = {"ModifyImageAttribute": {}, "ModifySnapshotAttribute": {}}
    for add in (Access(), Access(one), many):
        for gone in (Access(), Access(groups=one), many):
            for change in (access.change_image, access.change_snapshot):
                aws.case(
                    f"{change.__name__}: with {add}, without {gone}",
                    lambda c, change, add, gone: change(c, "id-1", add=add, remove=gone),
                    answers,
                    change,
                    add,
                    gone,
                )
    listed: Any = [
        {"UserId": "1"},
        {"UserId": "", "Group": "all"},
        {"OrganizationArn": "o"},
        {"OrganizationalUnitArn": "u"},
        {},
    ]
    entries: Any
    for entries in (listed, []):
        found = {"DescribeImageAttribute": {"LaunchPermissions": entries}}
        aws.case(f"image: {len(entries)}", lambda c: str(access.of_image(c, "ami-1")), found)
        found = {"DescribeSnapshotAttribute": {"CreateVolumePermissions": entries[:2]}}
        aws.case(f"snapshot: {len(entries)}", lambda c: str(access.of_snapshot(c, "s")), found)
    aws.case("not listed", lambda c: str(access.of_image(c, "a")), {"DescribeImageAttribute": {}})
    bare: Any = {"DescribeSnapshotAttribute": {}}
    aws.case("not listed", lambda c: str(access.of_snapshot(c, "s")), bare)
    aws.compare("access")


def test_keys_and_sharing(aws: Answering, disk: Source) -> None:
    def check(cloud: Cloud, keys: dict[str, Any]) -> object:
        settings = make_release(disk, regions=[HOME], **keys).settings
        key = checks.usable_key(cloud, settings)
        checks.require_sharing(cloud, settings, key)
        return key

    plain: Any = {"Arn": "arn:key", "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT"}
    answers: Any = {
        "DescribeKey": {"KeyMetadata": plain},
        "GetEbsEncryptionByDefault": {"EbsEncryptionByDefault": False},
        "GetImageBlockPublicAccessState": {"ImageBlockPublicAccessState": "unblocked"},
        "GetSnapshotBlockPublicAccessState": {"State": "unblocked"},
    }
    key, public = {"kms_key": "k"}, {"share": {"public": True}}
    shared = [{"share": {name: value}} for name, value in EVERY_SHARE.items()]
    encrypted = {"GetEbsEncryptionByDefault": {"EbsEncryptionByDefault": True}}
    for title, keys, more in (
        ("nothing", {}, {}),
        ("a key", key, {}),
        ("a key of the region", {"kms_key": "k", "kms_keys": {HOME: "mine"}}, {}),
        ("a key without a state", key, {"DescribeKey": {"KeyMetadata": {"Arn": "arn:key"}}}),
        ("disabled", key, {"DescribeKey": {"KeyMetadata": plain | {"KeyState": "Disabled"}}}),
        ("RSA", key, {"DescribeKey": {"KeyMetadata": plain | {"KeySpec": "RSA_2048"}}}),
        ("no key", key, {"DescribeKey": Refused("NotFoundException")}),
        ("key denied", key, {"DescribeKey": DENIED}),
        ("AWS's", key, {"DescribeKey": {"KeyMetadata": plain | {"KeyManager": "AWS"}}}),
        *(
            (f"AWS's, shared {number}", key | share, more)
            for number, share in enumerate([*shared, public])
            for more in ({"DescribeKey": {"KeyMetadata": plain | {"KeyManager": "AWS"}}},)
        ),
        *((f"shared {number}", share, {}) for number, share in enumerate(shared)),
        *((f"shared {number}, encrypted", share, encrypted) for number, share in enumerate(shared)),
        ("own key, shared", key | shared[0], encrypted),
        ("public", public, {}),
        ("public, encrypted", public, encrypted),
        ("public with a key", key | public, {}),
        (
            "AMIs blocked",
            public,
            {"GetImageBlockPublicAccessState": {"ImageBlockPublicAccessState": "block-new"}},
        ),
        ("snapshots blocked", public, {"GetSnapshotBlockPublicAccessState": {"State": "block"}}),
    ):
        aws.case(title, check, answers | more, keys)
    aws.compare("keys-and-sharing")


def test_what_a_region_has(aws: Answering, wanted: Release) -> None:
    def look(cloud: Cloud, of: Release) -> object:
        found = observe.observe(cloud, of)
        return [
            (field, [one.id for one in value] if isinstance(value, tuple) else str(value))
            for field, value in (
                (name, getattr(found, name))
                for name in (
                    *("ami", "snapshot", "spare_amis", "spare_snapshots", "earlier", "retired"),
                    *("image_access", "snapshot_access", "parameter", "key"),
                )
            )
        ]

    def old(number: int, stage: str, **more: Any) -> dict[str, Any]:
        return image(wanted, number, Name=f"old {number}", tags={tags.STAGE: stage}, **more)

    series = images(
        *(old(2, "published"), old(3, "retired"), old(4, "unfinished"), old(5, "published")),
        image(wanted, 1),
        image(wanted, 7, Name="x", tags={tags.STAGE: "?"}),
    )
    loose = [
        snapshot(wanted),
        snapshot(wanted, 2, tags={tags.RELEASE: "other"}),
        snapshot(wanted, 3, tags={tags.STAGE: "retired"}),
        snapshot(wanted, 6, "pending"),
        snapshot(wanted, 8, tags={tags.RELEASE: "other", tags.STAGE: "retired"}),
        {"SnapshotId": "snap-9", "State": "error", "Tags": []},
    ]
    base: Any = {
        "DescribeImages": [images(), images()],
        "DescribeSnapshots": {"Snapshots": []},
        "GetParameter": Refused("ParameterNotFound"),
        "DescribeImageAttribute": {"LaunchPermissions": [{"UserId": "1"}]},
        "DescribeSnapshotAttribute": {"CreateVolumePermissions": [{"UserId": "2"}]},
        "DescribeKey": {"KeyMetadata": {"Arn": "arn:key", "KeySpec": "SYMMETRIC_DEFAULT"}},
    }
    unproven = {
        "SnapshotId": "snap-1",
        "State": "completed",
        "Tags": tags.as_list(wanted.unproven_tags),
    }
    two = [images(image(wanted, 2)) | {"NextToken": "2"}, images(image(wanted))]
    for title, more in {
        "nothing": {},
        "the AMI": {"DescribeImages": [images(image(wanted)), series]},
        "two of them": {"DescribeImages": [*two, series]},
        "as old as another": {
            "DescribeImages": [
                images(image(wanted, 2, CreationDate="2026-01-01T00:00:00Z"), image(wanted)),
                series,
            ]
        },
        "pending": {"DescribeImages": [images(image(wanted, 1, "pending")), series]},
        "failed": {"DescribeImages": [images(image(wanted, 1, "failed")), series]},
        "all snapshots": {
            "DescribeImages": [images(image(wanted)), series],
            "DescribeSnapshots": [
                {"Snapshots": loose[:3], "NextToken": "2"},
                {"Snapshots": loose[3:]},
            ],
        },
        "a snapshot to register": {"DescribeSnapshots": {"Snapshots": loose}},
        "one that is not proven": {"DescribeSnapshots": {"Snapshots": [unproven]}},
        "the parameter": {"GetParameter": {"Parameter": {"Type": "String", "Value": "ami-9"}}},
        "taken": {"DescribeImages": images(image(wanted, 1, Tags=[]))},
        "taken by another disk": {"DescribeImages": images(image(wanted, tags={tags.DIGEST: "x"}))},
    }.items():
        aws.case(title, look, base | more, wanted)
    keyed = replace(wanted, settings=wanted.settings.model_copy(update={"kms_key": "k"}))
    for key in ("arn:key", "arn:other"):
        found = {"DescribeSnapshots": {"Snapshots": [snapshot(wanted, KmsKeyId=key)]}}
        aws.case(f"encrypted with {key}", look, base | found, keyed)
    aws.case("without a parameter", look, base, replace(wanted, parameter=None))
    theirs = image(wanted, 3, Tags=[])
    for title, found in {
        "of the name": images(image(wanted, 2, "failed"), image(wanted), theirs),
        "not ours": images(theirs),
    }.items():
        aws.case(title, observe.find_ami, {"DescribeImages": found}, "name")
    raw: Any
    for raw in (
        {},
        {"DeprecationTime": "2027-01-01T00:00:00Z", "DeregistrationProtection": "enabled"},
        {"DeregistrationProtection": "disabled", "Name": ""},
    ):
        one = image(wanted, **raw)
        if not raw:
            del one["Name"], one["Tags"]
        aws.case(f"{raw}", lambda _, one: asdict(observe.of_image(one)), {}, one)
    aws.compare("regions-of-a-release")


def test_parameters(aws: Answering) -> None:
    def value(text: str) -> dict[str, Any]:
        return {"Parameter": {"Type": "String", "Value": text}}

    for title, answer in {
        "there": value("ami-1"),
        "a secret": {"Parameter": {"Type": "SecureString", "Value": "x"}},
        "gone": Refused("ParameterNotFound"),
        "failed": FAILED,
    }.items():
        aws.case(title, parameters.read, {"GetParameter": answer}, PARAMETER)

    def flip(cloud: Cloud, befores: dict[str, str | None]) -> None:
        flips = [
            parameters.Flip(cloud.in_region(region), PARAMETER, before, "ami-2")
            for region, before in befores.items()
        ]
        parameters.flip_all(flips, aws.report)

    home: Any = {HOME: "ami-1"}
    both: Any = {HOME: "ami-1", "us-east-1": None}
    base: Any = {"PutParameter": {"Version": 1}, "DeleteParameter": {}}
    for title, befores, more in (
        ("one", home, {"GetParameter": [value("ami-1"), value("ami-2")]}),
        ("new", {HOME: None}, {"GetParameter": [Refused("ParameterNotFound"), value("ami-2")]}),
        ("none", {}, {}),
        ("never", home, {"GetParameter": value("ami-1")}),
        ("refused", home, {"PutParameter": DENIED, "GetParameter": value("ami-1")}),
        ("refused, new", {HOME: None}, {"PutParameter": DENIED}),
        (
            "refused, gone",
            {HOME: None},
            {"PutParameter": DENIED, "DeleteParameter": Refused("ParameterNotFound")},
        ),
        (
            "put back",
            both,
            {
                f"{HOME} GetParameter": [value("ami-2"), value("ami-2"), value("ami-1")],
                "us-east-1 PutParameter": FAILED,
            },
        ),
        (
            "not put back",
            both,
            {
                f"{HOME} GetParameter": [value("ami-2"), DENIED],
                "us-east-1 PutParameter": FAILED,
                "us-east-1 DeleteParameter": DENIED,
            },
        ),
    ):
        aws.case(title, flip, base | more, befores)
    aws.compare("parameters")


def test_a_roll_back(aws: Answering, wanted: Release) -> None:
    def back(cloud: Cloud) -> object:
        target = rollback.Target(wanted.name, PARAMETER, [HOME, "us-east-1"])
        found = rollback.roll_back(cloud, target, aws.report)
        return [(flip.cloud.region, flip.name, flip.before, flip.after) for flip in found]

    def value(text: str) -> dict[str, Any]:
        return {"Parameter": {"Type": "String", "Value": text}}

    base: Any = {
        f"{HOME} DescribeImages": images(image(wanted)),
        "us-east-1 DescribeImages": images(image(wanted, 2)),
        f"{HOME} GetParameter": [value("ami-9"), value("ami-1")],
        "us-east-1 GetParameter": value("ami-2"),
        "PutParameter": {"Version": 1},
    }
    for title, more in {
        "one": {},
        "none": {f"{HOME} GetParameter": value("ami-1")},
        "lacking": {"us-east-1 DescribeImages": images()},
        "both lacking": {
            "us-east-1 DescribeImages": images(),
            f"{HOME} DescribeImages": images(image(wanted, 1, "pending")),
        },
        "new": {f"{HOME} GetParameter": [Refused("ParameterNotFound"), value("ami-1")]},
        "denied": {"us-east-1 GetParameter": DENIED},
    }.items():
        aws.case(title, back, base | more)
    aws.compare("rolled-back")
