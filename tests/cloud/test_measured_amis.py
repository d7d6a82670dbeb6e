"""A night that measures an AMI that nitro did not make."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from nitro.bench.record import Record
from nitro.cloud import Cloud, DiskImage, Keep, Undo, publish
from nitro.errors import InputError
from tests.cloud.conftest import REGION, connect, make_disk
from tests.cloud.joint import send_results
from tests.cloud.test_night import NOTHING, left, prober, run
from tests.cloud.test_night import _one_recipe as _one_recipe
from tests.cloud.test_night import record as record
from tests.cloud.test_pairs import plan, rows

pytestmark = pytest.mark.policies("deploy", "bench")

OTHER = "us-east-1"


@pytest.mark.extended
def test_another_ami_is_measured_as_a_control(
    cloud: Cloud, disk: DiskImage, record: Record, tmp_path: Path
) -> None:
    with Undo(Keep.IMAGE) as undo:  # which nitro made, and nothing says so any more
        ami = publish(connect(), make_disk(tmp_path / "other.raw", seed=7), undo).ami_id
    mine = connect().ec2.describe_images(ImageIds=[ami])["Images"][0].get("Tags", [])
    connect().ec2.delete_tags(Resources=[ami], Tags=mine)
    text = f'[amis.other]\nids.{REGION} = "{ami}"\nstart = "iperf3 -s -D"\n'
    mixed = plan(f"max_hours = 1\n{text}", 'images = ["bench", "other"]')
    told: list[str] = []
    good = prober().outputs

    def sleep(_: float) -> None:
        send_results(good)

    def note(params: Any, **_: Any) -> None:
        if params["ImageId"] == ami:
            told.append(params["UserData"])

    cloud.sleep = sleep
    cloud.session.events.register("before-parameter-build.ec2.RunInstances", note)
    done = run(cloud, disk, record, mixed)
    assert (done.recorded, done.failed) == (12, 0)
    assert left(cloud) == NOTHING
    sql = "SELECT driver, loaded_driver, digest FROM samples WHERE image = 'other'"
    assert {tuple(row.values()) for row in rows(record, sql)} == {("own", "unknown", ami)}
    # Two hours: the night's hour and one more.
    assert [base64.b64decode(one).decode() for one in told] == [
        "#!/bin/sh\nshutdown -P +120\niperf3 -s -D\n"
    ]


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ({OTHER: "ami-0123456789abcdef0"}, f"amis.other: ids has none for {REGION}"),
        ({REGION: "ami-0123456789abcdef0"}, f"amis.other: {REGION} has no ami-0123456789abcdef0"),
    ],
)
def test_an_ami_that_is_not_there_is_refused_before_anything_is_made(
    cloud: Cloud, disk: DiskImage, record: Record, ids: Any, says: str
) -> None:
    written = ", ".join(f'{region} = "{ami}"' for region, ami in ids.items())
    mixed = plan(f"[amis.other]\nids = {{ {written} }}", 'images = ["bench", "other"]')
    with pytest.raises(InputError, match=says):
        run(cloud, disk, record, mixed)
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_a_script_that_user_data_has_no_room_for_is_refused_before_anything_is_made(
    cloud: Cloud, disk: DiskImage, record: Record, tmp_path: Path
) -> None:
    with Undo(Keep.IMAGE) as undo:
        ami = publish(connect(), make_disk(tmp_path / "other.raw", seed=7), undo).ami_id
    text = f'[amis.other]\nids.{REGION} = "{ami}"\nstart = "{"#" * 16384}"\n'
    with pytest.raises(InputError, match=r"amis\.other\.start: the user data has 16\d+ bytes"):
        run(cloud, disk, record, plan(text, 'images = ["bench", "other"]'))
    assert left(cloud) == NOTHING
