"""What AWS would refuse is refused before anything is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitro.cloud import Cloud, DiskImage, Undo, ami, create_placement, publish
from nitro.errors import InputError
from nitro.ports import Port
from tests.cloud.conftest import connect, recorded


def publish_it(cloud: Cloud, disk: DiskImage) -> str:
    with Undo(sleep=cloud.sleep) as undo:
        return publish(cloud, disk, undo).ami_id


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("für alle", "contains 'ü'"),
        ("two\nlines", r"contains '\\n'"),
        ("a\x7f", r"contains '\\x7f'"),
        ("x" * 256, "has 256 characters, EC2 allows 255"),
    ],
)
def test_a_description_that_ec2_refuses(
    cloud: Cloud, disk: DiskImage, description: str, message: str
) -> None:
    calls = recorded(cloud)
    with pytest.raises(InputError, match=message):
        publish_it(cloud, replace(disk, description=description))
    assert calls == []


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"aws:team": "x"}, "begins with `aws:`"),
        ({"AWS:team": "x"}, "begins with `aws:`"),
        ({"": "x"}, "has 0 characters"),
        ({"k" * 129: "x"}, "has 129 characters, AWS allows 1 to 128"),
        ({"k": "v" * 257}, "has 257 characters, AWS allows 256"),
        ({str(n): "" for n in range(45)}, "would have 51 tags"),
    ],
)
def test_tags_that_aws_refuses(
    cloud: Cloud, disk: DiskImage, tags: dict[str, str], message: str
) -> None:
    calls = recorded(cloud)
    with pytest.raises(InputError, match=message):
        publish_it(cloud, replace(disk, tags=tags))
    assert calls == []


@pytest.mark.extended
def test_what_just_fits_is_taken_whole(cloud: Cloud, disk: DiskImage) -> None:
    tags = {str(n): "" for n in range(43)} | {"k" * 128: "v" * 256}
    id_ = publish_it(cloud, replace(disk, description="x" * 255, tags=tags))
    image = ami.describe(cloud, id_)
    assert image["Description"] == "x" * 255
    assert len(image["Tags"]) == 49  # an ephemeral run adds one more


def test_a_deployments_tags_are_examined_before_its_group_is_made(cloud: Cloud) -> None:
    observer = connect()
    calls = recorded(observer)
    with pytest.raises(InputError, match="has 300 characters"), Undo() as undo:
        create_placement(
            observer, undo, deployment="d-1", ports=[Port("tcp", 80)], extra_tags={"x": "y" * 300}
        )
    assert [call for call in calls if call.changes] == []
