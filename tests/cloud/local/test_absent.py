"""What an account of the local Nitro has none of."""

from __future__ import annotations

import pytest

from nitro.local.aws import absent

from .conftest import Account, error_code


@pytest.mark.parametrize("operation", sorted(absent.HONOURED))
def test_there_is_none(account: Account, operation: str) -> None:
    name = account.ec2.meta.method_to_api_mapping
    (method,) = [method for method, api in name.items() if api == operation]
    required = {"MaxResults": 5} if operation == "DescribeByoipCidrs" else {}
    answer = getattr(account.ec2, method)(**required)
    found = [value for key, value in answer.items() if key != "ResponseMetadata"]
    assert found
    assert not any(found)


def test_a_name_of_one_is_not_found(account: Account) -> None:
    ec2 = account.ec2
    assert error_code(lambda: ec2.describe_nat_gateways(NatGatewayIds=["nat-1"])) == (
        "NatGatewayNotFound"
    )
    assert error_code(lambda: ec2.describe_hosts(HostIds=["h-1"])) == "InvalidHostID.NotFound"
    assert error_code(lambda: ec2.describe_ipams(IpamIds=["ipam-1"])) == "UnsupportedOperation"


def test_filters_and_pages_are_those_of_the_operation(account: Account) -> None:
    wanted = [{"Name": "state", "Values": ["active"]}]
    assert account.ec2.describe_capacity_reservations(Filters=wanted)["CapacityReservations"] == []
    wanted = [{"Name": "colour", "Values": ["blue"]}]
    assert error_code(lambda: account.ec2.describe_capacity_reservations(Filters=wanted)) == (
        "InvalidParameterValue"
    )
    pages = account.ec2.get_paginator("describe_vpc_endpoints").paginate()
    assert [page["VpcEndpoints"] for page in pages] == [[]]
