"""What `nitro gc` finds, what it leaves alone, and how it removes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Published, Undo, garbage, publish, snapshot, storage, tags
from nitro.cloud.direct import write_snapshot
from nitro.cloud.garbage import Region, collect, find, find_in
from nitro.cloud.publish import Via
from nitro.local.aws import Pace, Site
from nitro.progress import Reporter
from tests.cloud.authorization import asked_by
from tests.cloud.conftest import (
    NOTHING,
    REGION,
    RUN,
    after,
    connect,
    everything,
    make_disk,
    refuse,
)
from tests.cloud.policed import granted
from tests.cloud.test_policies import assert_needed, given_bucket, interrupted_import, loose_ends
from tests.unit.cli.runner import nitro_

LATER = timedelta(days=2)
ZERO = timedelta(0)


def collector() -> Cloud:
    """Who may do what gc does, and nothing else."""
    with granted("gc"):
        return connect()


def look(cloud: Cloud, after_: timedelta = LATER) -> Region:
    """What is garbage some time from now, for commands that may take six hours."""
    region, now = Region(cloud.region), datetime.now(UTC) + after_
    find(cloud, region, now - garbage.YOUNG, now)
    return region


def reasons(cloud: Cloud | None = None, after_: timedelta = LATER) -> dict[str, str]:
    return {each.resource.kind: each.reason for each in look(cloud or collector(), after_).garbage}


def publish_it(cloud: Cloud, disk: DiskImage) -> Published:
    with Undo(sleep=cloud.sleep) as undo:
        return publish(cloud, disk, undo, via=Via.EBS)


class Killed(BaseException):
    """In place of SIGKILL."""


def killed(disk: DiskImage, call: str, via: Via = Via.EBS) -> None:
    """A run that publishes and ends after a call, with nothing cleaned up."""
    victim = connect()

    def kill() -> None:
        raise Killed

    after(victim, call, kill)
    with pytest.raises(Killed):
        publish(victim, disk, Undo(sleep=victim.sleep), via=via)


@pytest.mark.extended
def test_what_is_complete_or_young_is_no_garbage(cloud: Cloud, disk: DiskImage) -> None:
    publish_it(cloud, disk)
    assert reasons() == {}
    killed(make_disk(disk.path.with_name("other.raw"), seed=2), "ebs.PutSnapshotBlock")
    assert reasons(after_=timedelta(hours=5)) == {}
    assert reasons() == {"snapshot": "it was never completed"}


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("call", "via", "expected"),
    [
        ("ebs.StartSnapshot", Via.EBS, {"snapshot": "it was never completed"}),
        ("ebs.CompleteSnapshot", Via.EBS, {"snapshot": "its content was never proven"}),
        ("ec2.CreateTags", Via.EBS, {"snapshot": "no AMI uses it"}),
        ("s3.CreateMultipartUpload", Via.S3, {"upload": "it was never completed"}),
        ("s3.CompleteMultipartUpload", Via.S3, {"object": "its run did not remove it"}),
        (
            "ec2.ImportSnapshot",
            Via.S3,
            {
                "object": "its run did not remove it",
                "import-task": "nobody waited for its snapshot",
            },
        ),
        ("ec2.RegisterImage", Via.EBS, {}),
    ],
)
def test_what_a_killed_run_leaves_is_found_and_removed(
    cloud: Cloud, disk: DiskImage, call: str, via: Via, expected: dict[str, str]
) -> None:
    killed(disk, call, via)
    region = look(collector())
    assert {each.resource.kind: each.reason for each in region.garbage} == expected
    collect(collector(), [region], Reporter())
    assert region.error is None
    assert [each.resource for each in region.garbage] == region.removed
    assert reasons() == {}
    if expected:
        assert everything(connect())["snapshots"] == []


@pytest.mark.extended
def test_an_import_under_way_is_left_alone(cloud: Cloud, disk: DiskImage, site: Site) -> None:
    site.pace = Pace(import_snapshot=60.0)
    killed(disk, "ec2.ImportSnapshot", Via.S3)
    assert reasons().keys() == {"object"}


def test_what_failed_is_garbage_at_once(cloud: Cloud, disk: DiskImage) -> None:
    published = publish_it(cloud, disk)
    watcher = collector()

    def fail(parsed: dict[str, Any], **_: Any) -> None:
        for raw in parsed.get("Snapshots", []):
            raw["State"] = "error"

    watcher.session.events.register("after-call.ec2.DescribeSnapshots", fail)
    watcher.ec2.deregister_image(ImageId=published.ami_id)
    assert reasons(watcher, ZERO) == {"snapshot": "it failed"}


@pytest.mark.extended
def test_an_ephemeral_run_that_was_killed_is_cleaned_up_after(
    cloud: Cloud, disk: DiskImage
) -> None:
    published = publish_it(cloud, disk)
    ids = [published.ami_id, published.snapshot_id]
    cloud.ec2.create_tags(Resources=ids, Tags=tags.as_list({tags.EPHEMERAL: "true"}))
    region = look(collector())
    kinds = [(each.resource.kind, each.reason) for each in region.garbage]
    assert kinds == [
        ("image", "its run did not remove it"),
        ("snapshot", "its run did not remove it"),
    ]
    collect(collector(), [region], Reporter())
    assert everything(connect()) == NOTHING


def expire(cloud: Cloud, published: Published) -> None:
    past = tags.as_list({tags.EXPIRES: "2020-01-01T00:00:00Z"})
    cloud.ec2.create_tags(Resources=[published.ami_id], Tags=past)


def test_an_image_past_its_time_goes_with_its_snapshot(cloud: Cloud, disk: DiskImage) -> None:
    expire(cloud, publish_it(cloud, disk))
    assert reasons() == {"image": "its time is over", "snapshot": "no AMI uses it"}


def test_a_snapshot_past_its_time_stays_under_an_image_that_stays(
    cloud: Cloud, disk: DiskImage
) -> None:
    past = tags.as_list({tags.EXPIRES: "2020-01-01T00:00:00Z"})
    cloud.ec2.create_tags(Resources=[publish_it(cloud, disk).snapshot_id], Tags=past)
    assert reasons() == {}


def instance(cloud: Cloud, ami_id: str) -> str:
    cloud.ec2.run_instances(ImageId=ami_id, InstanceType="c5.large", MinCount=1, MaxCount=1)
    return "instance i-"


def template(cloud: Cloud, ami_id: str) -> str:
    """The first version names the image, the newest does not."""
    data: Any = {"ImageId": ami_id, "InstanceType": "c5.large"}
    made = cloud.ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=data)
    id_ = made["LaunchTemplate"]["LaunchTemplateId"]
    newer: Any = {"ImageId": "ami-12c6146b"}
    cloud.ec2.create_launch_template_version(LaunchTemplateId=id_, LaunchTemplateData=newer)
    return f"launch template {id_}, version 1"


def parameter(cloud: Cloud, ami_id: str) -> str:
    cloud.ssm.put_parameter(Name="/images/bench", Value=ami_id, Type="String")
    return "parameter /images/bench"


def share(cloud: Cloud, ami_id: str) -> str:
    cloud.ec2.modify_image_attribute(
        ImageId=ami_id, LaunchPermission={"Add": [{"UserId": "111122223333"}]}
    )
    return "another account"


def protection(cloud: Cloud, ami_id: str) -> str:
    cloud.ec2.enable_image_deregistration_protection(ImageId=ami_id)
    return "its deregistration protection"


@pytest.mark.extended
@pytest.mark.parametrize("use", [instance, template, parameter, share, protection])
def test_an_image_that_something_names_stays(cloud: Cloud, disk: DiskImage, use: Any) -> None:
    published = publish_it(cloud, disk)
    expire(cloud, published)
    user = use(connect(), published.ami_id)
    region = look(collector())
    assert region.garbage == []
    (kept,) = region.kept
    assert kept.resource.id == published.ami_id
    assert kept.users[0].startswith(user)


def volume_of_template(cloud: Cloud, snapshot_id: str) -> str:
    """The first version has the volume, the newest does not."""
    data: Any = {
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": snapshot_id}}]
    }
    made = cloud.ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=data)
    id_ = made["LaunchTemplate"]["LaunchTemplateId"]
    newer: Any = {"InstanceType": "c5.large"}
    cloud.ec2.create_launch_template_version(LaunchTemplateId=id_, LaunchTemplateData=newer)
    return f"launch template {id_}, version 1"


def share_snapshot(cloud: Cloud, snapshot_id: str) -> str:
    cloud.ec2.modify_snapshot_attribute(
        SnapshotId=snapshot_id,
        Attribute="createVolumePermission",
        CreateVolumePermission={"Add": [{"UserId": "111122223333"}]},
    )
    return "another account"


@pytest.mark.extended
@pytest.mark.parametrize("use", [volume_of_template, share_snapshot])
def test_a_snapshot_that_something_names_stays(cloud: Cloud, disk: DiskImage, use: Any) -> None:
    published = publish_it(cloud, disk)
    connect().ec2.deregister_image(ImageId=published.ami_id)
    assert reasons() == {"snapshot": "no AMI uses it"}
    user = use(connect(), published.snapshot_id)
    region = look(collector())
    assert region.garbage == []
    (kept,) = region.kept
    assert kept.resource.id == published.snapshot_id
    assert kept.users[0].startswith(user)


@pytest.mark.extended
def test_a_shared_snapshot_that_was_retired_goes(cloud: Cloud, disk: DiskImage) -> None:
    published = publish_it(cloud, disk)
    share_snapshot(connect(), published.snapshot_id)
    mark = tags.as_list({tags.STAGE: tags.Stage.RETIRED.value})
    connect().ec2.create_tags(Resources=[published.snapshot_id], Tags=mark)
    connect().ec2.deregister_image(ImageId=published.ami_id)
    assert reasons() == {"snapshot": "no AMI uses it"}


def test_a_snapshot_under_an_image_of_the_users_own_stays(cloud: Cloud, disk: DiskImage) -> None:
    with Undo(sleep=cloud.sleep) as undo, Reporter().stage("") as stage:
        id_ = write_snapshot(cloud, disk, RUN, undo, stage).snapshot_id
    connect().ec2.register_image(
        Name="theirs",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": id_}}],
    )
    assert look(collector()).garbage == []


@pytest.mark.extended
def test_what_is_not_ours_is_not_seen(cloud: Cloud, disk: DiskImage) -> None:
    started = connect().ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    assert look(collector()).garbage == []
    assert snapshot.exists(cloud, started)


@pytest.mark.extended
def test_a_region_that_fails_does_not_stop_the_others(cloud: Cloud, disk: DiskImage) -> None:
    killed(disk, "ebs.StartSnapshot")
    first, second = find_in(collector(), [REGION, "eu-west-9"], ZERO)
    assert (first.error, len(first.garbage)) == (None, 1)
    assert second.error
    collect(collector(), [second, first], Reporter())
    assert len(first.removed) == 1


def test_what_cannot_be_removed_is_named_and_the_rest_goes(cloud: Cloud, disk: DiskImage) -> None:
    killed(disk, "s3.CompleteMultipartUpload", Via.S3)
    killed(make_disk(disk.path.with_name("other.raw"), seed=2), "ebs.StartSnapshot")
    user = collector()
    refuse(user, "ec2.DeleteSnapshot", "UnauthorizedOperation", status=403)
    region = look(user)
    collect(user, [region], Reporter())
    assert [resource.kind for resource in region.removed] == ["object"]
    assert region.error
    assert "could not remove snap-" in str(region.error)


@pytest.mark.extended
def test_the_policy_allows_all_that_gc_does_and_no_more(
    cloud: Cloud, disk: DiskImage, site: Site, tmp_path: Path
) -> None:
    interrupted_import(connect(), make_disk(tmp_path / "imported.raw", seed=4), site)
    loose_ends(cloud, "d-20200101-1")
    cloud.ec2.create_security_group(
        GroupName="g",
        Description="g",
        TagSpecifications=tags.as_specification(
            ["security-group"], tags.deployment_tags("x", "d-20200101-1", "server", None, {})
        ),
    )
    published = publish_it(cloud, disk)
    expire(cloud, published)
    parameter(cloud, "ami-00000000000000000")
    template(cloud, "ami-00000000000000000")
    killed(make_disk(tmp_path / "other.raw", seed=2), "ebs.StartSnapshot")
    run = connect().ec2.run_instances(
        ImageId=publish_it(cloud, make_disk(tmp_path / "running.raw", seed=5)).ami_id,
        InstanceType="c5.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tags.as_specification(
            ["instance"],
            tags.deployment_tags("x", "d-1", "server", datetime(2020, 1, 1, tzinfo=UTC), {}),
        ),
    )
    assert run["Instances"]
    with granted("gc", "deploy"):  # to give a bucket an object of ours, too
        user = connect()
    asked = asked_by(user)
    garbage.regions_of(user)
    region = look(user, timedelta(days=4))
    collect(user, [region], Reporter())
    assert region.error is None
    kinds = {each.resource.kind for each in region.garbage}
    assert kinds >= {"instance", "image", "snapshot", "object", "upload", "security-group"}
    given_bucket(user, cloud, disk)  # whose objects count with our tags only
    ours = f":::{storage.own_bucket_name(user)}"
    renamed = [replace(each, resource=each.resource.replace(":::shared", ours)) for each in asked]
    used = [each for each in renamed if each.action not in {"s3:PutObject", "s3:PutObjectTagging"}]
    # An interrupted import's snapshot has no tags yet.
    untagged = ("ec2:DeleteSnapshot", "ec2:DescribeSnapshotAttribute")
    assert_needed("gc", used, free=untagged)


@pytest.mark.policies("gc")
def test_the_command_plans_and_removes(
    cloud: Cloud, disk: DiskImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with granted("deploy"):
        killed(disk, "ebs.StartSnapshot")
    words = ("gc", "--cloud", "aws", "--region", REGION)
    assert nitro_(*words).stdout == "no garbage\n"  # it is young
    old = (*words, "--older-than", "1s")
    monkeypatch.setattr(garbage, "_is_old", lambda *_: True)
    planned = nitro_(*old, "--plan").stdout
    assert "it was never completed" in planned
    assert "would go" in planned
    assert len(everything(connect())["snapshots"]) == 1
    (region,) = json.loads(nitro_(*old, "--json").stdout)
    assert [each["removed"] for each in region["garbage"]] == [True]
    assert everything(connect()) == NOTHING
    nitro_(*words, "--older-than", "soon", code=2)


def test_all_enabled_regions_are_looked_through(cloud: Cloud) -> None:
    names = garbage.regions_of(cloud)
    assert REGION in names
    assert len(names) > 10
