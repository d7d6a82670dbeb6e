"""What is made of AWS's answers when a release is verified, planned and written up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, tags
from nitro.errors import InputError, NitroError
from nitro.publish import manifest, publication, rollback, verify
from nitro.publish.execute import Outcome
from nitro.publish.manifest import Manifest
from nitro.publish.observe import Ami, RegionState
from nitro.publish.plan import PublishPlan
from nitro.publish.publication import Publication
from nitro.publish.release import Release
from nitro.publish.source import Source
from tests.cloud.answers import ACCOUNT, DENIED, FAILED, Answering, Refused
from tests.cloud.handed import Handed, shown
from tests.cloud.publish.conftest import FRIEND, make_release
from tests.cloud.publish.test_answers_regions import HOME, image, images, snapshot

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
AWAY = "us-east-1"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def wanted(disk: Source) -> Release:
    return make_release(disk, regions=[HOME, AWAY], share={"accounts": [FRIEND]})


def published(of: Release, *regions: str, **changes: Any) -> Publication:
    one = Ami("ami-1", of.name, "snap-1", "available", CREATED, None, False, of.tag_map)
    outcomes = [Outcome(region, replace(one, **changes)) for region in regions]
    return Publication(PublishPlan(of, {}, (), {}), outcomes)


def test_releases_are_verified(aws: Answering, handed: Handed, wanted: Release) -> None:
    document = manifest.of_publication(published(wanted, HOME), ACCOUNT)
    handed.stand_in("nitro.publish.readback.compare", 2)

    def check(cloud: Cloud, changes: dict[str, Any], sample: int | None = 2) -> object:
        given: Any = document | changes
        return verify.verify(
            cloud, Manifest(given, wanted.source.blocks), aws.report, sample=sample
        )

    good: Any = {"Architecture": "x86_64", "BootMode": "uefi"}
    base: Any = {
        "DescribeImages": images(image(wanted, **good)),
        "DescribeImageAttribute": {"LaunchPermissions": [{"UserId": FRIEND}]},
        "DescribeSnapshots": {"Snapshots": [snapshot(wanted)]},
        "DescribeSnapshotAttribute": {"CreateVolumePermissions": [{"UserId": FRIEND}]},
        "GetParameter": {"Parameter": {"Type": "String", "Value": "ami-1"}},
    }
    strange = {tags.OWNER: "x", tags.BUILDER: "another"}
    for title, more in {
        "as it was": {},
        "no AMI": {"DescribeImages": images()},
        "AMI gone": {"DescribeImages": Refused("InvalidAMIID.NotFound")},
        "AMI failed": {"DescribeImages": FAILED},
        "AMI denied": {"DescribeImages": DENIED},
        "another state": {"DescribeImages": images(image(wanted, 1, "pending", **good))},
        "bare": {"DescribeImages": images(image(wanted, Name="x", Tags=[]))},
        "other tags": {"DescribeImages": images(image(wanted, tags=strange, **good))},
        "another moment": {
            "DescribeImages": images(image(wanted, CreationDate="2026-01-01T00:00:01Z", **good))
        },
        "the same moment": {
            "DescribeImages": images(image(wanted, CreationDate="2026-01-01T01:00+01:00", **good))
        },
        "not shared": {"DescribeImageAttribute": {}, "DescribeSnapshotAttribute": {}},
        "shared with all": {
            "DescribeImageAttribute": {"LaunchPermissions": [{"Group": "all"}]},
            "DescribeSnapshotAttribute": {"CreateVolumePermissions": [{"Group": "all"}]},
        },
        "no snapshot": {"DescribeSnapshots": {"Snapshots": []}},
        "snapshot gone": {"DescribeSnapshots": Refused("InvalidSnapshot.NotFound")},
        "snapshot without tags": {"DescribeSnapshots": {"Snapshots": [{"Tags": []}]}},
        "no parameter": {"GetParameter": Refused("ParameterNotFound")},
        "another parameter": {"GetParameter": {"Parameter": {"Type": "String", "Value": "x"}}},
        "a secret parameter": {"GetParameter": {"Parameter": {"Type": "SecureString"}}},
    }.items():
        aws.case(title, check, base | more, {})
    aws.case("without a parameter", check, base, {"parameter": None})
    aws.case("all blocks", check, base, {}, None)
    aws.case("another account", check, base, {"account": "1"})
    handed.stand_in("nitro.publish.readback.compare", NitroError("differs"))
    aws.case("other blocks", check, base, {})
    aws.compare("verdicts")


def test_manifests(aws: Answering, wanted: Release, tmp_path: Path) -> None:
    path = tmp_path / "m.json"

    def write(_: Cloud, *regions: str, **changes: Any) -> object:
        document: Any = manifest.of_publication(published(wanted, *regions, **changes), ACCOUNT)
        manifest.write(path, document)
        return path.read_text().splitlines()

    aws.case("two", write, {}, HOME, AWAY)
    later = CREATED.astimezone(datetime.fromisoformat("2026-01-01T00:00+05:00").tzinfo)
    aws.case("at another hour", lambda c: write(c, HOME, created=later))
    lacking = published(wanted, HOME)
    lacking = Publication(lacking.plan, [*lacking.outcomes, Outcome(AWAY), Outcome("x")])
    aws.case("lacking", lambda _: manifest.of_publication(lacking, ACCOUNT))
    failed = [Outcome(HOME), Outcome(AWAY, error=NitroError("no"))]
    aws.case("failed", lambda _: [o.region for o in Publication(lacking.plan, failed).failed])

    def read(_: Cloud, changes: Any) -> object:
        document: Any = manifest.of_publication(published(wanted, HOME), ACCOUNT)
        text = json.dumps(document | changes) if isinstance(changes, dict) else changes
        path.write_text(text)
        try:
            found = manifest.read(path)
        except InputError as error:
            error.what = error.what.replace(f"{tmp_path}/", "")
            raise
        return found.name, {i: d.hex()[:8] for i, d in found.blocks.items()}, shown(target(found))

    def target(found: Manifest) -> object:
        try:
            return rollback.of_manifest(found)
        except InputError as error:
            return str(error)

    changes: Any
    for changes in (
        {},
        {"parameter": None},
        {"regions": []},
        {"block_size": 1 << 20},
        {"block_size": "x"},
        {"blocks": {"0": "?"}},
        {"blocks": {"x": ""}},
        {"name": 1},
        {"schema": "x"},
        "[]",
        "{",
        "",
    ):
        aws.case(f"read {str(changes)[:30]}", read, {}, changes)
    aws.case("gone", lambda _: _plainly(tmp_path, manifest.read, tmp_path / "gone"))
    place = tmp_path / "none" / "m.json"
    aws.case("not written", lambda _: _plainly(tmp_path, manifest.write_text, place, "x"))
    aws.compare("manifests")


def _plainly(folder: Path, ask: Any, *given: Any) -> Any:
    try:
        return ask(*given)
    except NitroError as error:
        error.what = error.what.replace(f"{folder}/", "")
        raise


def test_publications(aws: Answering, handed: Handed, disk: Source) -> None:
    old = Ami("ami-5", "old", "snap-5", "available", CREATED, None, False, {})
    bare = replace(old, id="ami-6", snapshot_id="")

    def state(cloud: Cloud, _: object) -> RegionState:
        states = {HOME: RegionState(HOME, earlier=(old, bare), retired=(old,))}
        return states.get(cloud.region, RegionState(cloud.region))

    def run(cloud: Cloud, keys: dict[str, Any], only: bool) -> object:
        of = make_release(disk, **({"regions": [HOME], "keep": 1} | keys))
        if only:
            found = publication.plan(cloud, of, aws.report)
        else:
            found = publication.publish(cloud, of, aws.report, bucket="mine").plan
        return [step.text for step in found.steps], dict(found.errors), found.kept

    handed.stand_in("nitro.publish.publication.observe", state)
    handed.stand_in("nitro.publish.publication.execute", [])
    named = {"ami-5": ["a"], "snap-5": ["a", "b"], "x": ["c"]}
    handed.stand_in("nitro.cloud.usage.users_of", named)
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for only in (True, False):
        for keys in (
            {},
            {"keep": None},
            {"remove_shared": True},
            {"deprecate": now},
            {"deprecate": now + timedelta(minutes=1)},
            {"deprecate": "1d"},
        ):
            aws.case(f"{keys}, plan only {only}", run, {}, keys, only)
    handed.stand_in("nitro.cloud.usage.users_of", {})
    aws.case("nothing named", run, {}, {}, True)
    for error in (NitroError("down"), Refused("x"), InputError("bad")):
        handed.stand_in("nitro.publish.publication.observe", error)
        aws.case(f"{type(error).__name__}", run, {}, {}, True)
    aws.compare("publications")
