"""What was made a moment ago may not be seen yet: no step takes that for a failure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from nitro.cloud import ApiError, Cloud, DiskImage
from nitro.cloud.visibility import VISIBLE_AFTER
from tests.cloud.conftest import NOTHING, connect, unproven
from tests.cloud.joint import running

# A call, the parameter that names something new, and what EC2 says while that is not seen.
NOT_YET = [
    ("DescribeImportSnapshotTasks", "ImportTaskIds", "InvalidConversionTaskId"),
    ("DescribeImages", "ImageIds", "InvalidAMIID.NotFound"),
    ("DescribeInstances", "InstanceIds", "InvalidInstanceID.NotFound"),
    ("AuthorizeSecurityGroupIngress", "GroupId", "InvalidGroup.NotFound"),
    ("RunInstances", "ImageId", "InvalidGroup.NotFound"),
]


def hide(cloud: Cloud, call: str, parameter: str, code: str, times: int) -> list[str]:
    """What `call` names by `parameter` is not there for so many times. Searches are answered."""
    failures: list[str] = []

    def handle(params: dict[str, object], **_: object) -> None:
        if parameter in params and len(failures) < times:
            failures.append(call)
            raise ClientError({"Error": {"Code": code, "Message": ""}}, call)

    cloud.session.events.register(f"before-parameter-build.ec2.{call}", handle)
    return failures


@pytest.mark.extended
@pytest.mark.parametrize(("call", "parameter", "code"), NOT_YET)
def test_a_deployment_waits_until_it_is_seen(
    cloud: Cloud, disk: DiskImage, call: str, parameter: str, code: str
) -> None:
    failures = hide(cloud, call, parameter, code, times=2)
    running(cloud, disk)
    assert failures == [call] * 2


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(("call", "parameter", "code"), NOT_YET)
def test_what_is_never_seen_is_a_failure_that_leaves_nothing(
    cloud: Cloud,  # with the role that imports need
    disk: DiskImage,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    parameter: str,
    code: str,
) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    time = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("nitro.cloud.wait.time", time)
    monkeypatch.setattr("nitro.cloud.visibility.time", time)
    victim = connect(sleep=sleep)
    failures = hide(victim, call, parameter, code, times=1000)
    with pytest.raises(ApiError) as caught:
        running(victim, disk)
    assert caught.value.code == code
    assert len(failures) < 100
    assert VISIBLE_AFTER <= now < 2 * VISIBLE_AFTER + 60
    assert {**unproven(connect()), "buckets": []} == NOTHING
