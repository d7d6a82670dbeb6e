"""Deployments that fail: what they leave is a snapshot that was proven, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import Cloud, DiskImage, Keep, Via, tags
from nitro.errors import NitroError, ProbeError
from nitro.local.hypervisor import NullHypervisor
from nitro.probe import Boot, Selection
from tests.cloud.conftest import NOTHING, connect, everything, recorded, refuse, unproven
from tests.cloud.joint import FakeProber, deploy, small_disk

BOOT_ONLY = Selection(Boot(seconds=77))


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


def cloud_refuses(call: str) -> Callable[[Cloud, FakeProber], object]:
    return lambda cloud, _: refuse(cloud, call, "UnauthorizedOperation", status=403)


def prober_fails(cloud: Cloud, prober: FakeProber) -> None:
    prober.fails["wait_boot"] = ProbeError("boot: the guest failed")


def archive_is_empty(cloud: Cloud, prober: FakeProber) -> None:
    prober.outputs["not/a/name"] = ""


def snapshot_is_another(cloud: Cloud, _: FakeProber) -> None:
    """Another disk than the one that was sent comes back."""

    def spoil(parsed: Any, **_: Any) -> None:
        for block in parsed["Blocks"][:1]:
            block["BlockIndex"] += 1

    cloud.session.events.register("after-call.ebs.ListSnapshotBlocks", spoil)


def the_last_tag_is_refused(cloud: Cloud, _: FakeProber) -> None:
    """It is what tells other runs that a snapshot equals its disk."""

    def answer(params: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if tags.DIGEST not in params["body"].values():
            return None
        body = {
            "Error": {"Code": "UnauthorizedOperation", "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
        return AWSResponse("", 403, HTTPHeaders(), None), body

    events: Any = cloud.session.events  # its stubs do not know that handlers may answer
    events.register("before-call.ec2.CreateTags", answer)


def image_fails(cloud: Cloud, _: FakeProber) -> None:
    def spoil(parsed: Any, **_: Any) -> None:
        for image in parsed["Images"]:
            image |= {"State": "failed", "StateReason": {"Message": "no such key"}}

    cloud.session.events.register("after-call.ec2.DescribeImages", spoil)


Spoil = Callable[[Cloud, FakeProber], object]
BEFORE_A_SNAPSHOT_IS_PROVEN: dict[str, tuple[Via, Spoil]] = {
    "upload": (Via.S3, cloud_refuses("s3.UploadPart")),
    "import": (Via.S3, cloud_refuses("ec2.ImportSnapshot")),
    "read back": (Via.S3, snapshot_is_another),
    "tag": (Via.S3, the_last_tag_is_refused),
    "write": (Via.EBS, cloud_refuses("ebs.PutSnapshotBlock")),
    "complete": (Via.EBS, cloud_refuses("ebs.CompleteSnapshot")),
    "tag what was written": (Via.EBS, the_last_tag_is_refused),
}
AFTERWARDS: dict[str, Spoil] = {
    "register": cloud_refuses("ec2.RegisterImage"),
    "wait for the AMI": image_fails,
    "security group": cloud_refuses("ec2.CreateSecurityGroup"),
    "rules": cloud_refuses("ec2.AuthorizeSecurityGroupIngress"),
    "launch": cloud_refuses("ec2.RunInstances"),
    "boot": cloud_refuses("ec2.GetConsoleOutput"),
    "probe": prober_fails,
    "results": archive_is_empty,
}


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("keep", list(Keep))
@pytest.mark.parametrize("stage", BEFORE_A_SNAPSHOT_IS_PROVEN)
def test_a_failure_before_the_snapshot_is_proven_leaves_nothing(
    cloud: Cloud, disk: DiskImage, stage: str, keep: Keep
) -> None:
    via, spoil = BEFORE_A_SNAPSHOT_IS_PROVEN[stage]
    victim = connect()
    spoil(victim, FakeProber())
    with pytest.raises(NitroError):
        deploy(victim, disk, keep=keep, via=via)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
@pytest.mark.parametrize("via", [Via.S3, Via.EBS])
@pytest.mark.parametrize("stage", AFTERWARDS)
def test_a_failure_afterwards_leaves_the_snapshots_for_the_next_run(
    cloud: Cloud, disk: DiskImage, stage: str, via: Via
) -> None:
    """Of the image, and of the client where it had come to that."""
    victim, prober = connect(), FakeProber()
    AFTERWARDS[stage](victim, prober)
    with pytest.raises(NitroError):
        deploy(victim, disk, keep=Keep.INSTANCE, prober=prober, via=via)
    observer = connect()
    proven = everything(observer)["snapshots"]
    assert unproven(observer) == NOTHING
    assert len(proven) == (1 if stage in ("register", "wait for the AMI") else 2)
    next_one = connect()
    calls = recorded(next_one)
    done = deploy(next_one, disk, via=via)
    assert done.ok
    assert done.published.snapshot_id in proven
    made = [call for call in calls if call.operation in ("ImportSnapshot", "StartSnapshot")]
    assert len(made) == 2 - len(proven)


@pytest.mark.extended
@pytest.mark.parametrize("stage", AFTERWARDS)
def test_a_failure_of_an_ephemeral_run_leaves_nothing(
    cloud: Cloud, disk: DiskImage, stage: str
) -> None:
    victim, prober = connect(), FakeProber()
    AFTERWARDS[stage](victim, prober)
    with pytest.raises(NitroError):
        deploy(victim, disk, keep=Keep.NOTHING, prober=prober)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_a_failure_on_the_host_leaves_nothing_but_the_snapshot(
    cloud: Cloud, disk: DiskImage
) -> None:
    with pytest.raises(ProbeError, match="it broke"):
        deploy(
            cloud,
            disk,
            measure_from="host",
            prober=FakeProber(fails={"run": ProbeError("it broke")}),
        )
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
def test_a_server_that_ends_before_it_is_ready_is_an_error_with_its_console(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    class Dying(FakeProber):
        def wait_boot(self, watch: Any, **options: Any) -> Any:
            for instance_id in hypervisor.guests:
                hypervisor.write_console(instance_id, b"kernel panic\n")
                hypervisor.stop(instance_id)
            watch.console()

    with pytest.raises(NitroError, match="before it was ready") as failure:
        deploy(cloud, disk, prober=Dying(), selection=BOOT_ONLY)
    assert "kernel panic" in getattr(failure.value, "console", "")
    assert unproven(connect()) == NOTHING
