"""Measuring an instance that an earlier command left, against moto."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage
from nitro.errors import InputError, NitroError, ProbeError
from nitro.local.hypervisor import NullHypervisor
from nitro.measure import measure
from nitro.probe import Boot, Result, Selection
from nitro.probe.tools.http import Http
from nitro.progress import LineReporter, Reporter
from tests.cloud.conftest import connect, everything, refuse
from tests.cloud.joint import FakeBuilder, FakeProber, running, small_disk

HTTP_ONLY = Selection(None, (Http(),))


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


def measured(
    cloud: Cloud,
    disk: DiskImage,
    instance_id: str,
    *,
    prober: FakeProber | None = None,
    builder: FakeBuilder | None = None,
    selection: Selection | None = None,
    measure_from: str = "instance",
    report: Reporter | None = None,
) -> list[Result]:
    return measure(
        cloud,
        instance_id,
        builder=builder or FakeBuilder(disk),
        prober=prober or FakeProber(),
        selection=selection,
        measure_from=measure_from,
        report=report or Reporter(),
    ).results


@pytest.mark.extended
def test_the_instances_ports_choose_the_probes_and_a_client_measures(
    cloud: Cloud, disk: DiskImage
) -> None:
    server = running(cloud, disk).instance
    before = everything(connect())
    builder = FakeBuilder(disk)
    boot, http = measured(cloud, disk, server.id, builder=builder)
    assert builder.built == ["client"]
    assert (boot.name, http.name) == ("boot", "http")
    assert http.metrics["http"].value == 59083.39
    assert http.conditions
    assert (http.conditions["instance"], http.conditions["measured_from"]) == (
        server.id,
        "instance",
    )
    after = everything(connect())
    assert {k: after[k] for k in ("instances", "groups")} == {
        k: before[k] for k in ("instances", "groups")
    }
    assert len(after["images"]) == len(before["images"]) + 1  # the client's is kept


@pytest.mark.extended
@pytest.mark.parametrize(
    ("selection", "measure_from", "names"),
    [
        (Selection(Boot()), "instance", ["boot"]),
        (HTTP_ONLY, "host", ["http"]),
        (Selection(), "host", []),
    ],
)
def test_without_a_client_nothing_is_built(
    cloud: Cloud, disk: DiskImage, selection: Selection, measure_from: str, names: list[str]
) -> None:
    server = running(cloud, disk).instance
    before = everything(connect())
    builder = FakeBuilder(disk)
    found = measured(
        cloud, disk, server.id, builder=builder, selection=selection, measure_from=measure_from
    )
    assert [result.name for result in found] == names
    assert builder.prepared == []
    assert everything(connect()) == before


@pytest.mark.extended
def test_no_first_connection_is_measured_of_an_instance_that_booted_before(
    cloud: Cloud, disk: DiskImage
) -> None:
    prober = FakeProber()
    measured(cloud, disk, running(cloud, disk).instance.id, prober=prober, selection=Selection())
    assert prober.watched[0].address is None


def test_this_machine_cannot_measure_an_instance_without_a_public_address(
    cloud: Cloud, disk: DiskImage
) -> None:
    server = running(cloud, disk).instance

    def private(parsed: dict[str, Any], **_: object) -> None:
        del parsed["Reservations"][0]["Instances"][0]["PublicIpAddress"]

    observer = connect()
    observer.session.events.register("after-call.ec2.DescribeInstances", private)
    with pytest.raises(InputError, match=r"no public address, .*; use --from instance"):
        measured(observer, disk, server.id, selection=HTTP_ONLY, measure_from="host")


@pytest.mark.extended
def test_an_instance_of_others_is_not_measured(cloud: Cloud, disk: DiskImage) -> None:
    server = running(cloud, disk).instance
    cloud.ec2.delete_tags(Resources=[server.id], Tags=[{"Key": "nitro:deployment"}])
    with pytest.raises(InputError, match=f"nitro did not launch {server.id}"):
        measured(cloud, disk, server.id)


@pytest.mark.extended
def test_a_tool_that_is_missing_is_named_before_anything_is_built(
    cloud: Cloud, disk: DiskImage
) -> None:
    server = running(cloud, disk).instance
    builder = FakeBuilder(disk)
    prober = FakeProber(fails={"check": ProbeError("no wrk on PATH")})
    with pytest.raises(ProbeError, match="no wrk on PATH"):
        measured(cloud, disk, server.id, builder=builder, prober=prober, measure_from="host")
    assert builder.prepared == []


@pytest.mark.extended
def test_a_failed_build_leaves_the_instance_alone(cloud: Cloud, disk: DiskImage) -> None:
    server = running(cloud, disk).instance
    before = everything(connect())
    broken = FakeBuilder(disk, fails={"build client": NitroError("broken")})
    with pytest.raises(NitroError, match="broken"):
        measured(cloud, disk, server.id, builder=broken)
    assert everything(connect()) == before


@pytest.mark.extended
def test_an_instance_that_ended_is_not_waited_for(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    server = running(cloud, disk).instance
    hypervisor.write_console(server.id, b"powering off\n")
    hypervisor.stop(server.id)
    with pytest.raises(NitroError, match="before it was ready"):
        measured(cloud, disk, server.id, selection=Selection(Boot()))


def test_what_a_guest_warns_of_is_said(
    cloud: Cloud,
    disk: DiskImage,
    hypervisor: NullHypervisor,
) -> None:
    server = running(cloud, disk).instance
    line = b'{"nitro":"warning","uptime":34.1,"what":"no user data\\u001b[2J"}\n'
    hypervisor.write_console(server.id, line)
    out = io.StringIO()
    measured(cloud, disk, server.id, selection=Selection(Boot()), report=LineReporter(out=out))
    assert f"{server.id} warns: no user data\n" in out.getvalue()


def test_results_outlive_a_clean_up_that_fails(cloud: Cloud, disk: DiskImage) -> None:
    server = running(cloud, disk).instance
    victim = connect()
    refuse(victim, "ec2.TerminateInstances", "UnauthorizedOperation")
    found = measure(
        victim,
        server.id,
        builder=FakeBuilder(disk),
        prober=FakeProber(),
        selection=None,
        report=Reporter(),
    )
    assert [result.name for result in found.results] == ["boot", "http"]
    assert found.not_removed
