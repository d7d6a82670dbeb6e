"""What releases come to in words: settings, names, and plans with every step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import DiskImage, tags
from nitro.errors import NitroError
from nitro.ports import Port
from nitro.publish import plan, release, steps
from nitro.publish import settings as publish_settings
from nitro.publish.access import Access
from nitro.publish.observe import RegionState
from nitro.publish.source import BLOCK_SIZE, Provenance, Source
from tests.transcripts import compare
from tests.unit.publish.test_plan import (
    CREATED,
    DIGEST,
    HOME,
    SECOND,
    THIRD,
    finished,
    image,
    made,
    snapshot,
    wanted,
)

HERE = Path(__file__).parent / "transcripts"
FRIEND = "210987654321"
ORGANIZATION = f"arn:aws:organizations::{FRIEND}:organization/o-0123456789"
UNIT = f"arn:aws:organizations::{FRIEND}:ou/o-0123456789/ou-abcd-01234567"
LATER = datetime(2030, 6, 30, 12, 34, 56, tzinfo=UTC)

pytestmark = pytest.mark.extended


class Text:
    """Cases, each with what came of it."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, title: str, ask: Any, *given: Any, **named: Any) -> None:
        try:
            found = ask(*given, **named)
            lines = found if isinstance(found, list) else [found]
            said = "".join(f"  {line}\n" for line in lines)
        except NitroError as error:
            said = f"  {type(error).__name__}: {error.what}\n    {error.hint}\n"
        self.text += f"== {title}\n{said}"


def _steps(found: plan.PublishPlan) -> list[object]:
    lines: list[object] = []
    for step in found.steps:
        lines.append(f"{step.region}: {step.text}")
        lines.append(f"  {step}, {step.bytes_sent} bytes, {dict(step.calls)}")
    return [*lines, dict(found.calls), found.bytes_sent, dict(found.errors), dict(found.kept)]


def test_plans() -> None:
    said = Text()
    share = {"accounts": [FRIEND], "organizations": [ORGANIZATION], "units": [UNIT]}
    plain = wanted()
    every = wanted(
        parameter="/web", share=share, deprecate="90d", protect=True, keep=2, tags={"a": "b"}
    )
    said.add("new", lambda: _steps(made(plain)))
    said.add("new, every setting", lambda: _steps(made(every)))
    said.add("public", lambda: _steps(made(wanted(share={"public": True}))))
    said.add("until a day", lambda: _steps(made(wanted(deprecate="2030-06-30"))))
    for via in ("auto", "ebs", "s3"):
        for uplink in (1000, 25_000_000):
            slow = wanted(via=via, uplink=uplink)
            said.add(f"{via} at {uplink}", lambda one: _steps(made(one)), slow)
    proven = RegionState(HOME, snapshot=snapshot(plain))
    said.add("a snapshot to register", lambda: _steps(made(plain, proven)))
    said.add("done", lambda: _steps(made(plain, *(finished(plain, r) for r in plain.regions))))
    failed = RegionState(SECOND, error=NitroError("down"))
    said.add("one fails", lambda: _steps(made(every, failed)))
    access = Access(frozenset({"1"}), groups=frozenset({"all"}))
    changes: Any
    for title, changes in {
        "unproven": {"snapshot": snapshot(plain, digest="")},
        "no snapshot": {"snapshot": None},
        "shared": {"image_access": access, "snapshot_access": access},
        "image shared": {"image_access": access},
        "snapshot shared": {"snapshot_access": access},
        "deprecated": {"ami": image(plain, deprecated_at=LATER)},
        "protected": {"ami": image(plain, protected=True)},
        "a tag less": {"ami": image(plain, tags={})},
        "a tag less below": {"snapshot": snapshot(plain, tags={})},
        "other tags": {"ami": image(plain, tags=plain.tag_map | {"Name": "x", tags.BUILDER: "x"})},
        "spare": {
            "spare_amis": (
                image(plain, id="ami-2", snapshot_id="snap-2", state="failed"),
                image(plain, id="ami-3", snapshot_id="", protected=True),
            ),
            "spare_snapshots": (
                snapshot(plain, "snap-2"),
                snapshot(plain, "snap-4", state="pending"),
                snapshot(plain, "snap-5", state="error"),
            ),
        },
        "retired": {"retired": (image(plain, id="ami-7"), image(plain, id="ami-8", name="old"))},
    }.items():
        whole = [finished(plain, region) for region in (SECOND, THIRD)]
        one = replace(finished(plain, HOME), **changes)
        used = {HOME: {"ami-8": ["instance i-1"]}}
        said.add(title, lambda *s, **u: _steps(made(plain, *s, **u)), one, *whole, in_use=used)
    earlier = tuple(image(plain, id=f"ami-{n}", name=f"old {n}") for n in (5, 6, 7))
    for keep in (None, 1, 2, 3, 4, 5):
        few = wanted(keep=keep, parameter="/web", deprecate="90d")
        there = [
            finished(few, region, earlier=earlier if region == HOME else (), parameter="ami-0")
            for region in few.regions
        ]
        in_use = {HOME: {"ami-6": ["a template"]}, SECOND: {"ami-5": ["x"]}}
        said.add(
            f"keep {keep}", lambda f, *s, **u: _steps(made(f, *s, **u)), few, *there, in_use=in_use
        )
    dated = wanted(deprecate="90d")
    at = (CREATED + timedelta(days=90)).replace(second=0, microsecond=0)
    for when in (at, LATER, None):
        one = finished(dated, HOME, ami=image(dated, deprecated_at=when))
        said.add(f"deprecated at {when}", lambda s: _steps(made(dated, s)), one)
    keyed = wanted(via="s3")
    for key in (None, "arn:k"):
        for other in (None, "arn:k"):
            states = (RegionState(HOME, key=key), RegionState(SECOND, key=other))
            said.add(f"keys {key}, {other}", lambda *s: _steps(made(keyed, *s)), *states)
    for regions in (0, 1, 2):
        for way in ("ebs", "s3", "auto"):
            said.add(f"{regions} by {way}", plan.seconds, plain, regions, way)
    assert steps.Step(region="x").bytes_sent == 0
    compare(HERE / "plans.txt", said.text)


def test_names_of_releases() -> None:
    said = Text()

    def make(keys: dict[str, Any], **changes: Any) -> list[object]:
        disk = DiskImage(Path("disk.raw"), DIGEST, 4 * BLOCK_SIZE, "web", boot_mode="uefi")
        disk = replace(disk, **changes)
        given = publish_settings.Settings.model_validate({"regions": [HOME], **keys})
        found = release.make(given, Source(disk, {}, (0, 0, 0), Provenance("rev", "1", "bill")))
        moments = [found.deprecated_at(LATER)]
        return [
            *(found.name, found.parameter, found.tag_map, found.series, found.digest),
            *(found.unfinished_tags, found.unproven_tags, found.disk.tags, moments),
            *(found.token("a", "b"), found.token()),
        ]

    keys: Any
    for keys in (
        {},
        {"version": "1.2"},
        {"regions": []},
        {"ami_name": "{recipe} {version}", "version": "2"},
        {"ami_name": "{recipe} {version}"},
        {"ami_name": "{nothing}"},
        {"ami_name": "{}"},
        {"ami_name": "ab"},
        {"ami_name": "abc"},
        {"ami_name": "a" * 128},
        {"ami_name": "a" * 129},
        {"ami_name": "a!b"},
        {"ami_name": "(a)[b] c./-'@_"},
        {"parameter": "/images/{recipe}/{arch}/{digest}"},
        {"parameter": "a/b"},
        {"parameter": "/a b"},
        {"parameter": "//a"},
        {"parameter": "aws/x"},
        {"parameter": "/SSM-x"},
        {"parameter": "/xaws"},
        {"parameter": "/" + "/".join("a" * 15)},
        {"parameter": "/" + "/".join("a" * 16)},
        {"tags": {"aws:x": "y"}},
        {"tags": {f"{n}": "" for n in range(44)}},
        {"tags": {f"{n}": "" for n in range(40)}},
        {"deprecate": "5d"},
        {"deprecate": "2030-01-01"},
    ):
        said.add(f"{str(keys)[:60]}", make, keys)
    more: dict[str, Any] = {"minimum_memory_mib": 64, "processors": 2, "ports": (Port("tcp", 80),)}
    said.add("all of a disk", make, {}, **more, tags={"a": "b", "Name": "x"})
    said.add("a bad description", make, {}, description="é")
    compare(HERE / "names.txt", said.text)


def test_settings(tmp_path: Path) -> None:
    said = Text()

    def load(text: str | None, **flags: Any) -> list[object]:
        path = tmp_path / "publish.toml"
        if text is not None:
            path.write_text(text)
        try:
            found = publish_settings.load(None if text is None else path, **flags)
        except NitroError as error:
            error.what = error.what.replace(str(tmp_path), "")
            raise
        return [f"{name} {value!r}" for name, value in found if value] + [
            found.share.anyone,
            [found.key_for(region) for region in (HOME, SECOND)],
        ]

    far = (datetime.now(UTC) + timedelta(days=3649)).date()
    for text in (
        "",
        'regions = ["eu-central-1", "us-east-1", "eu-central-1"]',
        'regions = ["moon"]',
        'regions = ["us-gov-west-1", "ap-southeast-12"]',
        'regions = "eu-central-1"',
        'ami_name = ""',
        'parameter = ""',
        'version = "1/2"',
        f'version = "{"1" * 60}"',
        f'version = "{"1" * 61}"',
        'via = "x"',
        'regions = ["eu-central-1"]\nkms_key = "a"\nkms_keys = {eu-central-1 = "b"}',
        'kms_keys = {eu-central-1 = "b"}',
        'share = {accounts = ["123"]}',
        f'share = {{accounts = ["{FRIEND}"]}}',
        f'share = {{organizations = ["{ORGANIZATION}"]}}',
        f'share = {{organizations = ["{UNIT}"]}}',
        f'share = {{units = ["{UNIT}"]}}',
        f'share = {{units = ["{ORGANIZATION}"]}}',
        "share = {public = true}",
        "share = {x = 1}",
        "x = 1",
        'deprecate = "1d"',
        'deprecate = "9999d"',
        'deprecate = "3650d"',
        'deprecate = "3651d"',
        'deprecate = "730d"\nshare = {public = true}',
        'deprecate = "731d"\nshare = {public = true}',
        'deprecate = "01d"',
        'deprecate = "soon"',
        "deprecate = 5",
        "deprecate = 2031-06-30",
        "deprecate = 2031-06-30T12:00:00+02:00",
        'deprecate = "2031-06-30T12:00"',
        "deprecate = 2999-06-30",
        "protect = true",
        "keep = 0",
        "keep = 1",
        "keep = 1.0",
        'keep = "1"',
        "uplink = 0",
        "uplink = 1",
        "remove_shared = true",
        "tags = {a = 1}",
        "tags = {a = 'b'}",
        "=",
    ):
        said.add(text, load, text)
    assert load(f"deprecate = {far}")
    table = f'regions = ["eu-central-1"]\nversion = "1"\nshare = {{accounts = ["{FRIEND}"]}}'
    flags: Any
    for flags in (
        {},
        {"regions": ["us-east-1"]},
        {"regions": (), "version": None, "via": None},
        {"version": "2", "protect": True},
        {"share": {"public": True}},
        {"share": {"accounts": ["123123123123"], "organizations": []}},
        {"share": {}},
        {"protect": False},
        {"keep": 0},
        {"x": 1},
    ):
        said.add(f"{flags} beside a file", load, table, **flags)
        said.add(f"{flags}", load, None, **flags)
    compare(HERE / "settings.txt", said.text)
