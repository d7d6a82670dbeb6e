"""Images by themselves; how they come to be is in test_publish.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nitro.cloud import ApiError, Cloud, DiskImage, Undo, ami, publish
from nitro.cloud.disk import Volume
from nitro.errors import NitroError, RefusedError
from nitro.local.aws import Pace, Site
from nitro.progress import Reporter
from tests.cloud.conftest import NOTHING, RUN, connect, everything, recorded, unproven

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import BlockDeviceMappingTypeDef, ImageTypeDef


def publish_it(cloud: Cloud, disk: DiskImage) -> str:
    with Undo(sleep=cloud.sleep) as undo:
        return publish(cloud, disk, undo).ami_id


@pytest.mark.extended
def test_an_image_is_waited_for(cloud: Cloud, disk: DiskImage, site: Site) -> None:
    site.pace = Pace(import_snapshot=0, register_image=0.2)
    states: list[str] = []
    cloud.session.events.register(
        "after-call.ec2.DescribeImages",
        lambda parsed, **_: states.extend(image["State"] for image in parsed["Images"]),
    )
    publish_it(cloud, disk)
    assert states[0] == "pending"
    assert states[-1] == "available"


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("state", ["failed", "invalid", "error"])
def test_an_image_that_fails_is_a_failure_and_is_taken_back(
    cloud: Cloud, disk: DiskImage, state: str
) -> None:
    def spoil(parsed, **_) -> None:
        for image in parsed["Images"]:
            image |= {"State": state, "StateReason": {"Message": "no such key"}}

    cloud.session.events.register("after-call.ec2.DescribeImages", spoil)
    with pytest.raises(NitroError, match=f"became {state}: no such key"):
        publish_it(cloud, disk)
    assert unproven(connect()) == NOTHING


def test_the_same_disk_for_another_architecture_is_refused(cloud: Cloud, disk: DiskImage) -> None:
    id_ = publish_it(cloud, disk)
    with pytest.raises(RefusedError, match=f"{id_} has this disk, but for x86_64"):
        publish_it(cloud, replace(disk, architecture="arm64"))


@pytest.mark.extended
def test_an_image_that_is_not_there_is_said_to_be_so(cloud: Cloud) -> None:
    with pytest.raises(ApiError) as caught:
        ami.describe(cloud, "ami-00000000000000000")
    assert caught.value.absent


@pytest.mark.extended
def test_removing_it_twice_is_no_error(cloud: Cloud, disk: DiskImage) -> None:
    id_ = publish_it(cloud, disk)
    ami.deregister(cloud, id_)
    ami.deregister(cloud, id_)
    assert everything(cloud)["images"] == []


def test_the_snapshot_of_an_image_is_that_of_its_root_device() -> None:
    data, root = (Volume(name, f"snap-{name}").mapping() for name in ("/dev/sdf", "/dev/xvda"))
    scratch: BlockDeviceMappingTypeDef = {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}
    image: ImageTypeDef = {"RootDeviceName": "/dev/xvda"}
    assert (
        ami.snapshot_of(image | {"BlockDeviceMappings": [data, scratch, root]}) == "snap-/dev/xvda"
    )
    assert ami.snapshot_of(image | {"BlockDeviceMappings": [data, scratch]}) == ""
    assert ami.snapshot_of(image) == ""


@pytest.mark.extended
def test_an_image_has_each_of_its_volumes(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        snapshot_id = publish(cloud, disk, undo).snapshot_id
        volumes = [Volume("/dev/xvda", snapshot_id), Volume("/dev/sdf", snapshot_id)]
        id_ = ami.register(cloud, replace(disk, name="two"), volumes, RUN, undo)
    image = ami.describe(cloud, id_)
    assert [m["DeviceName"] for m in image["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdf"]
    assert image["RootDeviceName"] == "/dev/xvda"


@pytest.mark.extended
def test_its_snapshot_is_known(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        published = publish(cloud, disk, undo)
    calls = recorded(again := connect())
    assert ami.snapshot_of(ami.describe(again, published.ami_id)) == published.snapshot_id
    with Reporter().stage("") as stage:
        ami.wait_available(again, published.ami_id, stage)
    assert {call.operation for call in calls} == {"DescribeImages"}
