"""What nitro makes of AWS's answers about what can go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nitro.cloud import Cloud, garbage, tags, usage
from nitro.cloud.inventory import KINDS, Resource
from tests.cloud.answers import DENIED, FAILED, NOW, Answering, at, tagged
from tests.cloud.test_answers_inventory import NOTHING, image, snapshot, two

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]


def aged(kind: str, hours: float, state: str = "", **tag_map: str) -> Resource:
    tag_list = tags.from_list(tagged(**tag_map))
    return Resource(kind, f"{kind}-{hours}-{state}", state=state, created=at(hours), tags=tag_list)


def test_what_can_go(aws: Answering) -> None:
    """Everything in each state, older and younger than half a day, and of a time that is over."""

    def look(cloud: Cloud, found: list[Resource], users: Any, images: Any) -> object:
        region = garbage.Region("eu-central-1")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(garbage, "inventory", lambda *_: found)
            patch.setattr(usage, "users_of", users)
            garbage.find(cloud, region, at(12), NOW)
        kept = [(each.resource.id, each.users) for each in region.kept]
        return [f"{each.resource.id}: {each.reason}" for each in region.garbage] + kept

    def nobody(*_: object, **__: object) -> Any:
        return {}

    none: Any = {"DescribeImages": {"Images": []}}
    for kind in KINDS:
        states = {
            "snapshot": ("pending", "completed", "error"),
            "image": ("available", "failed", "invalid", "error"),
        }.get(kind, ("",))
        for state in states:
            for tag_map in (
                {},
                {"nitro_digest": "sha256:0"},
                {"nitro_digest": "sha256:0", "nitro_ephemeral": "true"},
                {"nitro_write": "token"},
                {"nitro_stage": "unfinished"},
                {"nitro_stage": "retired", "nitro_digest": "sha256:0"},
                {"nitro_expires": "2026-01-31T12:00:00Z"},
                {"nitro_expires": "2026-01-31T12:00:01Z", "nitro_digest": "sha256:0"},
            ):
                found = [aged(kind, hours, state, **tag_map) for hours in (0, 12, 12.1)]
                aws.case(f"{kind} {state} {tag_map}", look, none, found, nobody, {})
    parts = ("volume", "network-interface", "security-group", "placement-group")
    for title, deployment in {
        "running": "d-1",
        "another": "d-2",
        "of yesterday": "d-20260130-0",
        "of the day before": "d-20260129-0",
        "of today": "d-20260131-0",
        "of no day": "d-20261301-0",
    }.items():
        found = [Resource("instance", "i-1", tags={tags.DEPLOYMENT: "d-1"})]
        for kind in parts:
            tag_map = {tags.DEPLOYMENT: deployment}
            found.append(Resource(kind, f"{kind} without an age", tags=tag_map))
            found.append(Resource(kind, f"{kind} of old", created=at(13), tags=tag_map))
        aws.case(title, look, none, found, nobody, {})
    aws.compare("what-can-go")


def test_what_stays_because_something_names_it(aws: Answering) -> None:
    def look(cloud: Cloud, users: dict[str, list[str]]) -> object:
        region = garbage.Region("eu-central-1")
        asked: list[object] = []

        def users_of(_: object, ids: list[str], *, shared: list[str]) -> Any:
            asked.append((list(ids), list(shared)))
            return users

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(usage, "users_of", users_of)
            garbage.find(cloud, region, at(6), NOW)
        kept = [(each.resource.id, each.users) for each in region.kept]
        return [*asked, *[f"{each.resource.id}: {each.reason}" for each in region.garbage], *kept]

    over, retired = tagged(nitro_expires="2026-01-01T00:00:00Z"), tagged(nitro_stage="retired")
    proven = tagged(nitro_digest="sha256:0")
    images = [
        image(1, snapshot_id="snap-1", Tags=over),
        image(2, snapshot_id="snap-2", Tags=over, DeregistrationProtection="enabled"),
        image(3, snapshot_id="snap-3", Tags=tagged()),
        image(4, snapshot_id="snap-4", Tags=retired, CreationDate="2026-01-01T00:00:00Z"),
    ]
    theirs = [image(9, snapshot_id="snap-5"), {"ImageId": "ami-8"}, image(7)]
    found = [
        *(snapshot(n, Tags=over, StartTime=at(9)) for n in (1, 2, 3)),
        snapshot(4, Tags=retired, StartTime=at(9)),
        *(snapshot(n, Tags=proven, StartTime=at(9)) for n in (5, 6)),
        snapshot(7, Tags=proven, StartTime=at(1)),
        snapshot(8, "pending", Tags=proven, StartTime=at(9)),
    ]
    answers = NOTHING | {
        "DescribeImages": [{"Images": images}, *two("Images", images, theirs)],
        "DescribeSnapshots": {"Snapshots": found},
    }
    for title, users in {
        "nothing": {},
        "an image": {"ami-1": ["instance i-1", "template"]},
        "a snapshot": {"snap-1": ["template"], "snap-6": ["template"]},
        "others": {"ami-9": ["x"]},
    }.items():
        aws.case(title, look, answers, users)
    aws.compare("named")


def test_regions_are_looked_through_and_cleared(aws: Answering) -> None:
    def look(cloud: Cloud, options: dict[str, Any]) -> object:
        regions = garbage.find_in(cloud, ["eu-central-1", "us-east-1"], **options)
        garbage.collect(cloud, regions, aws.report)
        return [
            (
                each.name,
                [one.resource.id for one in each.garbage],
                [one.id for one in each.removed],
                each.error and f"{type(each.error).__name__} {each.error}",
            )
            for each in regions
        ]

    volume = {"VolumeId": "vol-1", "State": "available", "Size": 1, "CreateTime": at(6)}
    young = {"VolumeId": "vol-2", "State": "available", "Size": 1, "CreateTime": at(5)}
    older = {"VolumeId": "vol-3", "State": "available", "Size": 1, "CreateTime": at(6.1)}
    answers = NOTHING | {"eu-central-1 DescribeVolumes": {"Volumes": [volume, young, older]}}
    for title, options, more in (
        ("plain", {}, {"DeleteVolume": {}}),
        ("younger", {"young": timedelta(hours=5, minutes=-1)}, {"DeleteVolume": {}}),
        ("not removed", {}, {"DeleteVolume": DENIED}),
        ("one fails", {}, {"us-east-1 DescribeVolumes": FAILED, "DeleteVolume": {}}),
        ("with a bucket", {"bucket": "mine"}, {"DeleteVolume": {}}),
    ):
        aws.case(title, look, answers | more, options)
    names = [{"RegionName": "us-east-1"}, {"RegionName": "eu-west-1"}]
    aws.case("regions", garbage.regions_of, {"DescribeRegions": {"Regions": names}})
    aws.compare("regions")
