"""What EC2 says beside descriptions."""

from __future__ import annotations

import pytest

from .conftest import Account, error_code


def test_volumes_are_well(account: Account) -> None:
    instance = account.run(account.image(account.snapshot()))
    (mapping,) = account.instance(instance["InstanceId"])["BlockDeviceMappings"]
    (found,) = account.ec2.describe_volume_status(VolumeIds=[mapping["Ebs"]["VolumeId"]])[
        "VolumeStatuses"
    ]
    assert found["VolumeStatus"]["Status"] == "ok"
    wanted = [{"Name": "volume-status.status", "Values": ["impaired"]}]
    assert account.ec2.describe_volume_status(Filters=wanted)["VolumeStatuses"] == []


def test_burstable_instances_have_credits(account: Account) -> None:
    image = account.image(account.snapshot())
    fixed = account.run(image)["InstanceId"]
    kinds = {
        account.run(image, InstanceType=kind)["InstanceId"]: kind
        for kind in ("t2.micro", "t3.micro")
    }
    answer = account.ec2.describe_instance_credit_specifications()
    credits = {
        kinds[each["InstanceId"]]: each["CpuCredits"]
        for each in answer["InstanceCreditSpecifications"]
    }
    assert credits == {"t2.micro": "standard", "t3.micro": "unlimited"}
    assert (
        error_code(lambda: account.ec2.describe_instance_credit_specifications(InstanceIds=[fixed]))
        == "InstanceCreditSpecification.NotSupported"
    )


def test_an_instance_has_no_password(account: Account) -> None:
    instance = account.run(account.image(account.snapshot()))["InstanceId"]
    assert account.ec2.get_password_data(InstanceId=instance)["PasswordData"] == ""


def test_a_network_is_described(account: Account) -> None:
    (vpc,) = account.ec2.describe_vpcs()["Vpcs"]
    for attribute, member in (
        ("enableDnsSupport", "EnableDnsSupport"),
        ("enableDnsHostnames", "EnableDnsHostnames"),
        ("enableNetworkAddressUsageMetrics", "EnableNetworkAddressUsageMetrics"),
    ):
        answer = account.ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
        assert isinstance(answer[member]["Value"], bool)
    (acl,) = account.ec2.describe_network_acls()["NetworkAcls"]
    assert (acl["VpcId"], acl["IsDefault"]) == (vpc["VpcId"], True)
    account.ec2.describe_internet_gateways()


def test_the_prefix_lists_of_aws_are_those_of_the_region(account: Account) -> None:
    name = "com.amazonaws.us-east-1.s3"
    wanted = [{"Name": "prefix-list-name", "Values": [name]}]
    (found,) = account.ec2.describe_managed_prefix_lists(Filters=wanted)["PrefixLists"]
    assert (found["OwnerId"], found["PrefixListId"][:3]) == ("AWS", "pl-")


def test_credits_are_changed_where_there_are_some(account: Account) -> None:
    image = account.image(account.snapshot())
    burstable, fixed = (
        account.run(image, InstanceType=kind)["InstanceId"] for kind in ("t3.micro", "c5.large")
    )
    answer = account.ec2.modify_instance_credit_specification(
        InstanceCreditSpecifications=[
            {"InstanceId": each, "CpuCredits": "standard"} for each in (burstable, fixed)
        ]
    )
    assert answer["SuccessfulInstanceCreditSpecifications"] == [{"InstanceId": burstable}]
    (failed,) = answer["UnsuccessfulInstanceCreditSpecifications"]
    assert failed["InstanceId"] == fixed
    (told,) = account.ec2.describe_instance_credit_specifications(InstanceIds=[burstable])[
        "InstanceCreditSpecifications"
    ]
    assert told["CpuCredits"] == "standard"


def test_settings_that_cannot_be_changed_are_those_of_a_new_account(account: Account) -> None:
    ec2 = account.ec2
    assert ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"] is False
    assert "HttpTokens" not in ec2.get_instance_metadata_defaults()["AccountLevel"]
    assert ec2.get_allowed_images_settings()["State"] == "disabled"
    told = ec2.get_default_credit_specification(InstanceFamily="t3")
    assert told["InstanceFamilyCreditSpecification"]["CpuCredits"] == "unlimited"


def test_no_other_network_refers_to_a_group(account: Account) -> None:
    ec2 = account.ec2
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    told = ec2.describe_security_group_references(GroupId=[group])
    assert told["SecurityGroupReferenceSet"] == []
    assert ec2.describe_stale_security_groups(VpcId=vpc["VpcId"])["StaleSecurityGroupSet"] == []
    code = error_code(lambda: ec2.describe_security_group_references(GroupId=["sg-1"]))
    assert code == "InvalidGroup.NotFound"
    code = error_code(lambda: ec2.describe_stale_security_groups(VpcId="vpc-1"))
    assert code == "InvalidVpcID.NotFound"


@pytest.mark.parametrize("options", [{}, {"Force": False}, {"Force": True}])
def test_a_stop_asks_the_guest_first_unless_it_is_forced(
    account: Account, monkeypatch: pytest.MonkeyPatch, options: dict[str, bool]
) -> None:
    forced: list[bool] = []
    monkeypatch.setattr(
        account.hypervisor, "stop", lambda id_, *, force=False: forced.append(force)
    )
    id_ = account.run(account.image(account.snapshot()))["InstanceId"]
    (change,) = account.ec2.stop_instances(InstanceIds=[id_], **options)["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == (
        "running",
        "stopping",
    )
    assert forced == [options.get("Force", False)]
