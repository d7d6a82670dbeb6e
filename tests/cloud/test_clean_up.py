"""What was measured outlives a clean-up that fails, and what it leaves is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import Cloud, DiskImage, Keep
from nitro.probe import Boot, Metric, Result, Selection
from nitro.probe.boot import Watch
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from nitro.progress import Stage
from tests.cloud.conftest import NOTHING, after, connect, everything, refuse
from tests.cloud.joint import FakeProber, deploy, small_disk
from tests.heard import Heard


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


BOOT_ONLY = Selection(Boot())
# Its output may be too large for a console, and has a place in S3.
WITH_UPLOAD = Selection(Boot(), (Http(), Iperf3(seconds=60, streams=16, direction="in")))


class ReadyProber(FakeProber):
    """Is ready without a look at the console."""

    def wait_boot(self, watch: Watch, *, deadline: float, stage: Stage) -> Result:
        return Result("boot", "boot", {"boot_ready": Metric(2.5, "s", "less")})


def deny_after_launch(cloud: Cloud, call: str, *, times: int | None = None) -> None:
    """Refuse `call` once instances run: the uploads of images have been removed by then."""
    running: list[bool] = []

    def answer(**_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if not running or (times is not None and len(running) > times):
            return None
        running.append(True)
        error = {"Code": "AccessDenied", "Message": "no"}
        body = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("", 403, HTTPHeaders(), None), body

    events: Any = cloud.session.events
    events.register(f"before-call.{call}", answer)
    after(cloud, "ec2.RunInstances", lambda: running.append(True))


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("call", ["ec2.DeleteSecurityGroup", "s3.DeleteObject"])
def test_results_outlive_a_clean_up_that_fails(cloud: Cloud, disk: DiskImage, call: str) -> None:
    victim = connect()
    deny_after_launch(victim, call)
    found = deploy(victim, disk, selection=WITH_UPLOAD)
    assert [result.name for result in found.probes if result.ok] == ["boot", "http"]
    assert found.not_removed
    assert found.to_json()["not_removed"] == found.not_removed


@pytest.mark.extended
def test_results_outlive_a_console_that_may_not_be_read(cloud: Cloud, disk: DiskImage) -> None:
    victim = connect()
    refuse(victim, "ec2.GetConsoleOutput", "UnauthorizedOperation")
    heard = Heard()
    found = deploy(victim, disk, selection=BOOT_ONLY, prober=ReadyProber(), report=heard)
    assert [result.name for result in found.probes] == ["boot"]
    assert found.instance.driver == "unknown"
    assert any("the console could not be read: " in note for note in heard.notes)


@pytest.mark.extended
def test_what_the_client_left_is_tried_again_at_the_end(cloud: Cloud, disk: DiskImage) -> None:
    victim = connect()
    deny_after_launch(victim, "s3.DeleteObject", times=1)
    found = deploy(victim, disk, keep=Keep.NOTHING, selection=WITH_UPLOAD)
    assert found.not_removed == []
    assert everything(connect()) == NOTHING
