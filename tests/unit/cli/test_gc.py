"""What `nitro gc` says of the garbage of each region, and with which status it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.cli import gc
from nitro.cloud import garbage
from nitro.cloud.garbage import Garbage, Kept, Region
from nitro.cloud.inventory import Resource
from nitro.errors import NitroError
from tests.unit.cli.runner import json_of, nitro_

SNAPSHOT, GROUP = Resource("snapshot", "snap-1", "web"), Resource("security group", "sg-1")
IMAGE = Resource("image", "ami-1")


class Account:
    """Stands in for what looks through an account and clears it."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = list(regions)
        self.asked: list[tuple[Any, ...]] = []
        self.collected = 0

    def find_in(
        self, cloud: object, names: Sequence[str], young: timedelta, bucket: str | None
    ) -> list[Region]:
        self.asked.append((list(names), young, bucket))
        return self.regions

    def collect(self, cloud: object, found: Sequence[Region], report: object) -> None:
        self.collected += 1
        for region in found:
            region.removed += [each.resource for each in region.garbage if each.resource != GROUP]

    def regions_of(self, cloud: object) -> list[str]:
        return ["eu-west-1", "us-east-1"]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[Any]:
        yield SimpleNamespace(cloud=None, settings=SimpleNamespace(bucket="mine"))

    made = Account([])
    monkeypatch.setattr(gc, "connected", connected)
    for name in ("find_in", "collect", "regions_of"):
        monkeypatch.setattr(garbage, name, getattr(made, name))
    return made


def found(error: NitroError | None = None) -> list[Region]:
    return [
        Region(
            "eu-west-1",
            [Garbage(SNAPSHOT, "unfinished"), Garbage(GROUP, "expired")],
            [Kept(IMAGE, ("instance i-1", "parameter /web"))],
        ),
        Region("us-east-1", error=error),
    ]


@pytest.mark.parametrize(
    ("plan", "ends"), [(True, ("would go", "would go")), (False, ("removed", "is left"))]
)
def test_garbage_is_a_row_for_each_with_what_became_of_it(
    account: Account, plan: bool, ends: tuple[str, str]
) -> None:
    account.regions = found()
    rows = nitro_("gc", *(["--plan"] if plan else [])).stdout.splitlines()
    assert account.collected == (not plan)
    assert [" ".join(row.split()) for row in rows] == [
        "REGION KIND ID WHY",
        f"eu-west-1 snapshot snap-1 unfinished {ends[0]}",
        f"eu-west-1 security group sg-1 expired {ends[1]}",
        "eu-west-1 image ami-1 named by instance i-1, parameter /web stays",
    ]
    assert account.asked == [(["eu-west-1", "us-east-1"], timedelta(hours=6), "mine")]


def test_json_has_the_garbage_what_is_kept_and_the_error_of_each_region(account: Account) -> None:
    account.regions = found(NitroError("no answer"))
    first, second = json_of("gc", "gc", code=1)
    assert first["error"] is None
    assert [(each["id"], each["removed"]) for each in first["garbage"]] == [
        ("snap-1", True),
        ("sg-1", False),
    ]
    assert first["kept"] == [{"id": "ami-1", "users": ["instance i-1", "parameter /web"]}]
    assert second == {"region": "us-east-1", "garbage": [], "kept": [], "error": "no answer"}


def test_a_region_that_failed_is_status_1_and_said_after_the_others(account: Account) -> None:
    account.regions = [Region("eu-west-1"), Region("us-east-1", error=NitroError("no answer"))]
    done = nitro_("gc", "--region", "us-east-1", "--older-than", "1d", code=1)
    assert done.stdout == "no garbage\n"
    assert done.stderr.splitlines()[1:] == ["nitro: us-east-1: no answer"]
    assert account.asked == [(["us-east-1"], timedelta(days=1), "mine")]
