"""Elastic addresses, which an instance has in the place of its own."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from .conftest import Account, error_code


@pytest.fixture
def instance(account: Account) -> str:
    return str(account.run(account.image(account.snapshot()))["InstanceId"])


def allocate(account: Account) -> Any:
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "a", "Value": "b"}]}]
    return account.ec2.allocate_address(Domain="vpc", TagSpecifications=tags)


def public(account: Account, instance: str) -> tuple[str | None, str | None]:
    """As DescribeInstances has it, and as the machine is reached."""
    told = account.instance(instance).get("PublicIpAddress")
    return told, account.hypervisor.guests[instance].guest.public_ip


def test_an_address_comes_stays_over_a_stop_and_goes(account: Account, instance: str) -> None:
    ec2 = account.ec2
    own, _ = public(account, instance)
    made = allocate(account)
    elastic = made["PublicIp"]
    assert ipaddress.ip_address(elastic).is_loopback
    assert elastic != own
    named = {"AllocationId": made["AllocationId"]}
    told = ec2.associate_address(**named, InstanceId=instance)
    assert public(account, instance) == (elastic, elastic)
    (found,) = ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"]
    assert (found["InstanceId"], found["AssociationId"]) == (instance, told["AssociationId"])
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]
    assert error_code(lambda: ec2.release_address(**named)) == "InvalidIPAddress.InUse"

    ec2.stop_instances(InstanceIds=[instance])
    account.instance(instance)
    assert account.instance(instance)["State"]["Name"] == "stopped"
    assert account.instance(instance)["PublicIpAddress"] == elastic
    ec2.start_instances(InstanceIds=[instance])
    assert public(account, instance) == (elastic, elastic)

    ec2.disassociate_address(AssociationId=told["AssociationId"])
    after, reached = public(account, instance)
    assert after == reached
    assert after not in (None, elastic)  # as on AWS, where it was launched with one
    ec2.release_address(**named)
    assert ec2.describe_addresses()["Addresses"] == []
    assert allocate(account)["PublicIp"] in (own, elastic)


def test_an_address_moves_to_another_instance(account: Account, instance: str) -> None:
    other = account.run(account.instance(instance)["ImageId"])["InstanceId"]
    made = allocate(account)
    give = account.ec2.associate_address
    give(AllocationId=made["AllocationId"], InstanceId=instance)
    named = {"AllocationId": made["AllocationId"], "InstanceId": other}
    code = error_code(lambda: give(**named, AllowReassociation=False))
    assert code == "Resource.AlreadyAssociated"
    give(**named)
    assert public(account, other)[0] == made["PublicIp"]
    assert public(account, instance)[0] != made["PublicIp"]


def test_a_terminated_instance_leaves_its_address(account: Account, instance: str) -> None:
    made = allocate(account)
    nic = account.instance(instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    account.ec2.associate_address(PublicIp=made["PublicIp"], NetworkInterfaceId=nic)
    account.ec2.terminate_instances(InstanceIds=[instance])
    account.instance(instance)
    (found,) = account.ec2.describe_addresses()["Addresses"]
    assert "AssociationId" not in found
    account.ec2.release_address(PublicIp=made["PublicIp"])


def test_what_is_not_there_is_refused(account: Account, instance: str) -> None:
    ec2, absent = account.ec2, "eipalloc-0123456789abcdef0"
    for code, call in (
        ("InvalidAllocationID.NotFound", lambda: ec2.release_address(AllocationId=absent)),
        ("InvalidAddress.NotFound", lambda: ec2.release_address(PublicIp="127.42.9.9")),
        ("MissingParameter", ec2.release_address),
        (
            "InvalidAssociationID.NotFound",
            lambda: ec2.disassociate_address(AssociationId="eipassoc-0123456789abcdef0"),
        ),
        (
            "MissingParameter",
            lambda: ec2.associate_address(AllocationId=allocate(account)["AllocationId"]),
        ),
    ):
        assert error_code(call) == code


def test_addresses_have_no_names_of_their_own(account: Account) -> None:
    made = allocate(account)
    told = account.ec2.describe_addresses_attribute(Attribute="domain-name")["Addresses"]
    assert told == [{"PublicIp": made["PublicIp"], "AllocationId": made["AllocationId"]}]


def test_there_are_five_addresses_in_a_region(account: Account) -> None:
    for _ in range(5):
        account.ec2.allocate_address()
    assert error_code(account.ec2.allocate_address) == "AddressLimitExceeded"


def test_an_interface_of_no_instance_gets_no_address(account: Account) -> None:
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    nic = account.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    named = {"AllocationId": account.ec2.allocate_address()["AllocationId"]}
    alone = {"NetworkInterfaceId": nic["NetworkInterfaceId"]}
    code = error_code(lambda: account.ec2.associate_address(**named, **alone))
    assert code == "UnsupportedOperation"
    assert error_code(lambda: account.ec2.associate_address(**named)) == "MissingParameter"


def test_an_association_is_made_once(account: Account) -> None:
    ec2 = account.ec2
    instance_id = account.run(account.image(account.snapshot()))["InstanceId"]
    made = ec2.allocate_address()
    named = {"AllocationId": made["AllocationId"], "InstanceId": instance_id}
    first = ec2.associate_address(**named)["AssociationId"]
    assert ec2.associate_address(**named)["AssociationId"] == first
    code = error_code(lambda: ec2.associate_address(**named, PublicIp=made["PublicIp"]))
    assert code == "InvalidParameterCombination"
