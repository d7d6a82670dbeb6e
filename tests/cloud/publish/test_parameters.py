"""SSM parameters: read back, and flipped in all regions or in none."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.cloud import Cloud
from nitro.errors import NitroError, RefusedError
from nitro.progress import Reporter
from nitro.publish import parameters
from nitro.publish.parameters import Flip, flip_all, read
from tests.cloud.conftest import refuse
from tests.cloud.publish.conftest import PARAMETER, REGIONS

pytestmark = pytest.mark.policies("publish")

OLD, NEW = "ami-0123456789abcdef0", "ami-0123456789abcdef1"


@pytest.fixture
def flips(bare_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[Flip]:
    """Parameters of three regions, the last of which is new; types are not checked here."""
    monkeypatch.setattr(parameters, "DEADLINE", 0.01)
    monkeypatch.setattr(parameters, "DATA_TYPE", "text")  # AMIs that are there are not the point
    clouds = [bare_cloud.in_region(region) for region in REGIONS]
    for cloud in clouds[:2]:
        cloud.ssm.put_parameter(Name=PARAMETER, Value=OLD, Type="String")
    befores = (OLD, OLD, None)
    return [
        Flip(cloud, PARAMETER, before, NEW) for cloud, before in zip(clouds, befores, strict=True)
    ]


def values(flips: list[Flip]) -> list[str | None]:
    return [read(flip.cloud, flip.name) for flip in flips]


def test_all_flip(flips: list[Flip]) -> None:
    flip_all(flips, Reporter())
    assert values(flips) == [NEW, NEW, NEW]


def keeps_its_value(cloud: Cloud) -> None:
    """As AWS does with an AMI that it finds not valid: the call succeeds, the value stays."""
    from botocore.awsrequest import AWSResponse, HTTPHeaders

    def answer(params: Any, **_: Any) -> Any:
        body = {"Version": 2, "ResponseMetadata": {"HTTPStatusCode": 200}}
        return AWSResponse("", 200, HTTPHeaders(), None), body

    events: Any = cloud.ssm.meta.events
    events.register("before-call.ssm.PutParameter", answer)


@pytest.mark.parametrize("stuck", [0, 1, 2])
def test_one_that_keeps_its_old_value_leaves_all_with_theirs(flips: list[Flip], stuck: int) -> None:
    keeps_its_value(flips[stuck].cloud)
    with pytest.raises(NitroError, match="no parameter points to the new AMIs") as failed:
        flip_all(flips, Reporter())
    assert REGIONS[stuck] in str(failed.value)
    assert values(flips) == [OLD, OLD, None]


def test_what_cannot_be_put_back_is_named(flips: list[Flip]) -> None:
    keeps_its_value(flips[1].cloud)
    first, puts = flips[0].cloud.ssm, []

    def denied_the_second_time(params: Any, model: Any, **_: Any) -> None:
        puts.append(model.name)
        if len(puts) == 2:
            raise RefusedError("denied")

    first.meta.events.register("before-call.ssm.PutParameter", denied_the_second_time)
    with pytest.raises(NitroError, match=f"not put back in {REGIONS[0]}"):
        flip_all(flips, Reporter())


def test_a_secret_cannot_name_an_ami(bare_cloud: Cloud) -> None:
    bare_cloud.ssm.put_parameter(Name=PARAMETER, Value="x", Type="SecureString")
    with pytest.raises(RefusedError, match="is a SecureString, not a String"):
        read(bare_cloud, PARAMETER)


def test_a_denied_read_is_not_a_missing_parameter(bare_cloud: Cloud) -> None:
    refuse(bare_cloud, "ssm.GetParameter", "AccessDeniedException")
    with pytest.raises(RefusedError):
        read(bare_cloud, PARAMETER)
