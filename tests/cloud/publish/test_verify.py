"""A release held against its manifest: what somebody has changed since is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud
from nitro.errors import RefusedError
from nitro.progress import Reporter
from nitro.publish import manifest
from nitro.publish.manifest import Manifest
from nitro.publish.source import Source
from nitro.publish.verify import verify
from tests.cloud.conftest import connect, recorded
from tests.cloud.publish.conftest import FRIEND, PARAMETER, REGIONS, make_release, publish_it

pytestmark = pytest.mark.policies("publish")


@pytest.fixture
def released(account: Cloud, disk: Source, tmp_path: Path) -> Manifest:
    """A release in two regions."""
    wanted = make_release(disk, via="s3", regions=REGIONS[:2], share={"accounts": [FRIEND]})
    path = tmp_path / "release.json"
    manifest.write(path, manifest.of_publication(publish_it(wanted), account.account))
    return manifest.read(path)


def problems(released: Manifest, sample: int | None = None) -> dict[str, tuple[str, ...]]:
    found = verify(connect(), released, Reporter(), sample=sample)
    return {verdict.region: verdict.problems for verdict in found if verdict.problems}


@pytest.mark.extended
def test_a_release_that_nobody_touched_has_no_problem(released: Manifest) -> None:
    connection = connect()
    calls = recorded(connection)
    first, second = verify(connection, released, Reporter(), sample=None)
    assert (first.problems, second.problems) == ((), ())
    assert first.blocks_read >= 2
    assert [str(call) for call in calls if call.changes] == []


def unshare(cloud: Cloud, image_id: str, snapshot_id: str) -> None:
    cloud.ec2.modify_image_attribute(
        ImageId=image_id, LaunchPermission={"Remove": [{"UserId": FRIEND}]}
    )


def share_more(cloud: Cloud, image_id: str, snapshot_id: str) -> None:
    cloud.ec2.modify_snapshot_attribute(
        SnapshotId=snapshot_id, CreateVolumePermission={"Add": [{"UserId": "9" * 12}]}
    )


def retag(cloud: Cloud, image_id: str, snapshot_id: str) -> None:
    tag = {"Key": "nitro:digest", "Value": "sha256:0"}
    cloud.ec2.create_tags(Resources=[image_id], Tags=[tag])  # type: ignore[list-item]


def deregister(cloud: Cloud, image_id: str, snapshot_id: str) -> None:
    cloud.ec2.deregister_image(ImageId=image_id)
    cloud.ec2.delete_snapshot(SnapshotId=snapshot_id)


def unname(cloud: Cloud, image_id: str, snapshot_id: str) -> None:
    cloud.ssm.delete_parameter(Name=PARAMETER)


CHANGES: tuple[tuple[Callable[[Cloud, str, str], None], str], ...] = (
    (unshare, f"the AMI is not shared with {FRIEND}"),
    (share_more, f"the snapshot is also shared with {'9' * 12}"),
    (retag, "the AMI's tag nitro:digest is sha256:0"),
    (unname, f"the parameter {PARAMETER} names nothing"),
    (deregister, "is gone"),
)


@pytest.mark.extended
def test_what_has_changed_since_is_named(account: Cloud, released: Manifest) -> None:
    made: Any = released.document["regions"][1]
    cloud = account.in_region(made["region"])
    for change, named in CHANGES:  # one after the other
        change(cloud, made["ami"], made["snapshot"])
        found = problems(released, sample=1)
        assert list(found) == [made["region"]]
        assert named in "\n".join(found[made["region"]])
    whole, gone = verify(connect(), released, Reporter(), sample=1)
    assert (whole.blocks_read, gone.blocks_read) == (1, 0)


def test_a_manifest_of_another_account_is_refused(released: Manifest) -> None:
    released.document["account"] = "9" * 12
    with pytest.raises(RefusedError, match="published in the account 999999999999"):
        problems(released)
