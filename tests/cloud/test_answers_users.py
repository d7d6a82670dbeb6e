"""What nitro makes of AWS's answers about who uses images and snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.cloud import usage
from tests.cloud.answers import Answering, Refused
from tests.cloud.test_answers_inventory import instance, two

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]


def test_who_names_images_and_snapshots(aws: Answering) -> None:
    def data(*ids: str) -> dict[str, Any]:
        mappings = [{"Ebs": {"SnapshotId": each}} for each in ids if each.startswith("snap")]
        images = [each for each in ids if not each.startswith("snap")]
        return {"BlockDeviceMappings": [{}, *mappings]} | ({"ImageId": images[0]} if images else {})

    def version(number: int, *ids: str) -> dict[str, Any]:
        return {"VersionNumber": number, "LaunchTemplateData": data(*ids)}

    def override(*ids: str) -> dict[str, Any]:
        return {"Overrides": [{}, *({"ImageId": each} for each in ids)]}

    answers: Any = {
        "DescribeInstances": [
            {"Reservations": [{"Instances": [instance(1, ImageId="ami-1")]}], "NextToken": "2"},
            {
                "Reservations": [
                    {"Instances": [instance(2, "terminated", ImageId="ami-1")]},
                    {"Instances": [instance(3, "stopped", ImageId="ami-1")]},
                ]
            },
        ],
        "DescribeLaunchTemplates": two(
            "LaunchTemplates", [{"LaunchTemplateId": "lt-1"}], [{"LaunchTemplateId": "lt-2"}]
        ),
        "DescribeLaunchTemplateVersions": [
            *two(
                "LaunchTemplateVersions",
                [version(1, "ami-1", "snap-1")],
                [version(2, "resolve:ssm:/web:3"), version(3, "resolve:ssm:/web")],
            ),
            {"LaunchTemplateVersions": [version(1, "snap-1", "snap-2"), version(2)]},
        ],
        "DescribeLaunchConfigurations": two(
            "LaunchConfigurations",
            [data("ami-1") | {"LaunchConfigurationName": "one"}],
            [data("snap-2") | {"LaunchConfigurationName": "two"}],
        ),
        "DescribeAutoScalingGroups": two(
            "AutoScalingGroups",
            [{"AutoScalingGroupName": "plain"}],
            [
                {
                    "AutoScalingGroupName": "mixed",
                    "MixedInstancesPolicy": {"LaunchTemplate": override("ami-2", "ami-1")},
                }
            ],
        ),
        "DescribeSpotInstanceRequests": two(
            "SpotInstanceRequests",
            [
                {
                    "SpotInstanceRequestId": f"sir-{state}",
                    "State": state,
                    "LaunchSpecification": data("ami-2"),
                }
                for state in ("open", "active", "closed", "cancelled", "failed")
            ],
            [{"SpotInstanceRequestId": "sir-2", "State": "open"}],
        ),
        "DescribeSpotFleetRequests": two(
            "SpotFleetRequestConfigs",
            [
                {
                    "SpotFleetRequestId": f"sfr-{state}",
                    "SpotFleetRequestState": state,
                    "SpotFleetRequestConfig": {"LaunchSpecifications": [data("ami-2", "snap-2")]},
                }
                for state in ("active", "cancelled", "cancelled_running", "failed")
            ],
            [
                {
                    "SpotFleetRequestId": "sfr-2",
                    "SpotFleetRequestState": "active",
                    "SpotFleetRequestConfig": {},
                }
            ],
        ),
        "DescribeFleets": two(
            "Fleets",
            [
                {
                    "FleetId": f"fleet-{state}",
                    "FleetState": state,
                    "LaunchTemplateConfigs": [{}, override("ami-2")],
                }
                for state in ("active", "deleted", "deleted_running", "modifying")
            ],
            [{"FleetId": "fleet-2", "FleetState": "active"}],
        ),
        "DescribeParameters": two(
            "Parameters", [{"Name": f"/p{n}"} for n in range(9)], [{"Name": "/p9"}, {"Name": "/q"}]
        ),
        "GetParameters": [
            {"Parameters": [{"Name": "/p0", "Value": "x, ami-1,ami-3 "}]},
            {"Parameters": [{"Name": "/q", "Value": "snap-1"}]},
            {"Parameters": [{"Name": "/web", "Version": 3, "Value": " ami-2 "}]},
        ],
        "DescribeImageAttribute": [
            Refused("InvalidAMIID.NotFound"),
            {"LaunchPermissions": [{"Group": "all"}]},
            {"LaunchPermissions": []},
        ],
        "DescribeSnapshotAttribute": [
            Refused("InvalidSnapshot.NotFound"),
            {"CreateVolumePermissions": [{"Group": "all"}]},
        ],
    }
    ids = ["snap-2", "ami-2", "snap-1", "ami-1", "ami-4"]
    aws.case("all", lambda c, ids: usage.users_of(c, ids), answers, ids)
    aws.case("share", lambda c, i: usage.users_of(c, i, shared=["ami-1"]), answers, ids)
    aws.case("nobody asks", lambda c, i: usage.users_of(c, i, shared=()), answers, ids)
    aws.case("none", usage.users_of, answers, [])
    labelled = {"Name": "/web", "Selector": ":live", "Version": 4, "Value": "ami-1"}
    label = [{"Parameters": []}, {"Parameters": []}, {"Parameters": [labelled]}]
    aws.case("a label", usage.users_of, answers | {"GetParameters": label}, ids)
    for count in (1, 200, 201):
        many = [f"ami-{n:04d}" for n in range(count)]
        of_all: Any = answers | {
            "DescribeParameters": {"Parameters": []},
        }

        def sizes(params: dict[str, Any]) -> object:
            aws.note(f"{len(params['Filters'][0]['Values'])} at a time")
            return {"Reservations": []}

        of_all["DescribeInstances"] = sizes
        of_all["GetParameters"] = {"Parameters": []}
        aws.case(f"{count} images", lambda c, i: len(usage.users_of(c, i, shared=())), of_all, many)
    aws.compare("users")
