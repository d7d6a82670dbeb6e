"""Launch templates and all of their versions."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code

NAME = "template"


@pytest.fixture
def template(account: Account) -> str:
    """The id of a template with three versions, the second of which is the default."""
    create = account.ec2.create_launch_template
    made = create(
        LaunchTemplateName=NAME,
        LaunchTemplateData={"ImageId": "ami-1", "InstanceType": "c5.large"},
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    )["LaunchTemplate"]
    for image, source in (("ami-2", "1"), ("ami-3", "$Latest")):
        account.ec2.create_launch_template_version(
            LaunchTemplateName=NAME, SourceVersion=source, LaunchTemplateData={"ImageId": image}
        )
    account.ec2.modify_launch_template(
        LaunchTemplateId=made["LaunchTemplateId"], DefaultVersion="2"
    )
    return str(made["LaunchTemplateId"])


def versions(account: Account, **asked: Any) -> dict[int, str]:
    found = account.ec2.describe_launch_template_versions(**asked)["LaunchTemplateVersions"]
    return {each["VersionNumber"]: each["LaunchTemplateData"]["ImageId"] for each in found}


def test_every_version_is_kept_and_found(account: Account, template: str) -> None:
    (found,) = account.ec2.describe_launch_templates(LaunchTemplateIds=[template])[
        "LaunchTemplates"
    ]
    assert (found["DefaultVersionNumber"], found["LatestVersionNumber"]) == (2, 3)
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]
    assert versions(account, LaunchTemplateId=template) == {1: "ami-1", 2: "ami-2", 3: "ami-3"}
    assert versions(account, LaunchTemplateName=NAME, MinVersion="2") == {2: "ami-2", 3: "ami-3"}
    assert versions(account, LaunchTemplateName=NAME, Versions=["1", "$Latest"]) == {
        1: "ami-1",
        3: "ami-3",
    }
    assert versions(account, Versions=["$Default"]) == {2: "ami-2"}


def test_a_version_takes_over_what_its_source_says(account: Account, template: str) -> None:
    asked = {"LaunchTemplateId": template, "Versions": ["3"]}
    (found,) = account.ec2.describe_launch_template_versions(**asked)["LaunchTemplateVersions"]
    assert found["LaunchTemplateData"] == {"ImageId": "ami-3", "InstanceType": "c5.large"}


def test_versions_are_deleted_but_for_the_default(account: Account, template: str) -> None:
    answer = account.ec2.delete_launch_template_versions(
        LaunchTemplateId=template, Versions=["1", "2", "9"]
    )
    deleted = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    assert [each["VersionNumber"] for each in deleted] == [1]
    refused = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [each["VersionNumber"] for each in refused] == [2, 9]
    made = account.ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData={"ImageId": "ami-4"}
    )
    assert made["LaunchTemplateVersion"]["VersionNumber"] == 4
    assert versions(account, LaunchTemplateId=template) == {2: "ami-2", 3: "ami-3", 4: "ami-4"}


@pytest.mark.extended
def test_no_template_is_left_out_of_the_list(account: Account) -> None:
    data = {"ImageId": "ami-1"}
    for number in range(20):
        account.ec2.create_launch_template(
            LaunchTemplateName=f"t-{number}", LaunchTemplateData=data
        )
    assert len(account.ec2.describe_launch_templates()["LaunchTemplates"]) == 20
    pages = account.ec2.get_paginator("describe_launch_template_versions").paginate(
        Versions=["$Latest"], PaginationConfig={"PageSize": 7}
    )
    assert [len(page["LaunchTemplateVersions"]) for page in pages] == [7, 7, 6]


def test_what_does_not_exist_is_refused(account: Account, template: str) -> None:
    ec2 = account.ec2
    data = {"ImageId": "ami-1"}
    for call, code in (
        (lambda: ec2.create_launch_template(LaunchTemplateName=NAME, LaunchTemplateData=data),
         "InvalidLaunchTemplateName.AlreadyExistsException"),
        (lambda: versions(account, LaunchTemplateId="lt-1"), "InvalidLaunchTemplateId.NotFound"),
        (lambda: versions(account, LaunchTemplateId=template, Versions=["7"]),
         "InvalidLaunchTemplateId.VersionNotFound"),
        (lambda: versions(account), "MissingParameter"),
        (lambda: ec2.delete_launch_template(), "InvalidParameterCombination"),
    ):  # fmt: skip
        assert error_code(call) == code
    ec2.delete_launch_template(LaunchTemplateName=NAME)
    assert not ec2.describe_launch_templates()["LaunchTemplates"]


def test_an_instance_is_launched_from_a_template(account: Account) -> None:
    snapshot_id = account.snapshot()
    first, second = (account.image(snapshot_id, name=name) for name in ("one", "two"))
    data = {
        "ImageId": first,
        "InstanceType": "t3.micro",
        "Monitoring": {"Enabled": True},
        "CreditSpecification": {"CpuCredits": "standard"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}],
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}
        ],
    }
    created = account.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)
    template_id = created["LaunchTemplate"]["LaunchTemplateId"]
    account.ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={"ImageId": second}
    )

    def run(**template: str) -> Any:
        given = {"MinCount": 1, "MaxCount": 1, "LaunchTemplate": template}
        return account.ec2.run_instances(**given)["Instances"][0]

    made = run(LaunchTemplateName="web")
    assert (made["ImageId"], made["InstanceType"]) == (first, "t3.micro")
    instance = account.instance(made["InstanceId"])
    assert instance["Monitoring"]["State"] == "enabled"
    assert len(instance["BlockDeviceMappings"]) == 2
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["from"] == "template"
    assert tags["aws:ec2launchtemplate:id"] == template_id
    assert tags["aws:ec2launchtemplate:version"] == "1"
    (credit,) = account.ec2.describe_instance_credit_specifications()[
        "InstanceCreditSpecifications"
    ]
    assert credit["CpuCredits"] == "standard"
    assert run(LaunchTemplateId=template_id, Version="$Latest")["ImageId"] == second
    own = account.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        InstanceType="c5.large",
        LaunchTemplate={"LaunchTemplateName": "web"},
    )["Instances"][0]
    assert own["InstanceType"] == "c5.large", "the request counts before the template"


@pytest.mark.extended
def test_a_template_that_cannot_be_launched_is_refused(account: Account) -> None:
    image_id = account.image(account.snapshot())
    account.ec2.create_launch_template(
        LaunchTemplateName="licensed",
        LaunchTemplateData={
            "ImageId": image_id,
            "LicenseSpecifications": [{"LicenseConfigurationArn": "arn:aws:x"}],
        },
    )

    def run(**template: str) -> str:
        given = {"MinCount": 1, "MaxCount": 1, "LaunchTemplate": template}
        return error_code(lambda: account.ec2.run_instances(**given))

    assert run(LaunchTemplateName="licensed") == "UnsupportedOperation"
    assert run(LaunchTemplateName="absent") == "InvalidLaunchTemplateName.NotFoundException"
    assert run(LaunchTemplateName="licensed", Version="7") == (
        "InvalidLaunchTemplateId.VersionNotFound"
    )
    assert run(LaunchTemplateName="a", LaunchTemplateId="lt-1") == "InvalidParameterCombination"
    assert not account.ec2.describe_instances()["Reservations"]


def test_a_bound_that_is_no_version_is_refused(account: Account, template: str) -> None:
    asked = account.ec2.describe_launch_template_versions
    for name in ("MinVersion", "MaxVersion"):
        bound = {name: "x"}
        code = error_code(lambda bound=bound: asked(LaunchTemplateId=template, **bound))  # type: ignore[misc]
        assert code == "InvalidParameterValue"
