"""Who names an AMI: asked in every place, and to the last page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.validate import ParamValidator

from nitro.cloud import Cloud, ami, tags, usage
from nitro.cloud.disk import ROOT_DEVICE, Volume
from nitro.errors import RefusedError
from nitro.progress import Reporter
from nitro.publish import make
from tests.cloud.conftest import refuse
from tests.cloud.publish.conftest import FRIEND, make_release, make_source

pytestmark = pytest.mark.policies("publish")


OURS = {tags.OWNER: tags.OWNER_VALUE}


@pytest.fixture
def image_id(bare_cloud: Cloud, tmp_path: Path) -> str:
    release = make_release(make_source(tmp_path))
    snapshot_id = make.write_snapshot(bare_cloud, release, None, Reporter())
    volumes = [Volume(ROOT_DEVICE, snapshot_id)]
    return ami.request(bare_cloud, "web", release.source.disk, volumes, OURS)


def test_every_place_that_names_an_ami_is_found(bare_cloud: Cloud, image_id: str) -> None:
    ec2, ask = bare_cloud.ec2, lambda: usage.users_of(bare_cloud, [image_id])
    assert ask() == {}
    template = ec2.create_launch_template(
        LaunchTemplateName="web-servers", LaunchTemplateData={"ImageId": image_id}
    )["LaunchTemplate"]["LaunchTemplateId"]
    for _ in range(2):  # a default that names another one does not hide the first
        ec2.create_launch_template_version(
            LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "c5.large"}
        )
    bare_cloud.autoscaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=image_id, InstanceType="c5.large"
    )
    bare_cloud.ssm.put_parameter(Name="plain", Value=f"x,{image_id}", Type="StringList")
    ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": [{"UserId": FRIEND}]})
    instance = ec2.run_instances(ImageId=image_id, InstanceType="c5.large", MinCount=1, MaxCount=1)[
        "Instances"
    ][0]["InstanceId"]
    assert len(usage.users_of(bare_cloud, [image_id], shared=())[image_id]) == 4
    assert ask() == {
        image_id: [
            f"instance {instance}",
            f"launch template {template}, version 1",
            "launch configuration old",
            "parameter plain",
            "another account, with which it is shared",
        ]
    }


def test_every_place_that_names_a_snapshot_is_found(bare_cloud: Cloud, image_id: str) -> None:
    ec2 = bare_cloud.ec2
    snapshot_id = ami.snapshot_of(ami.describe(bare_cloud, image_id))
    assert usage.users_of(bare_cloud, [snapshot_id]) == {}
    volume: Any = {"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": snapshot_id}}
    template = ec2.create_launch_template(
        LaunchTemplateName="web-servers", LaunchTemplateData={"BlockDeviceMappings": [volume]}
    )["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "c5.large"}
    )
    bare_cloud.autoscaling.create_launch_configuration(
        LaunchConfigurationName="old",
        ImageId="ami-12c6146b",
        InstanceType="c5.large",
        BlockDeviceMappings=[volume],
    )
    bare_cloud.ssm.put_parameter(Name="plain", Value=snapshot_id, Type="String")
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot_id,
        Attribute="createVolumePermission",
        CreateVolumePermission={"Add": [{"UserId": FRIEND}]},
    )
    assert usage.users_of(bare_cloud, [snapshot_id]) == {
        snapshot_id: [
            f"launch template {template}, version 1",
            "launch configuration old",
            "parameter plain",
            "another account, with which it is shared",
        ]
    }


def test_requests_that_start_instances_later_are_found(bare_cloud: Cloud, image_id: str) -> None:
    """Also those of which the local Nitro has none: answers of their models' form."""
    launch = {"ImageId": image_id}
    answers: dict[str, dict[str, Any]] = {
        "DescribeSpotInstanceRequests": {
            "SpotInstanceRequests": [
                {"SpotInstanceRequestId": f"sir-{state}", "State": state, **spot}
                for state in ("open", "active", "cancelled", "closed")
                for spot in [{"LaunchSpecification": launch}]
            ]
        },
        "DescribeSpotFleetRequests": {
            "SpotFleetRequestConfigs": [
                {
                    "SpotFleetRequestId": f"sfr-{state}",
                    "SpotFleetRequestState": state,
                    "SpotFleetRequestConfig": {
                        "IamFleetRole": "arn:aws:iam::123456789012:role/fleet",
                        "TargetCapacity": 1,
                        "LaunchSpecifications": [launch],
                    },
                }
                for state in ("active", "cancelled_running", "cancelled")
            ]
        },
        "DescribeFleets": {
            "Fleets": [
                {
                    "FleetId": f"fleet-{state}",
                    "FleetState": state,
                    "LaunchTemplateConfigs": [
                        {"Overrides": [{"InstanceType": "c5.large"}, launch]}
                    ],
                }
                for state in ("active", "deleted_running", "deleted")
            ]
        },
    }
    for operation, answer in answers.items():
        _answer(bare_cloud, operation, answer)
    assert usage.users_of(bare_cloud, [image_id]) == {
        image_id: [
            "spot request sir-open",
            "spot request sir-active",
            "spot fleet sfr-active",
            "fleet fleet-active",
        ]
    }


def _answer(cloud: Cloud, operation: str, answer: dict[str, Any]) -> None:
    """What the service would answer to this operation, once checked against its model."""
    shape: Any = cloud.ec2.meta.service_model.operation_model(operation).output_shape
    assert not ParamValidator().validate(answer, shape).has_errors()
    response = SimpleNamespace(status_code=200, headers={})
    events: Any = cloud.ec2.meta.events  # its stubs do not know that handlers may answer
    events.register(f"before-call.ec2.{operation}", lambda **_: (response, answer))


def test_a_template_may_name_an_earlier_version_of_a_parameter(
    bare_cloud: Cloud, image_id: str
) -> None:
    for number, value in enumerate([image_id, "ami-12c6146b"]):
        bare_cloud.ssm.put_parameter(Name="/web", Value=value, Type="String", Overwrite=number > 0)
    assert usage.users_of(bare_cloud, [image_id]) == {}
    template = bare_cloud.ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": "resolve:ssm:/web:1"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    users = usage.users_of(bare_cloud, [image_id])
    assert users == {image_id: [f"launch template {template}, version 1"]}


@pytest.mark.extended
def test_the_last_of_many_pages_counts(bare_cloud: Cloud, image_id: str) -> None:
    for number in range(60):  # DescribeParameters has 50 a page, GetParameters takes ten
        bare_cloud.ssm.put_parameter(Name=f"p{number:02}", Value="x", Type="String")
    bare_cloud.ssm.put_parameter(Name="z", Value=image_id, Type="String")
    assert usage.users_of(bare_cloud, [image_id]) == {image_id: ["parameter z"]}


@pytest.mark.extended
def test_where_nobody_may_ask_nobody_knows(bare_cloud: Cloud, image_id: str) -> None:
    refuse(bare_cloud, "ssm.DescribeParameters", "AccessDeniedException")
    with pytest.raises(RefusedError):
        usage.users_of(bare_cloud, [image_id])


def test_nothing_is_asked_about_nothing(bare_cloud: Cloud) -> None:
    refuse(bare_cloud, "ssm.DescribeParameters", "AccessDeniedException")
    assert usage.users_of(bare_cloud, []) == {}
