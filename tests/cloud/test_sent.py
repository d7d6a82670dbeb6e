"""What deployments, launches and looks send to AWS: every call with all that it says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from nitro.cloud import Cloud, DiskImage, Keep, Via
from nitro.probe import Boot, Selection
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from tests.cloud.conftest import connect
from tests.cloud.joint import FakeProber, deploy, small_disk
from tests.cloud.sent import Sent
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="the account is of no interest here"),
]


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


def test_a_plain_deployment(sent: Sent, cloud: Cloud, disk: DiskImage) -> None:
    user = sent.listen(connect())
    deploy(user, disk)
    text = sent.text("deployed")
    deploy(sent.listen(connect()), disk, keep=Keep.NOTHING, selection=Selection())
    compare(HERE / "deployment.txt", text + sent.text("deployed again, nothing kept"))


def test_a_deployment_with_every_option(sent: Sent, cloud: Cloud, disk: DiskImage) -> None:
    subnet = cloud.ec2.describe_subnets()["Subnets"][1]
    group = cloud.ec2.create_security_group(
        GroupName="mine", Description="mine", VpcId=subnet["VpcId"]
    )["GroupId"]
    cloud.ec2.create_placement_group(GroupName="close", Strategy="cluster")
    cloud.iam.create_instance_profile(InstanceProfileName="reader")
    deploy(
        sent.listen(connect()),
        disk,
        keep=Keep.INSTANCE,
        ttl=timedelta(hours=2),
        selection=Selection(
            Boot(seconds=9), (Http(), Iperf3(seconds=60, streams=16, direction="in"))
        ),
        prober=FakeProber(),
        subnet=subnet["SubnetId"],
        via=Via.EBS,
        security_groups=[group],
        placement_group="close",
        instance_profile="reader",
        processors=2,
        instance_type="c5.xlarge",
        allow=("198.51.100.0/24", "2001:db8::/32"),
    )
    compare(HERE / "options.txt", sent.text("deployed"))
