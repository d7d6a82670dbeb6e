"""A dry run lists exactly the calls that the real run then makes, and makes none of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import (
    Call,
    Cloud,
    DiskImage,
    Keep,
    Published,
    Undo,
    create_placement,
    dryrun_answers,
    launch,
    publish,
    upload,
)
from nitro.cloud.dryrun import changes_something
from nitro.errors import NitroError, RefusedError
from tests.cloud.conftest import NOTHING, connect, everything, kind, make_disk, recorded
from tests.cloud.joint import deploy
from tests.cloud.operations import called

IDS = re.compile(r"\b(import-snap|snap|ami|sg|i|d|client)-[0-9a-z]+(-[0-9a-z]+)*")
RUN = re.compile(r"(?<=-)[0-9a-f]{8}(?=\.raw$|$)|(?<=nitro%3Arun=)[0-9a-f]{8}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:]+Z?|(?<=NITRO_EXPIRES=)\d+")
ADDRESS = re.compile(r"\b(\d{1,3}\.){3}\d{1,3}\b")


def comparable(value: Any) -> Any:
    """Without what only a real run can know: ids, addresses, times, entity tags, signatures."""
    if isinstance(value, dict):
        if value.get("Key") == "nitro:run":
            return "nitro:run"
        opaque = {"UploadId", "ETag", "BlockToken"}
        return {k: "*" if k in opaque else comparable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str):
        value = RUN.sub("*", TIME.sub("*", value))
        return ADDRESS.sub("*", IDS.sub(r"\1-*", re.sub(r"X-Amz-\S+", "*", value)))
    return value


def shown(calls: list[Call]) -> list[tuple[str, str, Any]]:
    """Tokens of instances follow from their AMI's id, which is not known before."""
    return [
        (
            call.service,
            call.operation,
            comparable(
                {
                    key: value
                    for key, value in call.params.items()
                    if (call.operation, key) != ("RunInstances", "ClientToken")
                }
            ),
        )
        for call in calls
    ]


@pytest.mark.extended
@pytest.mark.parametrize("keep", list(Keep))
def test_it_lists_what_the_real_run_does(
    cloud: Cloud, disk: DiskImage, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "WORKERS", 1)  # parts in their order
    rehearsal = connect(dry_run=True)
    sent = recorded_requests(rehearsal)
    deploy(rehearsal, disk, keep=keep)
    assert rehearsal.plan
    assert sent == []
    assert everything(connect()) == NOTHING

    real = connect()
    made = recorded(real)
    deploy(real, disk, keep=keep)
    assert shown(rehearsal.plan.changes) == shown([call for call in made if call.changes])
    planned, operations = ({c.operation for c in calls} for calls in (rehearsal.plan.calls, made))
    assert operations == planned


@pytest.mark.extended
def test_two_images_of_one_deployment(
    cloud: Cloud, disk: DiskImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second upload finds the bucket that the first one only planned."""
    monkeypatch.setattr(upload, "WORKERS", 1)
    client = make_disk(tmp_path / "client.raw", seed=2, name="client")

    def publish_both(user: Cloud) -> list[Published]:
        with Undo(Keep.NOTHING, sleep=user.sleep) as undo:
            return [publish(user, one, undo) for one in (disk, client)]

    rehearsal = connect(dry_run=True)
    first, second = publish_both(rehearsal)
    assert first.snapshot_id != second.snapshot_id
    real = connect()
    made = recorded(real)
    publish_both(real)
    assert rehearsal.plan
    assert shown(rehearsal.plan.changes) == shown([call for call in made if call.changes])
    assert {c.operation for c in rehearsal.plan.calls} == {c.operation for c in made}


@pytest.mark.extended
def test_it_lists_nothing_for_what_is_there(cloud: Cloud, disk: DiskImage) -> None:
    deploy(cloud, disk)
    rehearsal = connect(dry_run=True)
    published = deploy(rehearsal, disk).published
    assert published.reused
    assert rehearsal.plan
    made = {call.operation for call in rehearsal.plan.changes}
    assert made & {"ImportSnapshot", "RegisterImage", "CreateBucket", "UploadPart"} == set()


def test_a_call_reads_well(cloud: Cloud, disk: DiskImage) -> None:
    rehearsal = connect(dry_run=True)
    deploy(rehearsal, disk)
    assert rehearsal.plan
    parts = [str(c) for c in rehearsal.plan.changes if c.operation == "UploadPart"]
    [part] = [text for text in parts if "<902849 bytes>" in text]
    assert part.startswith("s3:UploadPart(Bucket='nitro-123456789012-eu-central-1'")
    assert "Body='<902849 bytes>'" in part


# Reads that never name something that a dry run only imagines: they are made for real.
ABOUT_THE_ACCOUNT = {
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeNetworkInterfaces",
    "DescribeRegions",
    "DescribeSecurityGroups",
    "DescribeFleets",
    "DescribeSpotFleetRequests",
    "DescribeSpotInstanceRequests",
    "DescribeSubnets",
    "DescribeVolumes",
    "GetCallerIdentity",
    "GetEbsEncryptionByDefault",
    "GetObjectTagging",  # of objects that were listed
    "DescribeImageAttribute",
    "DescribeLaunchTemplateVersions",
    "DescribeLaunchTemplates",
    "DescribeSnapshotAttribute",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetServiceQuota",
    "ListAttachedRolePolicies",
    "ListRolePolicies",
}


@pytest.mark.extended
def test_every_operation_that_is_called_has_its_answer() -> None:
    ours = called() - {"PutObject"}  # which is signed for guests, not made
    ours |= {"PutSnapshotBlock"}  # which is made without a client
    changing = {name for name in ours if changes_something(name, {})}
    assert changing == dryrun_answers.CHANGES.keys()
    assert ours - changing == dryrun_answers.READS.keys() | ABOUT_THE_ACCOUNT


def test_an_unknown_question_about_an_imagined_thing_is_an_error_that_names_it(
    cloud: Cloud, disk: DiskImage
) -> None:
    rehearsal = connect(dry_run=True)
    done = deploy(rehearsal, disk)
    asked: list[Callable[[], object]] = [
        lambda: rehearsal.ec2.describe_image_attribute(
            ImageId=done.published.ami_id, Attribute="description"
        ),
        lambda: rehearsal.ec2.describe_tags(
            Filters=[{"Name": "resource-id", "Values": [done.instance.id]}]
        ),
        lambda: rehearsal.ec2.create_image(InstanceId=done.instance.id, Name="copy"),
    ]
    names = ("DescribeImageAttribute", "DescribeTags", "CreateImage")
    for ask, name in zip(asked, names, strict=True):
        with pytest.raises(NitroError, match=f"cannot tell what ec2:{name} would answer"):
            ask()


@pytest.mark.extended
def test_what_is_imagined_is_described_as_it_was_made(cloud: Cloud, disk: DiskImage) -> None:
    """So that a type too small for the image is refused in a dry run, too."""
    rehearsal = connect(dry_run=True)
    with Undo() as undo:
        published = publish(rehearsal, replace(disk, minimum_memory_mib=1 << 20), undo)
        placement = create_placement(rehearsal, undo, deployment="d-1", ports=[])
        with pytest.raises(RefusedError, match="the image needs 1048576 MiB"):
            launch(rehearsal, published.ami_id, kind(rehearsal), placement, undo, name="x")


def recorded_requests(cloud: Cloud) -> list[str]:
    """Requests that change something and leave for the network all the same."""
    sent: list[str] = []

    def note(request, event_name: str, **_) -> None:
        operation = event_name.rpartition(".")[2]
        if not operation.startswith(("Describe", "Get", "List", "Head")):
            sent.append(operation)

    cloud.session.events.register("before-send", note)
    return sent
