"""Network interfaces: the names of their addresses, and what of them can be changed."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, error_code


@pytest.mark.extended
def test_an_interface_has_the_names_of_its_region(account: Account) -> None:
    there = account.there("eu-west-1")
    image = account.image(account.snapshot())
    answer = there.ec2.copy_image(SourceRegion="us-east-1", SourceImageId=image, Name="copy")
    account.clock.advance(3600)
    there.ec2.describe_images()
    for each, image_id, private, public in (
        (account, image, "ec2.internal", "compute-1.amazonaws.com"),
        (there, answer["ImageId"], "eu-west-1.compute.internal", "eu-west-1.compute.amazonaws.com"),
    ):
        instance = each.run(image_id)
        instance = each.instance(instance["InstanceId"])
        (interface,) = instance["NetworkInterfaces"]
        assert interface["PrivateDnsName"] == instance["PrivateDnsName"]
        assert instance["PrivateDnsName"].endswith(f".{private}")
        assert interface["Association"]["PublicDnsName"] == instance["PublicDnsName"]
        assert instance["PublicDnsName"].endswith(f".{public}")
        (described,) = each.ec2.describe_network_interfaces(
            NetworkInterfaceIds=[interface["NetworkInterfaceId"]]
        )["NetworkInterfaces"]
        assert described["PrivateIpAddresses"][0]["PrivateDnsName"] == instance["PrivateDnsName"]
        guest = each.hypervisor.guests[instance["InstanceId"]].guest
        assert guest.network.domain == private


def test_an_interface_that_was_asked_for_has_its_groups_description_and_tags(
    account: Account,
) -> None:
    subnet = account.ec2.describe_subnets()["Subnets"][0]
    groups = account.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    )["SecurityGroups"]
    made = account.ec2.create_network_interface(
        SubnetId=subnet["SubnetId"],
        Description="spare",
        Groups=[groups[0]["GroupId"]],
        TagSpecifications=[
            {"ResourceType": "network-interface", "Tags": [{"Key": "team", "Value": "web"}]}
        ],
    )["NetworkInterface"]
    (found,) = account.ec2.describe_network_interfaces(
        Filters=[{"Name": "tag:team", "Values": ["web"]}]
    )["NetworkInterfaces"]
    assert found["NetworkInterfaceId"] == made["NetworkInterfaceId"]
    assert found["Description"] == "spare"
    assert [group["GroupId"] for group in found["Groups"]] == [groups[0]["GroupId"]]
    assert found["TagSet"] == [{"Key": "team", "Value": "web"}]


def test_an_interface_changes_with_its_instance(account: Account) -> None:
    instance = account.run(account.image(account.snapshot()))
    nic = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    named = {"NetworkInterfaceId": nic}
    ec2 = account.ec2
    group = ec2.create_security_group(
        GroupName="new", Description="of a test", VpcId=instance["VpcId"]
    )["GroupId"]
    ec2.modify_network_interface_attribute(**named, Groups=[group])
    ec2.modify_network_interface_attribute(**named, Description={"Value": "mine"})
    ec2.modify_network_interface_attribute(**named, SourceDestCheck={"Value": False})

    def told(attribute: str) -> Any:
        return ec2.describe_network_interface_attribute(**named, Attribute=attribute)

    assert [each["GroupId"] for each in told("groupSet")["Groups"]] == [group]
    assert told("description")["Description"] == {"Value": "mine"}
    assert told("sourceDestCheck")["SourceDestCheck"] == {"Value": False}
    found = account.instance(instance["InstanceId"])
    assert told("attachment")["Attachment"]["InstanceId"] == found["InstanceId"]
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [group]
    assert found["SourceDestCheck"] is False
    guest = account.hypervisor.guests[instance["InstanceId"]].guest
    assert guest.security_group_ids == (group,)


def test_a_change_of_an_interface_needs_what_exists(account: Account) -> None:
    nic = account.run(account.image(account.snapshot()))["NetworkInterfaces"][0]
    change = account.ec2.modify_network_interface_attribute
    named = {"NetworkInterfaceId": nic["NetworkInterfaceId"]}
    assert error_code(lambda: change(**named)) == "InvalidParameterCombination"
    absent = ["sg-0123456789abcdef0"]
    assert error_code(lambda: change(**named, Groups=absent)) == "InvalidGroup.NotFound"


@pytest.mark.extended
def test_rules_of_a_group_change_in_place(account: Account) -> None:
    ec2 = account.ec2
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]

    def permission(port: int, text: str) -> dict[str, Any]:
        ranges = [{"CidrIp": "0.0.0.0/0", "Description": text}]
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges}

    def rule() -> Any:
        wanted = [{"Name": "group-id", "Values": [group]}]
        rules = ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
        return next(each for each in rules if not each["IsEgress"])

    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(22, "before")])
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group, IpPermissions=[permission(22, "after")]
    )
    assert rule()["Description"] == "after"
    target = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "CidrIpv4": "10.0.0.0/8"}
    changes = [{"SecurityGroupRuleId": rule()["SecurityGroupRuleId"], "SecurityGroupRule": target}]
    before = rule()["SecurityGroupRuleId"]
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=changes)
    found = rule()
    assert found["SecurityGroupRuleId"] == before
    assert (found["FromPort"], found["ToPort"], found["CidrIpv4"]) == (80, 81, "10.0.0.0/8")
    instance = account.run(account.image(account.snapshot()), SecurityGroupIds=[group])
    ports = account.hypervisor.guests[instance["InstanceId"]].guest.open_ports
    assert {(each.first, each.last) for each in ports} == {(80, 81)}


def test_a_group_of_another_network_is_refused(account: Account) -> None:
    ec2 = account.ec2
    instance = account.instance(account.run(account.image(account.snapshot()))["InstanceId"])
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    other = ec2.create_security_group(GroupName="o", Description="d", VpcId=vpc)["GroupId"]
    nic = instance["NetworkInterfaces"][0]
    for call in (
        lambda: ec2.modify_network_interface_attribute(
            NetworkInterfaceId=nic["NetworkInterfaceId"], Groups=[other]
        ),
        lambda: ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], Groups=[other]),
    ):
        assert error_code(call) == "InvalidGroup.NotFound"
    assert account.instance(instance["InstanceId"])["SecurityGroups"] == instance["SecurityGroups"]


@pytest.mark.parametrize("kept", [True, False])
def test_an_interface_is_what_its_launch_asks_for(account: Account, kept: bool) -> None:
    asked = {"DeviceIndex": 0, "Description": "mine", "DeleteOnTermination": not kept}
    image_id = account.image(account.snapshot())
    begun = account.run(image_id, NetworkInterfaces=[asked])
    (nic,) = begun["NetworkInterfaces"]
    assert nic["Description"] == "mine"
    assert nic["Attachment"]["DeleteOnTermination"] is not kept
    account.ec2.terminate_instances(InstanceIds=[begun["InstanceId"]])
    account.ec2.describe_instances()
    left = account.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [(each["NetworkInterfaceId"], each["Status"]) for each in left] == (
        [(nic["NetworkInterfaceId"], "available")] if kept else []
    )
    for each in left:
        account.ec2.delete_network_interface(NetworkInterfaceId=each["NetworkInterfaceId"])


def test_an_interface_is_made_with_groups_that_are_there(account: Account) -> None:
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    vpc = account.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    far = account.ec2.create_security_group(GroupName="f", Description="f", VpcId=vpc)["GroupId"]
    for group in ("sg-0123456789abcdef0", far):
        code = error_code(
            lambda g=group: account.ec2.create_network_interface(SubnetId=subnet, Groups=[g])  # type: ignore[misc]
        )
        assert code == "InvalidGroup.NotFound"
    assert account.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    groups = account.ec2.describe_security_groups()["SecurityGroups"]
    assert "sg-0123456789abcdef0" not in [each["GroupName"] for each in groups]
