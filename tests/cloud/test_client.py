"""A client measures and is gone afterwards, whatever became of its measurement.

The guest's part, sending the archive, is the test's.
"""

from __future__ import annotations

import base64

import pytest

from nitro.client import Client, launched_client
from nitro.cloud import Cloud, DiskImage, Keep, Undo, create_placement, launch, publish
from nitro.cloud.launch import Placement
from nitro.cloud.user_data import compose
from nitro.errors import NitroError, ProbeError
from nitro.ports import Port
from nitro.probe.plan import Plan, build
from nitro.probe.tools.http import Http
from tests.cloud.conftest import NOTHING, everything, kind
from tests.unit.probe.recorded import recorded
from tests.unit.probe.test_archive import archive


def started(cloud: Cloud, disk: DiskImage, undo: Undo) -> tuple[str, Placement, Plan]:
    """A server to be measured, from the AMI that also serves as the client's."""
    ami_id = publish(cloud, disk, undo).ami_id
    placement = create_placement(cloud, undo, deployment="d-test", ports=[Port("tcp", 80)])
    server = launch(cloud, ami_id, kind(cloud), placement, undo, name="bench")
    return ami_id, placement, build([Http(seconds=1)], server.private_ip)


def send(running: Client, data: bytes) -> None:
    upload = running.upload
    running.cloud.s3.put_object(Bucket=upload.bucket.name, Key=upload.key, Body=data)


def test_a_client_is_told_its_plan_and_measures(cloud: Cloud, disk: DiskImage) -> None:
    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        before = everything(cloud)["instances"]
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            assert sorted(everything(cloud)["instances"]) == sorted([*before, running.instance_id])
            told = cloud.ec2.describe_instance_attribute(
                InstanceId=running.instance_id, Attribute="userData"
            )["UserData"]["Value"]
            text = base64.b64decode(told).decode()
            head, _, payload = text.partition("\n\n")
            assert head.startswith("NITRO=1\nNITRO_TTL=")
            assert f"\nNITRO_RESULT_URL={running.upload.url}" in head
            assert payload == plan.text()
            send(
                running,
                archive(
                    {"http.out": recorded("wrk-4.1.0/ok.txt").encode(), "http.times": b"1 2 3"}
                ),
            )
            [result] = running.results()
        assert result.ok
        assert result.metrics["http"].value == 59083.39
        assert everything(cloud)["instances"] == before
    assert everything(cloud) == NOTHING


def test_a_deployment_may_be_measured_again(cloud: Cloud, disk: DiskImage) -> None:
    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        ids = []
        for _ in range(2):
            with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
                ids.append(running.instance_id)
        assert ids[0] != ids[1]


def test_a_client_that_ends_without_results_is_an_error(cloud: Cloud, disk: DiskImage) -> None:
    def measure() -> None:
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            cloud.ec2.terminate_instances(InstanceIds=[running.instance_id])
            running.results()

    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        before = everything(cloud)["instances"]
        with pytest.raises(NitroError, match="has sent no result"):
            measure()
        assert everything(cloud)["instances"] == before


def test_a_damaged_archive_is_an_error_and_the_client_goes(cloud: Cloud, disk: DiskImage) -> None:
    def measure() -> None:
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            send(running, b"<html>not what was expected</html>")
            running.results()

    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        before = everything(cloud)["instances"]
        with pytest.raises(ProbeError, match="the client's archive cannot be read"):
            measure()
        assert everything(cloud)["instances"] == before


def test_a_long_plan_fits_in_user_data() -> None:
    probes = [Http(path="/" + "x" * 200) for _ in range(20)]
    text = compose({"NITRO_RESULT_URL": "https://" + "u" * 2000}, build(probes, "10.0.0.9").text())
    assert len(text) < 16 * 1024
