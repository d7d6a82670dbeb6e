"""The connection: what is repeated, what is not, and what a failure says."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from moto.server import ThreadedMotoServer

from nitro.cloud import (
    ApiError,
    ApiRefused,
    Cloud,
    DiskImage,
    destroy,
    inventory,
)
from nitro.cloud.retries import ATTEMPTS, ATTEMPTS_TO_CONNECT
from nitro.errors import InputError, RefusedError
from nitro.local.aws import Site
from tests.cloud.conftest import NOTHING, REGION, connect, everything, refuse
from tests.cloud.joint import running
from tests.cloud.policed import make_role

URL = "https://ec2.eu-central-1.amazonaws.com/"


def break_connection(cloud: Cloud, call: str, error: Exception) -> list[str]:
    sent: list[str] = []

    def handle(**_) -> None:
        sent.append(call)
        raise error

    cloud.session.events.register(f"before-send.{call}", handle)
    return sent


def test_throttled_calls_are_repeated_a_bounded_number_of_times(cloud: Cloud) -> None:
    failures = refuse(cloud, "ec2.DescribeRegions", "RequestLimitExceeded", status=503)
    with pytest.raises(ApiError, match="RequestLimitExceeded"):
        cloud.ec2.describe_regions()
    assert len(failures) == ATTEMPTS


def test_pages_are_repeated_like_plain_calls(cloud: Cloud) -> None:
    failures = refuse(cloud, "ec2.DescribeSubnets", "Throttling", times=2)
    pages = list(cloud.ec2.get_paginator("describe_subnets").paginate())
    assert pages[0]["Subnets"]
    assert len(failures) == 2


@pytest.mark.parametrize(
    "code", ["UnauthorizedOperation", "InvalidParameterValue", "VcpuLimitExceeded", "ExpiredToken"]
)
def test_what_would_fail_again_fails_at_once(cloud: Cloud, code: str) -> None:
    failures = refuse(cloud, "ec2.DescribeRegions", code)
    with pytest.raises(ApiError):
        cloud.ec2.describe_regions()
    assert len(failures) == 1


def test_an_unclear_end_of_a_read_is_repeated(cloud: Cloud) -> None:
    sent = break_connection(cloud, "ec2.DescribeRegions", ReadTimeoutError(endpoint_url=URL))
    with pytest.raises(ApiError, match="got no answer"):
        cloud.ec2.describe_regions()
    assert len(sent) == ATTEMPTS


@pytest.mark.parametrize(
    "error", [ReadTimeoutError(endpoint_url=URL), ConnectionClosedError(endpoint_url=URL)]
)
def test_an_unclear_end_of_making_something_is_not_repeated(cloud: Cloud, error: Exception) -> None:
    sent = break_connection(cloud, "ec2.CreateSecurityGroup", error)
    with pytest.raises(ApiError) as caught:
        cloud.ec2.create_security_group(GroupName="x", Description="x")
    assert len(sent) == 1
    assert caught.value.may_have_happened


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url=URL), ConnectTimeoutError(endpoint_url=URL)]
)
def test_what_was_never_asked_is_repeated_a_few_times(cloud: Cloud, error: Exception) -> None:
    sent = break_connection(cloud, "ec2.CreateSecurityGroup", error)
    with pytest.raises(ApiError) as caught:
        cloud.ec2.create_security_group(GroupName="x", Description="x")
    assert len(sent) == ATTEMPTS_TO_CONNECT
    assert not caught.value.may_have_happened


def test_a_token_of_ours_makes_it_safe_to_repeat(cloud: Cloud) -> None:
    sent = break_connection(cloud, "ec2.RunInstances", ReadTimeoutError(endpoint_url=URL))
    with pytest.raises(ApiError):
        cloud.ec2.run_instances(MinCount=1, MaxCount=1, ImageId="ami-1", ClientToken="nitro-1")
    assert len(sent) == ATTEMPTS


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(RefusedError, match="no AWS credentials found"):
        Cloud.connect(region=REGION)


def test_an_endpoint_of_its_own_never_sees_the_users_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    cloud = connect(endpoint_url="http://127.0.0.1:5000")
    credentials = cloud.session.get_credentials()
    assert credentials is not None
    assert credentials.access_key == "local"


def test_without_a_region_it_says_so() -> None:
    with pytest.raises(InputError, match="no AWS region given"):
        Cloud.connect(region=None)


def test_an_unknown_profile_is_the_callers_mistake() -> None:
    with pytest.raises(InputError, match="nobody"):
        Cloud.connect(region=REGION, profile="nobody")


def test_an_unreachable_endpoint_names_the_region(cloud: Cloud) -> None:
    break_connection(cloud, "ec2.DescribeRegions", EndpointConnectionError(endpoint_url=URL))
    with pytest.raises(ApiError) as caught:
        cloud.ec2.describe_regions()
    assert "region eu-central-1" in str(caught.value.hint)


def test_bad_credentials_are_refused(cloud: Cloud) -> None:
    refuse(cloud, "sts.GetCallerIdentity", "InvalidClientTokenId", status=403)
    with pytest.raises(ApiRefused) as caught:
        _ = cloud.account
    assert caught.value.exit_code == 3


@pytest.mark.extended
def test_the_same_code_works_over_http_with_an_endpoint_of_its_own(
    site: Site, disk: DiskImage
) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        cloud = connect(endpoint_url=f"http://{host}:{port}")
        make_role(cloud)
        published = running(cloud, disk).published
        assert site.store.path(published.snapshot_id).read_bytes() == disk.path.read_bytes()
        destroy(cloud, inventory(cloud))
        assert everything(cloud) == NOTHING
    finally:
        server.stop()
