"""What nitro makes of AWS's answers when it launches, and before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nitro.cloud import (
    Cloud,
    DiskImage,
    Instance,
    InstanceType,
    Keep,
    Placement,
    create_placement,
    launch,
    preflight,
    tags,
    user_data,
)
from nitro.cloud.launch import placement_of
from nitro.cloud.limits import check_disk, check_image, check_tags
from nitro.cloud.network import Subnet
from nitro.ports import Port
from tests.cloud.answers import (
    DENIED,
    FAILED,
    NOW,
    UNCLEAR,
    Answering,
    Refused,
    console,
    instances,
)

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
SMALL = InstanceType(
    "c5.large",
    2,
    4096,
    ("x86_64",),
    ("uefi", "legacy-bios"),
    "required",
    "nitro",
    False,
    "",
    processors={1: (1, 1), 2: (1, 2)},
)
HERE, THERE = Subnet("subnet-1", "vpc-1", "a"), Subnet("subnet-2", "vpc-1", "b", False)
SUBNETS = {
    "Subnets": [
        {
            "SubnetId": one.id,
            "VpcId": one.vpc_id,
            "AvailabilityZone": one.zone,
            "AvailableIpAddressCount": 9,
            "MapPublicIpOnLaunch": one.public,
        }
        for one in (HERE, THERE)
    ]
}
IMAGE = {"ImageId": "ami-1", "Architecture": "x86_64", "EnaSupport": True, "State": "available"}
FULL = Refused("InsufficientInstanceCapacity", "none")
WAITING = [instances("pending")] * 106  # for longer than an instance may take
STARTED = {"Instances": [{"InstanceId": "i-1", "State": {"Name": "pending"}}]}


def test_placements(aws: Answering) -> None:
    def make(cloud: Cloud, options: dict[str, Any]) -> object:
        with aws.undo(cloud, keep=Keep.INSTANCE) as undo:
            given: Any = {"deployment": "d-1", "ports": [Port("tcp", 80)]} | options
            return create_placement(cloud, undo, **given)

    answers: Any = {
        "DescribeSubnets": SUBNETS,
        "DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": [{"Location": "b"}]},
        "CreateSecurityGroup": {"GroupId": "sg-1"},
        "AuthorizeSecurityGroupIngress": {},
    }
    every: dict[str, Any] = {
        "allow": ["192.0.2.0/24"],
        "subnet_id": "subnet-2",
        "type_name": "c5.large",
        "ttl": timedelta(hours=1),
        "extra_tags": {"a": "b"},
        "security_groups": ["sg-2"],
        "placement_group": "close",
        "spot": True,
    }
    aws.case("plain", make, answers, {})
    for name, value in every.items():
        aws.case(name, make, answers, {name: value})
    aws.case("all", make, answers, every)
    aws.case("too many tags", make, answers, {"extra_tags": {f"{n}": "" for n in range(48)}})

    server = Instance("i-1", "c5.large", "running", "", "", "subnet-2")
    ours = replace(server, tags={tags.DEPLOYMENT: "d-1"})
    groups = {"SecurityGroups": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}]}
    for title, one, found in (
        ("ours", ours, groups),
        ("without a group", ours, {"SecurityGroups": []}),
        ("nobody's", server, groups),
    ):
        aws.case(title, placement_of, answers | {"DescribeSecurityGroups": found}, one)
    both = Placement("d-1", HERE, "sg-1", None, others=(THERE,), placement_group="close")

    def beside(_: Cloud, one: Instance) -> object:
        return both.beside(one)

    for id_ in ("subnet-1", "subnet-2", "subnet-3"):
        aws.case(f"beside {id_}", beside, {}, replace(server, subnet_id=id_))
    aws.compare("placements")


def test_launches(aws: Answering) -> None:
    def start(cloud: Cloud, place: Placement, options: dict[str, Any]) -> object:
        keep = Keep.INSTANCE
        with aws.undo(cloud, keep=keep) as undo:
            given: Any = {"name": "web", "report": aws.report} | options
            try:
                return launch(cloud, "ami-1", SMALL, place, undo, **given)
            finally:
                for entry in undo.kept:
                    aws.note(f"kept: {entry.what}, {entry.lifetime.value}, {entry.id}")

    plain = Placement("d-1", HERE, "sg-1", None)
    answers: Any = {
        "DescribeImages": {"Images": [IMAGE]},
        "RunInstances": STARTED,
        "DescribeInstances": [instances("pending"), instances("running")],
        "TerminateInstances": {},
    }
    more: Any = {
        "ttl": timedelta(hours=2),
        "extra_tags": {"a": "b", "Name": "no"},
        "security_groups": ("sg-2", "sg-3"),
        "placement_group": "close",
        "spot": True,
    }
    for name, value in more.items():
        aws.case(name, start, answers, replace(plain, **{name: value}), {})
    for options in (
        {"environment": {"A": "b"}},
        {"payload": "plan"},
        {"instance_profile": "reader"},
        {"processors": 1},
        {"processors": 2},
        {"role": "client-1"},
        {"script": "true", "environment": {"A": "b"}},
        {"script": ""},
        {"report": None},
    ):
        aws.case(str(options), start, answers, plain, options)
    soon = replace(plain, ttl=timedelta(seconds=61))
    aws.case("script with an end", start, answers, soon, {"script": "true"})
    aws.compare("launched")


def test_launches_that_go_wrong(aws: Answering) -> None:
    def start(cloud: Cloud) -> object:
        with aws.undo(cloud, keep=Keep.INSTANCE) as undo:
            place = Placement("d-1", HERE, "sg-1", None, others=(THERE,))
            return launch(cloud, "ami-1", SMALL, place, undo, name="web", report=aws.report)

    answers: Any = {
        "DescribeImages": {"Images": [IMAGE]},
        "RunInstances": STARTED,
        "DescribeInstances": [instances("running")],
        "TerminateInstances": {},
    }
    ended = [instances("terminated", StateReason={"Message": "why"})]
    said = '{"nitro": "start", "uptime": 1}\n{"nitro": "exit", "uptime": 2, "code": 3}\n'
    new = Refused("InvalidInstanceID.NotFound")
    for title, more in {
        "no image": {"DescribeImages": {"Images": []}},
        "second zone": {"RunInstances": [FULL, STARTED]},
        "no zone": {"RunInstances": FULL},
        "refused": {"RunInstances": DENIED},
        "full, perhaps": {
            "RunInstances": [UNCLEAR, FULL],
            "DescribeInstances": [
                instances("terminated", "running") | {"NextToken": "2"},
                instances("pending"),
                instances("terminated"),
            ],
        },
        "new": {"DescribeInstances": [new, new, instances("pending"), instances("running")]},
        "never seen": {"DescribeInstances": new},
        "never runs": {"DescribeInstances": [*WAITING, instances("terminated")]},
        "ends": {"DescribeInstances": ended, "GetConsoleOutput": console("a\nb\n")},
        "ends without a word": {
            "DescribeInstances": ended,
            "GetConsoleOutput": Refused("IncorrectInstanceState"),
        },
        "has run": {"DescribeInstances": ended, "GetConsoleOutput": console(said)},
        "stops": {"DescribeInstances": [instances("stopping"), *ended], "GetConsoleOutput": {}},
    }.items():
        aws.case(title, start, answers | more)
    aws.compare("launches-gone-wrong")


def test_checks_before_a_launch(aws: Answering) -> None:
    def check(cloud: Cloud, kind: InstanceType, options: dict[str, Any]) -> object:
        return preflight.check(cloud, kind, **({"instances": 2} | options))

    def quota(vcpus: float) -> dict[str, Any]:
        return {"Quota": {"Value": vcpus}}

    missing = Refused("NoSuchResourceException")
    answers: Any = {
        "DescribeSubnets": SUBNETS,
        "DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": [{"Location": "b"}]},
        "DescribeSecurityGroups": {"SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1"}]},
        "DescribePlacementGroups": {"PlacementGroups": []},
        "HeadBucket": {},
        "GetServiceQuota": quota(4.0),
        "GetEbsEncryptionByDefault": {"EbsEncryptionByDefault": False},
    }
    plain: dict[str, Any] = {}
    for title, options, more in (
        ("plain", plain, {}),
        ("three", {"instances": 3}, {}),
        ("less than a quota", plain, {"GetServiceQuota": quota(3.9)}),
        ("no quota", plain, {"GetServiceQuota": missing}),
        ("quota denied", plain, {"GetServiceQuota": DENIED}),
        ("quota failed", plain, {"GetServiceQuota": FAILED}),
        ("spot", {"spot": True}, {}),
        ("encrypted", plain, {"GetEbsEncryptionByDefault": {"EbsEncryptionByDefault": True}}),
        ("encryption denied", plain, {"GetEbsEncryptionByDefault": DENIED}),
        ("encryption failed", plain, {"GetEbsEncryptionByDefault": FAILED}),
        ("subnet", {"subnet_id": "subnet-2"}, {}),
        ("from here", {"from_host": True}, {}),
        (
            "from here, public",
            {"from_host": True},
            {"DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": [{"Location": "a"}]}},
        ),
        ("groups", {"security_groups": ["sg-1"]}, {}),
        ("placement", {"placement_group": "close"}, {}),
        ("bucket", {"bucket": "mine"}, {}),
        ("no bucket", {"bucket": "mine"}, {"HeadBucket": Refused("404", status=404)}),
    ):
        aws.case(title, check, answers | more, SMALL, options)
    for name in ("z1d.large", "p3.large", "g4.large", "im4.large"):
        aws.case(name, check, answers, replace(SMALL, name=name), {"instances": 3})
    aws.compare("before-launches")


def test_user_data(aws: Answering) -> None:
    def compose(_: Cloud, *given: Any) -> object:
        return _short(user_data.compose(*given))

    def script(_: Cloud, *given: Any) -> object:
        return _short(user_data.compose_script(*given))

    room = user_data.LIMIT - len("NITRO=1\n\n")
    for title, given in {
        "nothing": ({},),
        "all": ({"A": "b c", "_x9": ""}, "plan\n", NOW),
        "over": ({"NITRO": "2"},),
        "digit": ({"9A": ""},),
        "empty name": ({"": ""},),
        "dash": ({"A-B": ""},),
        "line": ({"A": "b\nc"},),
        "return": ({"A": "b\rc"},),
        "fits": ({}, "x" * room),
        "too long": ({}, "x" * (room + 1)),
        "too long in bytes": ({}, "é" * (room // 2 + 1)),
    }.items():
        aws.case(title, compose, {}, *given)
    room = user_data.LIMIT - len("#!/bin/sh\n\n")
    for seconds in (None, 0, 1, 60, 61, 3600):
        ttl = None if seconds is None else timedelta(seconds=seconds)
        aws.case(f"script for {seconds} s", script, {}, "true", ttl)
    for size in (room, room + 1):
        aws.case(f"script of {size}", script, {}, "x" * size, None)
    aws.compare("user-data")


def _short(text: str) -> str:
    return text if len(text) < 200 else f"{text[:20]}… {len(text.encode())} bytes"


def test_limits(aws: Answering, disk: DiskImage) -> None:
    def call(_: Cloud, check: Any, *given: Any) -> object:
        return check(*given)

    for title, text in {
        "empty": "",
        "all": "".join(map(chr, range(32, 127))),
        "control": "a\x1fb",
        "delete": "a\x7fb",
        "longest": "x" * 255,
        "too long": "x" * 256,
    }.items():
        aws.case(title, call, {}, check_image, "bench", text, {})
        aws.case(f"disk: {title}", call, {}, check_disk, replace(disk, description=text))
    for number in (43, 44, 45, 46):
        given = {f"{n}": "" for n in range(number)}
        aws.case(f"{number} of a disk", call, {}, check_disk, replace(disk, tags=given))
    for title, tag_map in {
        "50": {f"{n}": "" for n in range(50)},
        "51": {f"{n}": "" for n in range(51)},
        "aws": {"AWS:x": "y"},
        "other": {"x:aws:": "y", "aws": "y"},
        "no key": {"": ""},
        "key of 1": {"x": ""},
        "key of 128": {"x" * 128: ""},
        "key of 129": {"x" * 129: ""},
        "value of 256": {"x": "y" * 256},
        "value of 257": {"x": "y" * 257},
    }.items():
        aws.case(title, call, {}, check_tags, tag_map)
    aws.compare("limits")
