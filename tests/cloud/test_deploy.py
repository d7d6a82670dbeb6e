"""The real deploy against moto: what it makes, keeps, removes and reports, on every way out."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Keep
from nitro.errors import InputError, NitroError, ProbeError, RefusedError
from nitro.local.hypervisor import NullHypervisor
from nitro.probe import Boot, Selection
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from tests.cloud.conftest import NOTHING, connect, everything, recorded
from tests.cloud.joint import FakeBuilder, FakeProber, clients, deploy, running, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


BOOT_ONLY = Selection(Boot(seconds=77))
HTTP_ONLY = Selection(None, (Http(),))
# Its output may be too large for a console, and has a place in S3.
WITH_UPLOAD = Selection(Boot(), (Http(), Iperf3(seconds=60, streams=16, direction="in")))


def left(observer: Cloud) -> dict[str, int]:
    """How many there are of what is left, but for the bucket, which outlives deployments."""
    counts = {kind: len(ids) for kind, ids in everything(observer).items()}
    return {kind: count for kind, count in counts.items() if count and kind != "buckets"}


@pytest.mark.extended
def test_the_whole_way_with_a_client(cloud: Cloud, disk: DiskImage) -> None:
    builder, prober = FakeBuilder(disk), FakeProber()
    done = deploy(cloud, disk, builder=builder, prober=prober)
    assert done.ok
    assert done.id.startswith("d-")
    assert builder.prepared == [("bench", False), ("client", False)]
    assert builder.built == ["bench", "client"]
    assert [result.name for result in done.probes] == ["boot", "http"]
    assert done.probes[1].metrics["http"].value == 59083.39
    assert [span.stage for span in done.timeline[:3]] == ["check", "build", "publish"]
    assert {"launch server", "boot", "measure", "clean up"} <= {s.stage for s in done.timeline}
    assert prober.deadlines == [180]
    assert prober.plans == []
    assert left(connect()) == {"images": 2, "snapshots": 2}


@pytest.mark.extended
def test_a_client_is_told_to_measure_the_servers_private_address(
    cloud: Cloud, disk: DiskImage
) -> None:
    told: list[str] = []

    class Curious(FakeProber):
        def wait_boot(self, *words: Any, **options: Any) -> Any:
            told.extend(clients().values())
            return super().wait_boot(*words, **options)

    done = deploy(cloud, disk, prober=Curious())
    [text] = told
    assert f"http://{done.instance.private_ip}:80/" in text
    assert re.search(r"^NITRO_EXPIRES=\d+$", text, re.MULTILINE)
    assert "NITRO_RESULT_URL" not in text


@pytest.mark.extended
def test_a_deployment_of_a_published_image_needs_nothing_of_s3(
    cloud: Cloud, disk: DiskImage
) -> None:
    deploy(cloud, disk)
    user = connect()
    calls = recorded(user)
    assert deploy(user, disk).ok
    assert "RunInstances" in {call.operation for call in calls}
    assert [call for call in calls if call.service == "s3"] == []


def test_an_image_may_want_fewer_vcpus_than_its_type_has(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    builder = FakeBuilder(disk, processors=1)
    done = running(cloud, disk, builder=builder)
    asked = running(cloud, disk, builder=builder, processors=2)
    guests = [hypervisor.guests[each.instance.id].guest for each in (done, asked)]
    assert [guest.vcpus for guest in guests] == [1, 2]


@pytest.mark.extended
def test_without_a_client_there_is_one_image(cloud: Cloud, disk: DiskImage) -> None:
    builder, prober = FakeBuilder(disk), FakeProber()
    done = deploy(cloud, disk, builder=builder, prober=prober, selection=BOOT_ONLY, locked=True)
    assert builder.prepared == [("bench", True)]
    assert prober.deadlines == [77]
    assert [result.name for result in done.probes] == ["boot"]
    assert left(connect()) == {"images": 1, "snapshots": 1}
    assert done.leftovers[0].startswith("an AMI and its snapshot, ")


@pytest.mark.extended
def test_from_the_host_no_client_is_launched(cloud: Cloud, disk: DiskImage) -> None:
    prober = FakeProber()
    done = deploy(cloud, disk, prober=prober, measure_from="host", selection=HTTP_ONLY)
    [plan] = prober.plans
    assert plan.target == done.instance.public_ip
    assert [result.name for result in done.probes] == ["http"]
    assert done.probes[0].conditions
    assert done.probes[0].conditions["measured_from"] == "host"
    assert left(connect()) == {"images": 1, "snapshots": 1}


@pytest.mark.extended
def test_a_boot_that_was_not_asked_for_is_waited_for_and_not_reported(
    cloud: Cloud, disk: DiskImage
) -> None:
    prober = FakeProber()
    done = deploy(cloud, disk, prober=prober, selection=HTTP_ONLY)
    assert prober.deadlines == [180]
    assert [result.name for result in done.probes] == ["http"]


@pytest.mark.extended
@pytest.mark.parametrize(
    ("keep", "remain"),
    [
        (Keep.NOTHING, {}),
        (Keep.IMAGE, {"images": 2, "snapshots": 2}),
        (
            Keep.INSTANCE,
            {
                "images": 2,
                "snapshots": 2,
                "instances": 1,
                "volumes": 1,
                "interfaces": 1,
                "groups": 1,
            },
        ),
    ],
)
def test_what_is_kept_is_there_and_said(
    cloud: Cloud, disk: DiskImage, keep: Keep, remain: dict[str, int]
) -> None:
    done = deploy(cloud, disk, keep=keep)
    assert left(connect()) == remain
    assert len(done.leftovers) == len({"images", "instances"} & set(remain))
    if keep is Keep.INSTANCE:
        assert done.leftovers[1] == f"instance {done.instance.id}, which ends with `nitro destroy`"


@pytest.mark.extended
def test_a_time_to_live_is_said_and_told(cloud: Cloud, disk: DiskImage) -> None:
    done = deploy(cloud, disk, keep=Keep.INSTANCE, ttl=timedelta(hours=2), selection=BOOT_ONLY)
    assert done.leftovers[1] == f"instance {done.instance.id}, which ends itself after 2:00:00"


@pytest.mark.extended
def test_the_first_connection_is_watched_for_where_it_may_come(
    cloud: Cloud, disk: DiskImage
) -> None:
    for allow, watched in ((("198.51.100.0/24",), True), ((), False)):
        prober = FakeProber()
        done = deploy(cloud, disk, prober=prober, allow=allow, selection=BOOT_ONLY)
        [watch] = prober.watched
        assert watch.address == ((done.instance.public_ip, 80) if watched else None)


CONSOLE = b"""\
{"nitro":"kernel","uptime":0.9,"release":"6.12.9-cloud"}\r
{"nitro":"driver","uptime":1.2,"interface":"eth0","driver":"nitro_ena","kind":"nitro"}\r
{"nitro":"fallback","uptime":6.2,"from":"nitro_ena","what":"no link on eth0 within 5 s"}\r
{"nitro":"driver","uptime":6.3,"interface":"eth0","driver":"ena","kind":"kernel","version":"2.14"}\r
"""


@pytest.mark.extended
def test_the_instance_is_described_in_its_own_words(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    class Talking(FakeProber):
        def wait_boot(self, *words: Any, **options: Any) -> Any:
            for instance_id in hypervisor.guests:
                hypervisor.write_console(instance_id, CONSOLE)
            return super().wait_boot(*words, **options)

    done = deploy(cloud, disk, prober=Talking(), selection=BOOT_ONLY)
    instance = done.instance
    assert (instance.nic, instance.driver) == ("ena", "kernel")
    assert instance.fallback == "no link on eth0 within 5 s"
    assert (instance.type, instance.accelerator) == ("c5.large", "none")
    taken = done.probes[0].conditions
    assert taken
    assert (taken["kernel"], taken["driver"], taken["driver_version"]) == (
        "6.12.9-cloud",
        "kernel",
        "2.14",
    )
    assert (taken["cloud"], taken["region"]) == ("aws", "eu-central-1")
    assert (taken["instance"], taken["instance_type"]) == (instance.id, "c5.large")


@pytest.mark.extended
def test_a_silent_console_leaves_the_driver_unknown(cloud: Cloud, disk: DiskImage) -> None:
    done = deploy(cloud, disk, selection=BOOT_ONLY)
    assert (done.instance.nic, done.instance.driver) == ("unknown", "unknown")
    assert done.instance.fallback is None


@pytest.mark.extended
def test_json_has_the_words_of_the_parts(cloud: Cloud, disk: DiskImage) -> None:
    done = deploy(cloud, disk)
    document = json.loads(json.dumps(done.to_json()))
    assert document["deployment"] == done.id
    assert document["image"]["digest"] == disk.digest
    assert document["image"]["build_seconds"] == 1.5
    assert document["ami"]["id"] == done.published.ami_id
    assert document["snapshot"]["bytes_uploaded"] > 0
    assert document["instance"]["private_ip"] == done.instance.private_ip
    assert document["leftovers"] == done.leftovers
    assert [probe["schema"] for probe in document["probes"]] == ["nitro.result/1"] * 2


@pytest.mark.extended
def test_a_failed_probe_is_a_result_and_no_exception(cloud: Cloud, disk: DiskImage) -> None:
    done = deploy(cloud, disk, prober=FakeProber(outputs={"http": "unable to connect"}))
    assert not done.ok
    assert [result.ok for result in done.probes] == [True, False]
    assert left(connect()) == {"images": 2, "snapshots": 2}


BROKEN = NitroError("broken")


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("builder", "prober"),
    [
        ({}, {"check": ProbeError("no wrk on PATH")}),
        ({"prepare bench": BROKEN}, {}),
        ({"prepare client": BROKEN}, {}),
        ({"build bench": BROKEN}, {}),
        ({"build client": BROKEN}, {}),
    ],
)
def test_a_failure_before_publishing_makes_nothing(
    cloud: Cloud, disk: DiskImage, builder: dict[str, Exception], prober: dict[str, Exception]
) -> None:
    [raised] = [*builder.values(), *prober.values()]
    where = "host" if prober else "instance"
    with pytest.raises(NitroError) as failure:
        deploy(
            cloud,
            disk,
            builder=FakeBuilder(disk, fails=builder),
            prober=FakeProber(fails=prober),
            measure_from=where,
        )
    assert failure.value is raised
    assert everything(connect()) == NOTHING


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"allow": ("everywhere",)}, InputError, "everywhere"),
        ({"measure_from": "moon"}, InputError, "cannot measure from 'moon'; use instance or host"),
        ({"instance_type": "c5.huge"}, NitroError, "c5.huge"),
    ],
)
def test_a_request_that_cannot_be_met_makes_nothing(
    cloud: Cloud, disk: DiskImage, options: dict[str, Any], error: type[NitroError], says: str
) -> None:
    with pytest.raises(error, match=says):
        deploy(cloud, disk, **options)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_an_image_that_needs_more_memory_than_the_type_has_is_not_built(
    cloud: Cloud, disk: DiskImage
) -> None:
    builder = FakeBuilder(disk, memory_mib=5000)
    with pytest.raises(RefusedError, match="5000"):
        deploy(cloud, disk, builder=builder)
    assert builder.built == []
    assert everything(connect()) == NOTHING


@pytest.mark.extended
@pytest.mark.parametrize(
    ("keep", "measure_from"),
    [(Keep.NOTHING, "instance"), (Keep.IMAGE, "host"), (Keep.INSTANCE, "instance")],
)
def test_a_dry_run_makes_nothing_and_measures_nothing(
    cloud: Cloud, disk: DiskImage, keep: Keep, measure_from: str
) -> None:
    rehearsal, prober = connect(dry_run=True), FakeProber()
    done = deploy(rehearsal, disk, keep=keep, prober=prober, measure_from=measure_from)
    assert done.probes == []
    assert prober.watched == []
    assert everything(connect()) == NOTHING
    assert rehearsal.plan
    launched = [c for c in rehearsal.plan.changes if c.operation == "RunInstances"]
    assert len(launched) == (2 if measure_from == "instance" else 1)
