"""What nitro makes of AWS's answers about networks, placement groups and prices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nitro.cloud import (
    Cloud,
    network,
    placement_groups,
    prices,
)
from nitro.cloud.network import Subnet
from nitro.ports import Port
from tests.cloud.answers import (
    DENIED,
    FAILED,
    UNCLEAR,
    Answering,
    Refused,
)

GONE = Refused("InvalidInstanceID.NotFound", "no such instance")

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]


def subnet(number: int, zone: str, free: int = 9, public: bool = True) -> dict[str, Any]:
    return {
        "SubnetId": f"subnet-{number}",
        "VpcId": "vpc-1",
        "AvailabilityZone": zone,
        "AvailableIpAddressCount": free,
        "MapPublicIpOnLaunch": public,
    }


SUBNETS = [
    {"Subnets": [subnet(1, "a"), subnet(2, "b")], "NextToken": "2"},
    {"Subnets": [subnet(3, "b", 10, False), subnet(0, "c", 8)]},
]
ZONES = [
    {"InstanceTypeOfferings": [{"Location": "b"}], "NextToken": "2"},
    {"InstanceTypeOfferings": [{"Location": "a"}]},
]


def test_networks(aws: Answering) -> None:
    for title, given, answers in (
        ("all", (), {"DescribeSubnets": SUBNETS}),
        ("of a type", (None, "c5.large"), {"DescribeSubnets": SUBNETS}),
        ("named", ("subnet-1",), {"DescribeSubnets": {"Subnets": [subnet(1, "a")]}}),
        (
            "named, fits",
            ("subnet-1", "c5.large"),
            {"DescribeSubnets": {"Subnets": [subnet(1, "a")]}},
        ),
        (
            "named, lacks",
            ("subnet-1", "c5.large"),
            {"DescribeSubnets": {"Subnets": [subnet(1, "c")]}},
        ),
        ("none", (), {"DescribeSubnets": {"Subnets": []}}),
        ("none of a type", (None, "x"), {"DescribeSubnets": {"Subnets": [subnet(1, "c")]}}),
    ):
        offers = {"DescribeInstanceTypeOfferings": ZONES}
        aws.case(title, network.find_subnets, offers | answers, *given)
        aws.case(f"first: {title}", network.find_subnet, offers | answers, *given)
    aws.case(
        "in no zone",
        lambda c: network.find_subnets(c, None, "x"),
        {
            "DescribeSubnets": SUBNETS,
            "DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": []},
        },
    )
    here = Subnet("subnet-1", "vpc-1", "a")
    groups = [{"GroupId": "sg-1", "VpcId": "vpc-1"}, {"GroupId": "sg-2", "VpcId": "vpc-2"}]
    for ids in ((), ("sg-1",), ("sg-1", "sg-2")):
        found = {"SecurityGroups": groups[: len(ids)]}
        aws.case(
            f"groups {ids}",
            network.check_groups,
            {"DescribeSecurityGroups": found},
            here,
            ids,
        )
    aws.case(
        "found",
        lambda c: network.find_groups(c, "d-1"),
        {"DescribeSecurityGroups": {"SecurityGroups": groups}},
    )
    for title, answer in {
        "removed": [Refused("DependencyViolation"), {}],
        "gone": Refused("InvalidGroup.NotFound"),
        "refused": FAILED,
        "in use": Refused("DependencyViolation"),
    }.items():
        aws.case(title, lambda c: network.remove_group(c, "sg-1"), {"DeleteSecurityGroup": answer})
    aws.compare("networks")


def test_security_groups_are_made(aws: Answering) -> None:
    ports = (Port("tcp", 80), Port("udp", 53), Port("tcp", 80))

    def make(cloud: Cloud, allow: tuple[str, ...]) -> object:
        with aws.undo(cloud) as undo:
            made = network.create_group(
                cloud,
                Subnet("subnet-1", "vpc-1", "a"),
                deployment="d-1",
                ports=iter(ports),
                allow=allow,
                tag_map={"Name": "x"},
                undo=undo,
            )
            return made, undo.kept[0].what

    made: Any = {
        "CreateSecurityGroup": {"GroupId": "sg-1"},
        "AuthorizeSecurityGroupIngress": {},
        "DescribeSecurityGroups": {"SecurityGroups": [{"GroupId": "sg-9"}]},
        "DeleteSecurityGroup": {},
    }
    for title, allow, answers in (
        ("closed", (), {}),
        ("IPv4", ("192.0.2.0/24", "198.51.100.7/32"), {}),
        ("IPv6", ("2001:db8::/32",), {}),
        ("both", ("2001:db8::/32", "0.0.0.0/0"), {}),
        ("bad", ("192.0.2.1/24",), {}),
        (
            "lost answer",
            (),
            {"AuthorizeSecurityGroupIngress": Refused("InvalidPermission.Duplicate")},
        ),
        ("refused", (), {"AuthorizeSecurityGroupIngress": FAILED}),
        ("not made", (), {"CreateSecurityGroup": FAILED}),
        ("unclear", (), {"CreateSecurityGroup": UNCLEAR}),
    ):
        aws.case(title, make, made | answers, allow)
    aws.compare("groups")


def test_placement_groups(aws: Answering) -> None:
    def ask(cloud: Cloud) -> object:
        with aws.undo(cloud) as undo:
            return placement_groups.create(cloud, "close", {"Name": "x"}, undo).id

    listed = {"PlacementGroups": [{"GroupName": "far"}, {"GroupName": "close"}]}
    ready = {"PlacementGroups": [{"State": "pending"}, {"State": "available"}]}
    made: Any = {
        "CreatePlacementGroup": {},
        "DescribePlacementGroups": ready,
        "DeletePlacementGroup": {},
    }
    unknown = Refused("InvalidPlacementGroup.Unknown")
    pending = {"PlacementGroups": [{"State": "pending"}]}
    for title, answers in {
        "made": {"DescribePlacementGroups": [unknown, pending, ready]},
        "by a lost answer": {"CreatePlacementGroup": Refused("InvalidPlacementGroup.Duplicate")},
        "refused": {"CreatePlacementGroup": FAILED},
        "unclear": {
            "CreatePlacementGroup": UNCLEAR,
            "DescribePlacementGroups": listed,
        },
        "never ready": {"DescribePlacementGroups": pending},
        "in use": {
            "DescribePlacementGroups": FAILED,
            "DeletePlacementGroup": [Refused("InvalidPlacementGroup.InUse"), {}],
        },
        "gone": {"DescribePlacementGroups": FAILED, "DeletePlacementGroup": unknown},
        "not removed": {"DescribePlacementGroups": FAILED, "DeletePlacementGroup": DENIED},
        "in use for long": {
            "DescribePlacementGroups": FAILED,
            "DeletePlacementGroup": Refused("InvalidPlacementGroup.InUse"),
        },
    }.items():
        aws.case(title, ask, made | answers)
    for title, answer in {
        "there": ready,
        "unknown": unknown,
        "denied": DENIED,
        "failed": FAILED,
    }.items():
        answers = {"DescribePlacementGroups": answer}
        aws.case(f"check: {title}", lambda c: placement_groups.check(c, "close"), answers)
        aws.case(f"ours: {title}", lambda c: list(placement_groups.ours(c)), answers)
    aws.compare("placement-groups")


def test_prices(aws: Answering) -> None:
    def product(*offers: Any) -> str:
        dimensions = {
            str(n): {"unit": unit, "pricePerUnit": price} for n, (unit, price) in enumerate(offers)
        }
        return json.dumps({"terms": {"OnDemand": {"1": {"priceDimensions": dimensions}}}})

    dear, cheap = ("Hrs", {"USD": "0.2"}), ("Hrs", {"USD": "0.1"})
    pages: Any
    for title, pages in {
        "two pages": [[product(cheap)], [product(dear)]],
        "the dearest": [[product(cheap, dear, cheap)]],
        "other units": [[product(("Quantity", {"USD": "5"}), cheap, ("Hrs", {"CNY": "7"}))]],
        "for nothing": [[product(("Hrs", {"USD": "0.0"}))]],
        "no terms": [["{}", json.dumps({"terms": {}})]],
        "nothing": [[]],
    }.items():
        answers: Any = [{"PriceList": page, "NextToken": "2"} for page in pages]
        del answers[-1]["NextToken"]
        aws.case(title, lambda c: prices.on_demand(c, ["c5.large"]), {"GetProducts": answers})
    aws.compare("prices")
