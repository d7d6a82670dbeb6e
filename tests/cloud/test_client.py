"""A client measures and is gone afterwards, whatever became of its measurement.

The guest's part, sending the archive, is the test's.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest
import requests

from nitro.client import Client, launched_client
from nitro.cloud import (
    Cloud,
    DiskImage,
    Keep,
    NeverReady,
    Undo,
    create_placement,
    launch,
    publish,
)
from nitro.cloud.launch import Placement
from nitro.cloud.user_data import compose
from nitro.errors import NitroError, ProbeError
from nitro.local.hypervisor import NullHypervisor
from nitro.ports import Port
from nitro.probe import Result
from nitro.probe.base import Probe
from nitro.probe.plan import ProbePlan, build
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from tests.cloud.conftest import NOTHING, everything, kind
from tests.cloud.joint import write_console
from tests.unit.probe.recorded import recorded
from tests.unit.probe.test_archive import archive
from tests.unit.probe.test_console_result import block_of

SMALL, LARGE = Http(seconds=1), Iperf3(seconds=60, streams=16, direction="in")
HTTP = archive({"http.out": recorded("wrk-4.1.0/ok.txt").encode(), "http.times": b"1 2 3"})


def started(
    cloud: Cloud, disk: DiskImage, undo: Undo, probe: Probe = SMALL
) -> tuple[str, Placement, ProbePlan]:
    """A server to be measured, from the AMI that also serves as the client's."""
    ami_id = publish(cloud, disk, undo).ami_id
    placement = create_placement(cloud, undo, deployment="d-test", ports=[Port("tcp", 80)])
    server = launch(cloud, ami_id, kind(cloud), placement, undo, name="bench")
    return ami_id, placement, build([probe], server.private_ip)


def user_data(running: Client) -> str:
    told = running.cloud.ec2.describe_instance_attribute(
        InstanceId=running.instance_id, Attribute="userData"
    )
    return base64.b64decode(told["UserData"]["Value"]).decode()


@pytest.mark.extended
def test_a_client_is_told_its_plan_and_measures(cloud: Cloud, disk: DiskImage) -> None:
    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        before = everything(cloud)["instances"]
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            assert sorted(everything(cloud)["instances"]) == sorted([*before, running.instance_id])
            head, _, payload = user_data(running).partition("\n\n")
            assert re.fullmatch(r"NITRO=1\nNITRO_EXPIRES=\d+", head)
            assert payload == plan.text()
            write_console(running.instance_id, block_of(HTTP))
            [result] = running.results()
        assert result.ok
        assert result.metrics["http"].value == 59083.39
        assert everything(cloud)["instances"] == before
    assert everything(cloud) == NOTHING


def step_of(name: str, said: bytes) -> str:
    """What a client shows of a line of its plan that has ended."""
    return block_of(archive({f"{name}.out": said, f"{name}.times": b"1 2 3"}), kind="step")


@pytest.mark.extended
def test_each_step_is_told_once_as_it_ends(
    cloud: Cloud, disk: DiskImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the readings of the counters around it. What is damaged or in no plan is passed over."""
    page = recorded("wrk-4.1.0/ok.txt").encode()
    shown = [
        step_of("allowances-0", b"client pps_allowance_exceeded: 3"),
        step_of("http", page),
        block_of(b"no archive", kind="step") + step_of("elsewhere", b"x"),
        step_of("allowances-1", b"client pps_allowance_exceeded: 5"),
        step_of("http", b"again") + step_of("http-2", page),
        block_of(archive({"http.out": page, "http.times": b"1 2 3"})),
    ]
    told: list[list[tuple[int, bool, list[int]]]] = [[]]

    def on_step(number: int, result: Result) -> None:
        told[-1].append((number, result.ok, [one.count for one in result.allowances]))

    def pause(_: float) -> None:
        told.append([])
        write_console(running.instance_id, shown[len(told) - 2])

    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, _ = started(cloud, disk, undo)
        plan = build([SMALL, SMALL], "10.0.0.9", allowances=True)
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            slow = replace(running, cloud=replace(cloud, sleep=pause))
            results = slow.results(on_step)
    assert [result.ok for result in results] == [True, False]
    assert told == [[], [], [], [], [(0, True, [2])], [], []]


@pytest.mark.extended
def test_results_that_may_be_too_large_for_the_console_have_a_place_in_s3(
    cloud: Cloud, disk: DiskImage
) -> None:
    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo, LARGE)
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            assert running.upload
            assert f"\nNITRO_RESULT_URL={running.upload.url}\n" in user_data(running)
            files = {"iperf3-tcp-in.out": b"{}", "iperf3-tcp-in.times": b"1 2 3"}
            requests.put(running.upload.url, data=archive(files), timeout=5)
            [result] = running.results()
        assert result.raw == "{}"
    assert everything(cloud) == NOTHING


@pytest.mark.extended
def test_small_results_of_a_large_plan_may_come_on_the_console(
    cloud: Cloud, disk: DiskImage
) -> None:
    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo, LARGE)
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            write_console(running.instance_id, block_of(archive({})))
            [result] = running.results()
        assert "did not run" in (result.error or "")


@pytest.mark.extended
def test_why_a_client_could_not_send_its_results_is_the_error(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    said = '{"nitro":"result","uptime":41.2,"error":"the PUT to S3 ended with HTTP status 307"}'

    def measure() -> None:
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            hypervisor.write_console(running.instance_id, f"curl: hm\r\n{said}\r\n".encode())
            running.results()

    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        with pytest.raises(
            NeverReady,
            match=r"i-\w+ could not send its results: the PUT to S3 ended with HTTP status 307",
        ) as failure:
            measure()
    assert failure.value.console.startswith("curl: hm\n")


@pytest.mark.extended
def test_a_deployment_may_be_measured_again(cloud: Cloud, disk: DiskImage) -> None:
    with Undo(keep=Keep.NOTHING, sleep=cloud.sleep) as undo:
        ami_id, placement, plan = started(cloud, disk, undo)
        ids = []
        for _ in range(2):
            with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
                ids.append(running.instance_id)
        assert ids[0] != ids[1]


@pytest.mark.extended
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


@pytest.mark.extended
def test_a_damaged_archive_is_an_error_and_the_client_goes(cloud: Cloud, disk: DiskImage) -> None:
    def measure() -> None:
        with launched_client(cloud, Undo(), ami_id, kind(cloud), placement, plan) as running:
            write_console(running.instance_id, block_of(b"<html>not what was expected</html>"))
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
