"""Many regions, each with its own everything."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest

from nitro.local.aws import regions

from .conftest import Account, error_code

SOME = ("us-east-1", "eu-central-1", "ap-northeast-3", "me-south-1")


def test_the_regions_of_the_partition_are_there(account: Account) -> None:
    found = {r["RegionName"]: r for r in account.ec2.describe_regions()["Regions"]}
    assert len(found) >= 20
    assert set(SOME) <= set(found) == set(regions.names())
    assert found["us-east-1"]["OptInStatus"] == "opt-in-not-required"
    assert found["me-south-1"]["OptInStatus"] == "opted-in"
    assert found["me-south-1"]["Endpoint"] == "ec2.me-south-1.amazonaws.com"
    (one,) = account.ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]
    assert one["RegionName"] == "eu-west-1"
    code = error_code(lambda: account.ec2.describe_regions(RegionNames=["mars-1"]))
    assert code == "InvalidParameterValue"


def test_no_two_regions_have_the_same_default_network() -> None:
    every = [*regions.names("aws"), *regions.names("aws-cn"), *regions.names("aws-us-gov")]
    networks = [regions.default_network(name) for name in every]
    assert not any(one.overlaps(other) for one, other in combinations(networks, 2))
    assert str(regions.default_network("us-east-1")) == "172.31.0.0/16"  # AWS's own


def test_default_subnets_lie_in_the_network_of_their_region(account: Account) -> None:
    for region in SOME[:2]:
        subnets = account.there(region).ec2.describe_subnets()["Subnets"]
        network = regions.default_network(region)
        assert subnets
        assert all(ipaddress.IPv4Network(s["CidrBlock"]).subnet_of(network) for s in subnets)
        assert all(s["AvailabilityZone"].startswith(region) for s in subnets)


def test_no_type_is_offered_on_an_outpost(account: Account) -> None:
    answer = account.ec2.describe_instance_type_offerings(LocationType="outpost")
    assert answer["InstanceTypeOfferings"] == []


def test_a_network_needs_a_range(account: Account) -> None:
    (vpc,) = account.ec2.describe_vpcs()["Vpcs"]
    for call in (account.ec2.create_vpc, lambda: account.ec2.create_subnet(VpcId=vpc["VpcId"])):
        assert error_code(call) == "MissingParameter"


def test_all_networks_of_a_region_have_its_dhcp_options(account: Account) -> None:
    """They are what the DHCP server of a subnet says, and outlive each of the networks."""
    for region, domain in (
        ("us-east-1", "ec2.internal"),
        ("eu-west-1", "eu-west-1.compute.internal"),
    ):
        ec2 = account.there(region).ec2
        own = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]
        (options,) = ec2.describe_dhcp_options()["DhcpOptions"]
        every = ec2.describe_vpcs()["Vpcs"]
        assert {vpc["DhcpOptionsId"] for vpc in every} == {options["DhcpOptionsId"]}
        told = {c["Key"]: c["Values"][0]["Value"] for c in options["DhcpConfigurations"]}
        assert told == {"domain-name": domain, "domain-name-servers": "AmazonProvidedDNS"}
        ec2.delete_vpc(VpcId=own["VpcId"])
        named = [options["DhcpOptionsId"]]
        assert ec2.describe_dhcp_options(DhcpOptionsIds=named)["DhcpOptions"] == [options]
        by_key = [{"Name": "key", "Values": ["domain-name"]}]
        assert ec2.describe_dhcp_options(Filters=by_key)["DhcpOptions"] == [options]
        code = error_code(lambda c=ec2: c.describe_dhcp_options(DhcpOptionsIds=["dopt-0"]))  # type: ignore[misc]
        assert code == "InvalidDhcpOptionID.NotFound"


@pytest.mark.extended
def test_a_region_knows_nothing_of_another(account: Account) -> None:
    snapshot = account.snapshot()
    image = account.image(snapshot)
    account.run(image)
    other = account.there("eu-west-1")
    assert not other.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert not other.ec2.describe_images(Owners=["self"])["Images"]
    assert not other.ec2.describe_instances()["Reservations"]
    assert error_code(lambda: other.run(image)) == "InvalidAMIID.NotFound"
    code = error_code(lambda: other.ebs.list_snapshot_blocks(SnapshotId=snapshot))
    assert code == "ResourceNotFoundException"
