"""Private addresses that are asked for, of instances and of interfaces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from .conftest import Account, error_code

Ask = Callable[[Account, str], str]


def subnet(account: Account) -> str:
    return str(account.ec2.describe_subnets()["Subnets"][0]["SubnetId"])


def image(account: Account) -> str:
    found = account.ec2.describe_images(Owners=["self"])["Images"]
    return str(found[0]["ImageId"]) if found else account.image(account.snapshot())


def of_launch(account: Account, address: str) -> str:
    launched = account.run(image(account), SubnetId=subnet(account), PrivateIpAddress=address)
    return str(launched["PrivateIpAddress"])


def of_launched_interface(account: Account, address: str) -> str:
    nic = {"DeviceIndex": 0, "SubnetId": subnet(account), "PrivateIpAddress": address}
    return str(account.run(image(account), NetworkInterfaces=[nic])["PrivateIpAddress"])


def first_of_list(account: Account, address: str) -> str:
    """As a client does that gives back what DescribeInstances told."""
    listed = [{"Primary": True, "PrivateIpAddress": address}]
    nic = {"DeviceIndex": 0, "SubnetId": subnet(account), "PrivateIpAddresses": listed}
    return str(account.run(image(account), NetworkInterfaces=[nic])["PrivateIpAddress"])


def of_interface(account: Account, address: str) -> str:
    made = account.ec2.create_network_interface(SubnetId=subnet(account), PrivateIpAddress=address)
    return str(made["NetworkInterface"]["PrivateIpAddress"])


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    "ask", [of_launch, of_launched_interface, first_of_list, of_interface], ids=lambda f: f.__name__
)
def test_an_address_is_had_or_refused(account: Account, ask: Ask) -> None:
    assert ask(account, "172.31.0.77") == "172.31.0.77"
    for address, code in (
        ("172.31.0.77", "InvalidIPAddress.InUse"),
        ("172.31.16.1", "InvalidParameterValue"),  # of another subnet
        ("172.31.0.0", "InvalidParameterValue"),
        ("172.31.0.3", "InvalidParameterValue"),
        ("172.31.15.255", "InvalidParameterValue"),
        ("172.31.0", "InvalidParameterValue"),
        ("fe80::1", "InvalidParameterValue"),
    ):
        assert error_code(partial(ask, account, address)) == code


def test_only_one_instance_can_have_it(account: Account) -> None:
    code = error_code(
        lambda: account.run(
            image(account), SubnetId=subnet(account), PrivateIpAddress="172.31.0.77", MaxCount=2
        )
    )
    assert code == "InvalidParameterCombination"


def test_secondary_addresses_are_refused_by_name(account: Account) -> None:
    listed = [{"Primary": n == 0, "PrivateIpAddress": f"172.31.0.7{n}"} for n in range(2)]
    nic = {"DeviceIndex": 0, "SubnetId": subnet(account), "PrivateIpAddresses": listed}
    code = error_code(lambda: account.run(image(account), NetworkInterfaces=[nic]))
    assert code == "UnsupportedOperation"


def test_no_two_interfaces_have_the_same_and_those_of_deleted_ones_are_free(
    account: Account,
) -> None:
    (vpc,) = account.ec2.describe_vpcs()["Vpcs"]
    small = account.ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="172.31.200.0/28")["Subnet"]
    where: dict[str, Any] = {"SubnetId": small["SubnetId"]}
    create = account.ec2.create_network_interface
    last = create(**where, PrivateIpAddress="172.31.200.5")["NetworkInterface"]
    made = [create(**where)["NetworkInterface"] for _ in range(9)]
    launched = account.run(image(account), **where)
    addresses = {each["PrivateIpAddress"] for each in (last, launched, *made)}
    assert addresses == {f"172.31.200.{n}" for n in range(4, 15)}
    for ask in (lambda: create(**where), lambda: account.run(image(account), **where)):
        assert error_code(ask) == "InsufficientFreeAddressesInSubnet"
    account.ec2.delete_network_interface(NetworkInterfaceId=last["NetworkInterfaceId"])
    assert account.run(image(account), **where)["PrivateIpAddress"] == "172.31.200.5"


@pytest.mark.extended
def test_a_call_that_fails_takes_no_address(account: Account) -> None:
    create = account.ec2.create_network_interface
    where: dict[str, Any] = {"SubnetId": subnet(account), "PrivateIpAddress": "172.31.0.77"}
    code = error_code(lambda: create(**where, DryRun=True))
    assert code == "DryRunOperation"
    assert create(**where)["NetworkInterface"]["PrivateIpAddress"] == "172.31.0.77"


def test_what_is_told_of_an_instance_can_be_asked_for(account: Account) -> None:
    found = account.instance(account.run(image(account))["InstanceId"])
    (nic,) = found["NetworkInterfaces"]
    given = {
        name: found[name]
        for name in (
            *("CapacityReservationSpecification", "CpuOptions", "EbsOptimized", "EnclaveOptions"),
            *("HibernationOptions", "InstanceType", "Placement", "PrivateDnsNameOptions"),
            *("NetworkPerformanceOptions", "ImageId"),
        )
    }
    given["MaintenanceOptions"] = {"AutoRecovery": found["MaintenanceOptions"]["AutoRecovery"]}
    given["NetworkInterfaces"] = [
        {
            "DeviceIndex": nic["Attachment"]["DeviceIndex"],
            "DeleteOnTermination": nic["Attachment"]["DeleteOnTermination"],
            "NetworkCardIndex": nic["Attachment"]["NetworkCardIndex"],
            "Description": nic["Description"],
            "SubnetId": nic["SubnetId"],
            "InterfaceType": nic["InterfaceType"],
            "Groups": [group["GroupId"] for group in nic["Groups"]],
            "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "172.31.0.99"}],
        }
    ]
    again = account.ec2.run_instances(MinCount=1, MaxCount=1, **given)["Instances"][0]
    assert again["PrivateIpAddress"] == "172.31.0.99"
