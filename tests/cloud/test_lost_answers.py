"""A call had its effect and its answer was lost: what it made is found again, and goes away."""

from __future__ import annotations

import pytest
from botocore.exceptions import ReadTimeoutError

from nitro.cloud import ApiError, Cloud, DiskImage, Keep
from nitro.errors import NitroError
from nitro.probe import Selection
from tests.cloud.conftest import NOTHING, connect, everything, unproven
from tests.cloud.joint import deploy

# Every call that makes something which outlives it.
MAKING = [
    "s3.CreateBucket",
    "s3.CreateMultipartUpload",
    "ec2.ImportSnapshot",
    "ec2.RegisterImage",
    "ec2.CreateSecurityGroup",
    "ec2.RunInstances",
]


def lose_answers(cloud: Cloud, call: str, times: int) -> list[str]:
    """Let the first answers to `call` get lost. Returns the list in which each is noted."""
    lost: list[str] = []

    def handle(**_: object) -> None:
        if len(lost) < times:
            lost.append(call)
            raise ReadTimeoutError(endpoint_url="https://aws")

    cloud.session.events.register(f"after-call.{call}", handle)
    return lost


@pytest.mark.extended
@pytest.mark.parametrize("call", MAKING)
def test_without_any_answer_the_deployment_fails_and_leaves_nothing(
    cloud: Cloud, disk: DiskImage, call: str
) -> None:
    victim = connect()
    lost = lose_answers(victim, call, times=1000)
    with pytest.raises(NitroError) as caught:
        deploy(victim, disk, selection=Selection())
    assert lost
    assert not isinstance(caught.value, ApiError) or caught.value.may_have_happened
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
@pytest.mark.parametrize("call", ["ec2.ImportSnapshot", "ec2.RunInstances"])
def test_a_call_that_names_itself_is_made_again_and_makes_nothing_twice(
    cloud: Cloud, disk: DiskImage, call: str
) -> None:
    """By its client token; other calls may not be made again when nobody knows what they did."""
    victim = connect()
    lost = lose_answers(victim, call, times=1)
    deployment = deploy(victim, disk, selection=Selection(), keep=Keep.NOTHING)
    assert lost
    assert not deployment.not_removed
    assert everything(connect()) == NOTHING
