"""The regions of a plan: each has its own types; a subnet and a bucket are of one of them."""

from __future__ import annotations

import pytest

from nitro.bench.plan import Plan
from nitro.bench.sites import sites_of
from nitro.cloud import Cloud
from nitro.errors import InputError
from tests.cloud.conftest import REGION

PLAN = {"name": "small", "matrix": {"types": ["c5.large"]}, "test": [{"protocol": "http"}]}


def plan(**matrix: object) -> Plan:
    return Plan.model_validate(PLAN | {"matrix": {"types": ["c5.large"]} | matrix})


@pytest.mark.extended
def test_what_the_user_names_is_of_the_region_that_the_command_works_in(cloud: Cloud) -> None:
    there, other = sites_of(
        cloud, plan(regions=[REGION, "us-east-1"]), subnet="subnet-1", bucket="mine"
    )
    assert (there.cloud, there.subnet, there.bucket) == (cloud, "subnet-1", "mine")
    assert (other.cloud.region, other.subnet, other.bucket) == ("us-east-1", None, None)
    assert other.types["c5.large"].vcpus == 2


@pytest.mark.parametrize("named", [{"subnet": "subnet-1"}, {"bucket": "mine"}])
def test_what_the_user_names_is_not_left_out(cloud: Cloud, named: dict[str, str]) -> None:
    given = {"subnet": None, "bucket": None, **named}
    with pytest.raises(InputError, match=f"is of {REGION}, in which"):
        sites_of(cloud, plan(regions=["us-east-1"]), **given)


def test_without_regions_it_is_that_of_the_command(cloud: Cloud) -> None:
    [only] = sites_of(cloud, plan(), subnet=None, bucket=None)
    assert only.cloud is cloud


def test_a_region_that_is_not_there_is_refused(cloud: Cloud) -> None:
    with pytest.raises(InputError, match=r"matrix\.regions has eu-nowhere-9, which the account"):
        sites_of(cloud, plan(regions=[REGION, "eu-nowhere-9"]), subnet=None, bucket=None)


@pytest.mark.extended
def test_a_type_that_is_not_there_is_refused(cloud: Cloud) -> None:
    with pytest.raises(InputError, match=r"no instance type 'c5\.lage'"):
        sites_of(cloud, plan(types=["c5.lage"]), subnet=None, bucket=None)
