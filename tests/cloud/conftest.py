"""A cloud without AWS: moto in this process, with the local Nitro's extensions and no machines."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.validate import ParamValidator
from moto import mock_aws

from nitro.cloud import (
    Call,
    Cloud,
    DiskImage,
    InstanceType,
    find_instance_type,
    tags,
)
from nitro.cloud.dryrun import Journal
from nitro.local.aws import Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from tests.cloud.answers import Answering, answering
from tests.cloud.policed import granted, policies_of
from tests.cloud.sent import Sent
from tests.cloud.speed import AccountWithRole, prepared_once, same_ids, small_parts
from tests.cloud.untraced import untraced_libraries

if TYPE_CHECKING:
    from tests.cloud.handed import Handed

REGION = "eu-central-1"
RUN = tags.Run("0123abcd")


def blink(seconds: float) -> None:
    """Waits as the code under test does, only shorter."""
    time.sleep(min(seconds, 0.002))


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, and no configuration of the user's own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True, scope="session")
def _clients_are_cheap() -> Iterator[None]:
    with prepared_once(), untraced_libraries():
        yield


@pytest.fixture(autouse=True)
def _parts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)


@pytest.fixture(autouse=True)
def _behind_policies(request: pytest.FixtureRequest) -> Iterator[None]:
    with policies_of(request):
        yield


@pytest.fixture
def hypervisor() -> NullHypervisor:
    return NullHypervisor()


@pytest.fixture
def site(tmp_path: Path, hypervisor: NullHypervisor) -> Iterator[Site]:
    with install(Site(BlockStore(tmp_path / "blocks"), hypervisor)) as site, mock_aws():
        yield site


@pytest.fixture
def bare_cloud(site: Site) -> Cloud:
    """An account in which nothing has been prepared."""
    return connect()


_ACCOUNT_WITH_ROLE = AccountWithRole()


@pytest.fixture
def cloud(bare_cloud: Cloud) -> Cloud:
    """An account with the role that VM Import needs."""
    with granted("role"):
        _ACCOUNT_WITH_ROLE.prepare(connect())
    return bare_cloud


def connect(
    *,
    dry_run: bool = False,
    endpoint_url: str | None = None,
    sleep: Callable[[float], None] = blink,
) -> Cloud:
    """A new connection, all of whose answers are held against botocore's model."""
    cloud = Cloud.connect(region=REGION, dry_run=dry_run, endpoint_url=endpoint_url, sleep=sleep)
    for service in ("ec2", "ebs"):  # the ones whose answers are partly the local Nitro's own
        cloud.session.events.register(f"after-call.{service}", _fits_the_model)
    return cloud


def _fits_the_model(http_response: Any, parsed: dict[str, Any], model: Any, **_: object) -> None:
    if http_response.status_code >= 300 or model.has_streaming_output or not model.output_shape:
        return
    content = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    problems = ParamValidator().validate(content, model.output_shape)
    assert not problems.has_errors(), f"{model.name}: {problems.generate_report()}"


def recorded(cloud: Cloud) -> list[Call]:
    """The calls that `cloud` makes from now on. Its clients must not have been used yet."""
    journal = Journal()
    journal.attach(cloud.session.events)
    return journal.calls


def refuse(
    cloud: Cloud,
    call: str,
    code: str,
    message: str = "",
    *,
    status: int = 400,
    times: int | None = None,
) -> list[str]:
    """Make `call` ("ec2.RunInstances") fail with `code`, the first `times` times or always.

    Returns the list in which each failure is noted.
    """
    failures: list[str] = []

    def answer(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if times is not None and len(failures) >= times:
            return None
        failures.append(model.name)
        body = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return AWSResponse("", status, HTTPHeaders(), None), body

    events: Any = cloud.session.events  # its stubs do not know that handlers may answer
    events.register(f"before-call.{call}", answer)
    return failures


def after(cloud: Cloud, call: str, action: Callable[[], object], *, times: int = 1) -> None:
    """Do something when `call` has been answered, the first `times` times."""
    left = [action] * times

    def handle(**_: object) -> None:
        if left:
            left.pop()()

    cloud.session.events.register(f"after-call.{call}", handle)


def make_bucket(cloud: Cloud, name: str) -> None:
    """A bucket of the user's own."""
    cloud.s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )


def everything(cloud: Cloud) -> dict[str, list[str]]:
    """All that the account holds, by whomever, but for what every account holds."""
    instances = [
        instance["InstanceId"]
        for reservation in cloud.ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    groups = cloud.ec2.describe_security_groups()["SecurityGroups"]
    tasks = cloud.ec2.describe_import_snapshot_tasks()["ImportSnapshotTasks"]
    snapshots = cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {
        "instances": instances,
        "volumes": [v["VolumeId"] for v in cloud.ec2.describe_volumes()["Volumes"]],
        "interfaces": [
            i["NetworkInterfaceId"]
            for i in cloud.ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
        "groups": [g["GroupId"] for g in groups if g["GroupName"] != "default"],
        "images": [i["ImageId"] for i in cloud.ec2.describe_images(Owners=["self"])["Images"]],
        "snapshots": [s["SnapshotId"] for s in snapshots],
        "imports": [
            task["ImportTaskId"]
            for task in tasks
            if task["SnapshotTaskDetail"]["Status"] in {"pending", "active"}
        ],
        "buckets": [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]],
    }


def unproven(cloud: Cloud) -> dict[str, list[str]]:
    """The same without snapshots that are known to equal their disks."""
    proven = cloud.ec2.describe_snapshots(
        OwnerIds=["self"],
        Filters=[
            {"Name": "tag-key", "Values": [tags.DIGEST]},
            {"Name": "status", "Values": ["completed"]},
        ],
    )["Snapshots"]
    ids = {snapshot["SnapshotId"] for snapshot in proven}
    found = everything(cloud)
    return {**found, "snapshots": [each for each in found["snapshots"] if each not in ids]}


NOTHING: dict[str, list[str]] = {
    kind: []
    for kind in (
        "instances",
        "volumes",
        "interfaces",
        "groups",
        "images",
        "snapshots",
        "imports",
        "buckets",
    )
}


def kind(cloud: Cloud) -> InstanceType:
    return find_instance_type(cloud, "c5.large")


@pytest.fixture
def sent() -> Sent:
    """The ids that moto gives are those of every run: subnets are chosen by them."""
    same_ids()
    return Sent()


@pytest.fixture
def aws(request: pytest.FixtureRequest) -> Iterator[Answering]:
    """For tests that give AWS's answers themselves."""
    with answering(request.path.parent / "transcripts") as found:
        yield found


@pytest.fixture
def handed(aws: Answering, monkeypatch: pytest.MonkeyPatch) -> Handed:
    """For tests of what is handed from one part to another."""
    from tests.cloud.handed import Handed  # which imports most of nitro

    return Handed(aws, monkeypatch)


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    """Sparse, not a whole number of blocks, more than one part of an upload."""
    return make_disk(tmp_path / "bench.raw", seed=1)


def make_disk(path: Path, *, seed: int, name: str = "bench") -> DiskImage:
    data = random.Random(seed).randbytes(700_000)
    with path.open("wb") as file:
        file.write(data)
        file.seek(2_700_000)
        file.write(data[:300_001])
    content = path.read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return DiskImage(
        path,
        digest,
        len(content),
        name,
        boot_mode="uefi-preferred",
        minimum_memory_mib=128,
        tags={"team": "kernel"},
    )
