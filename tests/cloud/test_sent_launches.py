"""What launches, measurements and clean-ups send to AWS: every call with all that it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from pathlib import Path

import pytest
import requests

from nitro.cloud import (
    Cloud,
    DiskImage,
    Keep,
    Undo,
    destroy,
    inventory,
    publish,
    results,
    storage,
    tags,
)
from nitro.launch_ami import LaunchRequest, launch_ami
from nitro.measure import measure
from nitro.ports import Port
from nitro.probe import Boot, Selection
from nitro.probe.tools.http import Http
from nitro.progress import Reporter
from tests.cloud.conftest import connect, make_bucket
from tests.cloud.joint import FakeBuilder, FakeProber, running, small_disk
from tests.cloud.sent import Sent
from tests.cloud.test_policies import loose_ends
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="the account is of no interest here"),
]


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


def test_launches_of_an_ami(sent: Sent, cloud: Cloud, disk: DiskImage) -> None:
    ports = (Port("tcp", 80), Port("udp", 53))
    with Undo() as undo:
        image = publish(cloud, replace(disk, ports=ports, processors=1), undo).ami_id
    cloud.ssm.put_parameter(Name="/images/web", Value=image, Type="String")
    subnets = cloud.ec2.describe_subnets()["Subnets"]
    subnet = min(subnets, key=itemgetter("SubnetId"))  # the one that nitro would take last
    group = cloud.ec2.create_security_group(
        GroupName="mine", Description="mine", VpcId=subnet["VpcId"]
    )["GroupId"]
    cloud.ec2.create_placement_group(GroupName="close", Strategy="cluster")
    cloud.iam.create_instance_profile(InstanceProfileName="reader")
    text = ""
    for title, request in {
        "plain": LaunchRequest(image, "c5.large"),
        "every option": LaunchRequest(
            "resolve:ssm:/images/web",
            "c5.xlarge",
            ports=[Port("tcp", 8080), Port("udp", 123)],
            environment={"A": "b c", "PATH": "/bin"},
            ttl=timedelta(hours=3),
            allow=("198.51.100.0/24", "2001:db8::/32"),
            subnet=subnet["SubnetId"],
            security_groups=[group],
            placement_group="close",
            instance_profile="reader",
            processors=2,
        ),
    }.items():
        user = sent.listen(connect())
        launch_ami(user, request, prober=FakeProber(), report=Reporter())
        text += sent.text(title)
    compare(HERE / "launches.txt", text)


def test_what_is_there_is_listed_and_removed(sent: Sent, cloud: Cloud, disk: DiskImage) -> None:
    running(cloud, disk)
    loose_ends(cloud)
    for key in ("images/a.raw", "results/d-1/b"):
        owner = tags.as_query({tags.OWNER: tags.OWNER_VALUE})
        own = storage.own_bucket_name(cloud)
        cloud.s3.put_object(Bucket=own, Key=key, Body=b"x", Tagging=owner)
    cloud.s3.create_multipart_upload(Bucket=own, Key="images/half.raw", Tagging=owner)
    make_bucket(cloud, "mine")
    user = sent.listen(connect())
    text = sent.text("connected")
    found = inventory(user, bucket="mine")
    text += sent.text("listed, with a bucket of the user's own")
    found = inventory(user)
    text += sent.text("listed")
    destroy(user, found)
    compare(HERE / "removed.txt", text + sent.text("removed"))


def test_an_instance_that_is_there_is_measured(sent: Sent, cloud: Cloud, disk: DiskImage) -> None:
    server = running(cloud, disk).instance
    text = ""
    for title, selection, measure_from in (
        ("by a client", Selection(Boot(), (Http(),)), "instance"),
        ("from here", Selection(Boot(), (Http(),)), "host"),
    ):
        measure(
            sent.listen(connect()),
            server.id,
            builder=FakeBuilder(disk),
            prober=FakeProber(),
            selection=selection,
            measure_from=measure_from,
            report=Reporter(),
        )
        text += sent.text(title)
    compare(HERE / "measured.txt", text)


def test_a_result_through_s3(sent: Sent, cloud: Cloud) -> None:
    make_bucket(cloud, "mine")
    text = ""
    for bucket in (None, "mine"):
        user = sent.listen(connect())
        with Undo(keep=Keep.NOTHING) as undo:
            upload = results.prepare(user, undo, deployment="d-1", name="r.tar.gz", bucket=bucket)
            results.fetch(user, upload)
            requests.put(upload.url, data=b"numbers", timeout=5)
            results.fetch(user, upload)
        text += sent.text(f"bucket {bucket}")
    compare(HERE / "results.txt", text)
