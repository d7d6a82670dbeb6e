"""Publishing to several regions: one AMI in each, as it was asked for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from moto.core.utils import utcnow

from nitro.cloud import Cloud, storage, tags
from nitro.errors import InputError, RefusedError
from nitro.progress import Reporter
from nitro.publish import access, parameters, steps
from nitro.publish.access import Access
from nitro.publish.observe import find_ami
from nitro.publish.publication import plan
from nitro.publish.source import Source
from tests.cloud.conftest import connect, recorded, refuse
from tests.cloud.publish.accounts import state
from tests.cloud.publish.conftest import (
    FRIEND,
    PARAMETER,
    REGIONS,
    make_release,
    make_source,
    publish_it,
)
from tests.heard import Heard

pytestmark = pytest.mark.policies("publish")

HOME, SECOND, THIRD = REGIONS


def amis(account: Cloud, name: str) -> dict[str, Any]:
    """Region → our AMIs of this name, as EC2 describes them."""
    return {
        region: account.in_region(region).ec2.describe_images(
            Owners=["self"], Filters=[{"Name": "name", "Values": [name]}]
        )["Images"]
        for region in REGIONS
    }


def in_region(cloud: Cloud, region: str, call: str, code: str, **options: Any) -> None:
    """Make a call fail in one region only."""

    def answer(model: Any, request_signer: Any, **_: Any) -> Any:
        if request_signer._region_name != region:
            return None
        return refuse_once(model)

    service, _, operation = call.partition(".")
    refusing = connect()
    refuse(refusing, call, code, **options)
    handlers: Any = refusing.session.events

    def refuse_once(model: Any) -> Any:
        found = handlers.emit_until_response(
            f"before-call.{service}.{operation}", model=model, params={}, context={}
        )
        return found[1]

    cloud.session.events.register(f"before-call.{call}", answer)


@pytest.mark.extended
@pytest.mark.parametrize("via", ["s3", "ebs"])
def test_every_region_gets_the_disk_under_one_name(
    account: Cloud, disk: Source, via: str, site: Any
) -> None:
    wanted = make_release(disk, via=via)
    done = publish_it(wanted)
    assert not done.failed
    for region, found in amis(account, wanted.name).items():
        (image,) = found
        assert tags.from_list(image["Tags"]) == wanted.tag_map
        assert (image["BootMode"], image["ImdsSupport"]) == ("uefi", "v2.0")
        snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        stored = site.store.path(snapshot_id).read_bytes()
        content = disk.disk.path.read_bytes()
        assert stored[: len(content)] == content
        assert not stored[len(content) :].strip(b"\0")
        assert parameters.read(account.in_region(region), PARAMETER) == image["ImageId"]


@pytest.mark.extended
def test_with_nothing_to_do_there_are_only_reads(account: Cloud, disk: Source) -> None:
    wanted = make_release(
        disk, via="s3", share={"accounts": [FRIEND]}, deprecate="30d", protect=True, keep=1
    )
    publish_it(wanted)
    again = connect()
    calls = recorded(again)
    done = publish_it(wanted, again)
    assert done.plan.steps == ()
    assert [str(call) for call in calls if call.changes] == []
    assert {outcome.changed for outcome in done.outcomes} == {False}


@pytest.mark.extended
def test_the_plan_changes_nothing_and_is_what_is_done(account: Cloud, disk: Source) -> None:
    wanted = make_release(disk, via="s3")
    before, looking = state(account), connect()
    calls = recorded(looking)
    planned = plan(looking, wanted, Reporter())
    assert [str(call) for call in calls if call.changes] == []
    assert state(account) == before
    doing = connect()
    calls = recorded(doing)
    assert publish_it(wanted, doing).plan.steps == planned.steps
    made = [f"{call.service}:{call.operation}" for call in calls if call.changes]
    bucket = {"s3:CreateBucket", *(each for each in made if each.startswith("s3:Put"))}
    bucket |= {"s3:AbortMultipartUpload"}
    assert {each: made.count(each) for each in made if each not in bucket} == planned.calls


@pytest.mark.extended
def test_a_plan_asks_each_of_twenty_regions_three_questions(account: Cloud, disk: Source) -> None:
    regions = account.session.get_available_regions("ec2")[:20]
    asking = connect()
    calls = recorded(asking)
    plan(asking, make_release(disk, regions=regions, parameter=None), Reporter())
    assert len(calls) == 3 * len(regions)


@pytest.mark.extended
def test_a_region_named_twice_and_home_among_the_copies_is_one_ami(
    account: Cloud, disk: Source
) -> None:
    wanted = make_release(disk, via="s3", regions=[HOME, SECOND, HOME, SECOND])
    planned = plan(connect(), wanted, Reporter())
    copies = [step for step in planned.steps if isinstance(step, steps.Copy)]
    assert [(step.region, step.source) for step in copies] == [(SECOND, HOME)]
    publish_it(wanted)
    found = amis(account, wanted.name)
    assert [len(found[region]) for region in REGIONS] == [1, 1, 0]


@pytest.mark.extended
def test_a_name_taken_in_one_region_is_found_before_any_upload(
    account: Cloud, disk: Source, tmp_path: Path
) -> None:
    other = make_source(tmp_path, content=b"other")
    publish_it(make_release(other, ami_name="taken", regions=[HOME, THIRD], via="s3"))
    (image,) = amis(account, "taken")[HOME]
    account.ec2.deregister_image(ImageId=image["ImageId"])
    calls = recorded(connection := connect())
    with pytest.raises(RefusedError, match=f"taken in {THIRD}"):
        publish_it(make_release(disk, ami_name="taken", via="s3"), connection)
    assert [str(call) for call in calls if call.changes] == []


@pytest.mark.extended
def test_sharing_tags_and_deprecation_follow_into_copies(account: Cloud, disk: Source) -> None:
    unit = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678"
    wanted = make_release(
        disk,
        via="s3",
        share={"accounts": [FRIEND], "units": [unit]},
        deprecate="30d",
        protect=True,
        tags={"stack": "blue"},
    )
    publish_it(wanted)
    for region, (image,) in amis(account, wanted.name).items():
        cloud = account.in_region(region)
        assert image["DeprecationTime"]
        assert image["DeregistrationProtection"] != "disabled"
        shared = Access(frozenset({FRIEND}), units=frozenset({unit}))
        assert access.of_image(cloud, image["ImageId"]) == shared
        snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        assert access.of_snapshot(cloud, snapshot_id) == shared.of_snapshot
        (snapshot,) = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
        assert tags.from_list(snapshot["Tags"]).items() >= wanted.tag_map.items()


@pytest.mark.extended
def test_settings_that_change_are_applied_to_what_is_there(account: Cloud, disk: Source) -> None:
    publish_it(make_release(disk, via="s3", share={"accounts": [FRIEND]}, protect=True))
    plain = make_release(disk, via="s3", deprecate="5d", tags={"stack": "blue"})
    done = publish_it(plain)
    assert {type(step).__name__ for step in done.plan.steps} == {
        *("ShareImage", "ShareSnapshot", "Deprecate", "Protect", "Finish")
    }
    for region, (image,) in amis(account, plain.name).items():
        assert not access.of_image(account.in_region(region), image["ImageId"])
        assert tags.from_list(image["Tags"])["stack"] == "blue"
    assert publish_it(plain).plan.steps == ()


class Later(datetime):
    """A clock that is two days ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(days=2)


@pytest.mark.extended
def test_a_date_that_is_past_is_refused_before_anything_is_uploaded(
    account: Cloud, disk: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But an AMI that has it already, since when it was to come, needs nothing."""
    late = make_release(disk, via="ebs", deprecate="2020-01-01")
    before = state(account)
    with pytest.raises(InputError, match="2020-01-01 00:00 UTC, in eu-central-1, is past"):
        publish_it(late)
    assert state(account) == before
    plain = make_release(disk, via="ebs")
    publish_it(plain)
    with pytest.raises(InputError, match="is past"):
        publish_it(late)
    soon = make_release(disk, via="ebs", deprecate=datetime.now(UTC) + timedelta(days=1))
    assert not publish_it(soon).failed
    monkeypatch.setattr("nitro.publish.publication.datetime", Later)
    assert publish_it(soon).plan.steps == ()


@pytest.mark.extended
def test_a_region_that_is_down_is_repaired_by_the_next_run(account: Cloud, disk: Source) -> None:
    wanted = make_release(disk, via="s3")
    broken = connect()
    in_region(broken, SECOND, "ec2.DescribeImages", "InternalError", status=500)
    done = publish_it(wanted, broken, heard := Heard())
    assert [outcome.region for outcome in done.failed] == [SECOND]
    failed = [note for note in heard.notes if "failed" in note]
    assert len(failed) == 1
    assert failed[0].startswith(f"{SECOND}: failed: ec2:DescribeImages failed in {SECOND}")
    found = amis(account, wanted.name)
    assert [len(found[region]) for region in REGIONS] == [1, 0, 1]
    for region in REGIONS:
        assert parameters.read(account.in_region(region), PARAMETER) is None, "no half flip"
    assert not publish_it(wanted).failed
    for region, (image,) in amis(account, wanted.name).items():
        assert parameters.read(account.in_region(region), PARAMETER) == image["ImageId"]


@pytest.mark.extended
def test_where_writing_is_denied_the_disk_goes_through_s3_unless_it_was_to_be_written(
    account: Cloud, disk: Source
) -> None:
    denied = connect()
    refuse(denied, "ebs.StartSnapshot", "AccessDeniedException", status=403)
    written = make_release(disk, via="ebs", regions=[HOME])
    (outcome,) = publish_it(written, denied).outcomes
    assert outcome.error
    assert "permission denied: ebs:StartSnapshot" in outcome.error.what
    done = publish_it(make_release(disk, regions=[HOME]), denied, heard := Heard())
    assert not done.failed
    assert f"{HOME}: by way of S3, because permission denied: ebs:StartSnapshot" in heard.notes


@pytest.mark.extended
def test_a_copy_that_fails_is_made_anew(account: Cloud, disk: Source) -> None:
    wanted = make_release(disk, via="s3", regions=[HOME, SECOND])
    broken = connect()
    in_region(broken, SECOND, "ec2.CopyImage", "Blocked")
    assert [outcome.region for outcome in publish_it(wanted, broken).failed] == [SECOND]
    assert not publish_it(wanted).failed


@pytest.mark.extended
def test_room_for_a_copy_is_waited_for(account: Cloud, disk: Source) -> None:
    """Twenty copies at a time may go to a region."""
    busy = connect()
    in_region(busy, SECOND, "ec2.CopyImage", "ResourceLimitExceeded", times=2)
    assert not publish_it(make_release(disk, via="s3", regions=[HOME, SECOND]), busy).failed


@pytest.mark.extended
@pytest.mark.parametrize(
    ("via", "gone"), [("s3", (HOME, SECOND)), ("s3", (SECOND,)), ("ebs", (HOME, SECOND))]
)
def test_an_ami_that_was_deregistered_is_made_anew(
    account: Cloud, disk: Source, monkeypatch: pytest.MonkeyPatch, via: str, gone: tuple[str, ...]
) -> None:
    """The copy's token still stands for the AMI that is gone, if its source is not."""
    monkeypatch.setattr("nitro.cloud.visibility.VISIBLE_AFTER", 0.05)
    monkeypatch.setattr("nitro.cloud.wait.VISIBLE_AFTER", 0.05)
    wanted = make_release(disk, via=via, regions=[HOME, SECOND])
    publish_it(wanted)
    for region in gone:
        cloud = account.in_region(region)
        image = find_ami(cloud, wanted.name)
        assert image
        cloud.ec2.deregister_image(ImageId=image.id)
        cloud.ec2.delete_snapshot(SnapshotId=image.snapshot_id)
    assert not publish_it(wanted).failed
    found = amis(account, wanted.name)
    assert [len(found[region]) for region in REGIONS] == [1, 1, 0]


@pytest.mark.extended
def test_an_ami_of_somebody_else_s_is_not_found_by_its_name(account: Cloud) -> None:
    volume = account.ec2.create_volume(Size=1, AvailabilityZone=f"{HOME}a")["VolumeId"]
    ebs: Any = {"SnapshotId": account.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]}
    root: Any = {"DeviceName": "/dev/xvda", "Ebs": ebs}
    found = account.ec2.register_image(
        Name="taken", RootDeviceName="/dev/xvda", BlockDeviceMappings=[root]
    )
    assert find_ami(account, "taken") is None
    own = [{"Key": tags.OWNER, "Value": "nitro"}]
    account.ec2.create_tags(Resources=[found["ImageId"]], Tags=own)  # type: ignore[arg-type]
    image = find_ami(account, "taken")
    assert image
    assert image.id == found["ImageId"]


@pytest.mark.extended
def test_retention_keeps_the_newest_and_what_is_in_use(
    account: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AMIs have the second in which they were made, and four of one second have no order.
    seconds = count()
    monkeypatch.setattr(
        "nitro.local.aws.images.utcnow", lambda: utcnow() + timedelta(seconds=next(seconds))
    )
    made = [make_source(tmp_path, content=f"{n}".encode()) for n in range(4)]
    releases = [
        make_release(each, version=f"{n}", via="s3", keep=2, protect=True, regions=[HOME, SECOND])
        for n, each in enumerate(made)
    ]
    publish_it(releases[0])
    first = [find_ami(account.in_region(each), releases[0].name) for each in (HOME, SECOND)]
    assert first[0]
    assert first[1]
    volume: Any = {"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": first[0].snapshot_id}}
    account.ec2.create_launch_template(
        LaunchTemplateName="web-servers", LaunchTemplateData={"BlockDeviceMappings": [volume]}
    )
    account.in_region(SECOND).ec2.create_launch_template(
        LaunchTemplateName="web-servers", LaunchTemplateData={"ImageId": first[1].id}
    )
    for each in releases[1:]:
        done = publish_it(each)
        assert not done.failed
    assert list(done.plan.kept) == [first[0].id, first[1].id]
    left = {
        region: sorted(
            image["Name"]
            for image in account.in_region(region).ec2.describe_images(Owners=["self"])["Images"]
        )
        for region in (HOME, SECOND)
    }
    names = [each.name for each in (releases[0], *releases[2:])]
    assert left == {HOME: names, SECOND: names}
    for region, names in left.items():
        snapshots = account.in_region(region).ec2.describe_snapshots(OwnerIds=["self"])
        assert len(snapshots["Snapshots"]) == len(names)


@pytest.mark.extended
def test_what_an_interrupted_run_retired_stays_if_something_names_it_by_now(
    account: Cloud, disk: Source, tmp_path: Path
) -> None:
    first = make_release(disk, version="1", via="ebs", regions=[HOME], keep=1, parameter=None)
    publish_it(first)
    old = find_ami(account, first.name)
    assert old
    mark = {tags.STAGE: tags.Stage.RETIRED.value}
    account.ec2.create_tags(Resources=[old.id, old.snapshot_id], Tags=tags.as_list(mark))
    account.ssm.put_parameter(Name="/rolled/back", Value=old.id, Type="String")
    newer = make_source(tmp_path, content=b"newer")
    second = make_release(newer, version="2", via="ebs", regions=[HOME], keep=1, parameter=None)
    assert publish_it(second).plan.kept == {old.id: ["parameter /rolled/back"]}
    assert find_ami(account, first.name)
    account.ssm.delete_parameter(Name="/rolled/back")
    publish_it(second)
    assert find_ami(account, first.name) is None


@pytest.mark.extended
def test_the_disk_is_given_back_by_the_bucket(account: Cloud, disk: Source) -> None:
    publish_it(make_release(disk, via="s3"))
    bucket = storage.own_bucket_name(account)
    assert "Contents" not in account.s3.list_objects_v2(Bucket=bucket)


def test_a_defect_ends_the_command_and_no_thread_waits(
    account: Cloud, disk: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nitro.publish.make.register", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publish_it(make_release(disk, via="s3"))
