"""What `nitro publish`, `verify` and `rollback` print of plans and of what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from nitro.cli import publish_output
from nitro.cloud import Cloud
from nitro.errors import NitroError
from nitro.publish.execute import Outcome
from nitro.publish.observe import RegionState
from nitro.publish.parameters import Flip
from nitro.publish.publication import Publication
from nitro.publish.release import Release
from nitro.publish.verify import Verdict
from tests.unit.publish.test_plan import (
    DIGEST,
    HOME,
    REGIONS,
    SECOND,
    THIRD,
    finished,
    image,
    made,
    wanted,
)

NAME = "web-x86_64-abababababab"
SECOND_ERROR = NitroError("no answer")


def printed(capsys: pytest.CaptureFixture[str], show: Callable[[], None]) -> list[str]:
    show()
    return capsys.readouterr().out.splitlines()


def test_a_plan_is_a_row_for_each_step_with_calls_and_bytes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of = wanted()
    plan = made(of, finished(of, HOME), RegionState(SECOND, error=SECOND_ERROR))
    plan = replace(plan, kept={"ami-0": ["instance i-1", "parameter /web"]})
    assert printed(capsys, lambda: publish_output.show_plan(plan, as_json=False)) == [
        f"{NAME}  {DIGEST}",
        "",
        "REGION        EXISTS      STEP",
        "eu-central-1  ami-1       nothing to do",
        "us-east-1     no answer   nothing to do",
        "eu-west-1     no AMI yet  write a snapshot, at most 4 blocks of 512 KiB",
        "                          register the AMI on the new snapshot",
        "                          tag it and its snapshot as published",
        "",
        "kept: ami-0, which instance i-1; parameter /web names",
        "",
        "calls that change something, at the most: ebs:StartSnapshot × 1, "
        "ebs:PutSnapshotBlock × 4, ebs:CompleteSnapshot × 1, ec2:CreateTags × 2, "
        "ec2:RegisterImage × 1",
        "to send from here, at the most: 2.1 MB",
    ]


def test_a_plan_without_steps_calls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    of = wanted()
    plan = made(of, *(finished(of, region) for region in REGIONS))
    *_, calls, sent = printed(capsys, lambda: publish_output.show_plan(plan, as_json=False))
    assert calls == "calls that change something, at the most: none"
    assert sent == "to send from here, at the most: 0.0 MB"


def published(of: Release, *, failed: bool) -> Publication:
    old, new = image(of), image(of, id="ami-2", snapshot_id="snap-2")
    last = (
        Outcome(THIRD, error=SECOND_ERROR) if failed else Outcome(THIRD, replace(new, id="ami-3"))
    )
    outcomes = [Outcome(HOME, old), Outcome(SECOND, new, changed=True), last]
    return Publication(made(of), outcomes)


@pytest.mark.parametrize(
    ("failed", "keys", "lines"),
    [
        (
            True,
            {"parameter": "/web"},
            [
                "eu-west-1     failed  no answer",
                "",
                "the parameter /web is left as it was",
                "run the same command again to go on",
            ],
        ),
        (
            False,
            {"parameter": "/web"},
            [
                "eu-west-1     ami-3  snap-2  unchanged",
                "",
                "the parameter /web names the AMI in every region",
            ],
        ),
        (False, {}, ["eu-west-1     ami-3  snap-2  unchanged"]),
    ],
)
def test_a_publication_is_a_row_for_each_region(
    capsys: pytest.CaptureFixture[str], failed: bool, keys: dict[str, Any], lines: list[str]
) -> None:
    done = published(wanted(**keys), failed=failed)
    found = printed(capsys, lambda: publish_output.show(done, None, as_json=False))
    width = "failed" if failed else "ami-3"
    assert found == [
        f"{NAME}  {DIGEST}",
        "",
        f"REGION        {'AMI'.ljust(len(width))}  SNAPSHOT",
        f"eu-central-1  {'ami-1'.ljust(len(width))}  snap-1  unchanged",
        f"us-east-1     {'ami-2'.ljust(len(width))}  snap-2  published",
        *lines,
    ]


@pytest.mark.parametrize(
    ("failed", "keys", "flipped"),
    [
        (True, {"parameter": "/web"}, False),
        (False, {"parameter": "/web"}, True),
        (False, {}, False),
    ],
)
def test_a_publication_as_json_says_whether_the_parameter_names_it(
    capsys: pytest.CaptureFixture[str], failed: bool, keys: dict[str, Any], flipped: bool
) -> None:
    done, manifest = published(wanted(**keys), failed=failed), Path("web.json")
    document = json.loads(
        "\n".join(printed(capsys, lambda: publish_output.show(done, manifest, as_json=True)))
    )
    assert document["flipped"] is flipped
    assert document["manifest"] == "web.json"
    assert [each["changed"] for each in document["regions"]] == [False, True, False]
    assert [each["ami"] for each in document["regions"][:2]] == ["ami-1", "ami-2"]


def test_a_verdict_is_a_line_with_its_problems(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = [Verdict(HOME, (), 32), Verdict(SECOND, ("the AMI is gone", "and more"), 0)]
    assert printed(capsys, lambda: publish_output.show_verdicts(verdicts, as_json=False)) == [
        "ok   eu-central-1: 32 blocks compared",
        "BAD  us-east-1: 0 blocks compared",
        "     the AMI is gone",
        "     and more",
    ]


def test_flips_are_a_table_or_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    flips = [
        Flip(Cloud(HOME, boto3.Session()), "/web", "ami-1", "ami-2"),
        Flip(Cloud(SECOND, boto3.Session()), "/web", None, "ami-3"),
    ]
    assert printed(capsys, lambda: publish_output.show_flips(flips, as_json=False)) == [
        "REGION        PARAMETER  NAMED    NAMES",
        "eu-central-1  /web       ami-1    ami-2",
        "us-east-1     /web       nothing  ami-3",
    ]
    assert printed(capsys, lambda: publish_output.show_flips([], as_json=False)) == [
        "nothing to do: the parameters name that release already"
    ]
