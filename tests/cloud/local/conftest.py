"""The extended moto in this process, every answer checked against botocore's model."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from moto import mock_aws
from moto.moto_api._internal import mock_random

from nitro.local.aws import Pace, Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore

from .tour import Tour

REGION = "us-east-1"
BUCKET = "disks"


@dataclass
class Clock:
    """A clock that moves when told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Account:
    """The clients of one account, and the site below it."""

    site: Site
    hypervisor: NullHypervisor
    clock: Clock
    region: str = REGION
    clients: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        if service not in self.clients:
            # Tests register handlers with clients of S3 only: the others are made once.
            make = _connect if service == "s3" else _connect_once
            self.clients[service] = make(service, self.region)
        return self.clients[service]

    def there(self, region: str) -> Account:
        """The same account in another region."""
        return Account(self.site, self.hypervisor, self.clock, region)

    def restarted(self) -> Site:
        """The site of a local Nitro that starts with what this one has kept."""
        site = self.site
        return Site(site.store, self.hypervisor, pace=site.pace, clock=self.clock, index=site.index)

    def add_role(self, resource: str = "arn:aws:s3:::*") -> None:
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "vmie.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:Externalid": "vmimport"}},
        }
        read = {"Effect": "Allow", "Action": ["s3:Get*", "s3:ListBucket"], "Resource": resource}
        self.iam.create_role(RoleName="vmimport", AssumeRolePolicyDocument=policy(trust))
        self.iam.put_role_policy(
            RoleName="vmimport", PolicyName="read", PolicyDocument=policy(read)
        )

    def upload(self, content: bytes, key: str = "disk.raw") -> None:
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def begin_import(self, key: str = "disk.raw", **options: Any) -> Any:
        container = {"Format": "RAW", "UserBucket": {"S3Bucket": BUCKET, "S3Key": key}}
        return self.ec2.import_snapshot(DiskContainer=container, **options)

    def task(self, task_id: str) -> Any:
        (task,) = self.ec2.describe_import_snapshot_tasks(ImportTaskIds=[task_id])[
            "ImportSnapshotTasks"
        ]
        return task["SnapshotTaskDetail"]

    def snapshot(self, content: bytes = b"disk") -> str:
        """The id of an imported snapshot."""
        self.add_role()
        self.upload(content)
        task_id = self.begin_import()["ImportTaskId"]
        self.clock.advance(self.site.pace.import_snapshot)
        return str(self.task(task_id)["SnapshotId"])

    def image(self, snapshot_id: str, name: str = "image", **options: Any) -> str:
        """The id of an available image."""
        mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}
        given = {
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "EnaSupport": True,
            "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": [mapping],
            **options,
        }
        image_id = self.ec2.register_image(Name=name, **given)["ImageId"]
        self.clock.advance(self.site.pace.register_image)
        return str(image_id)

    def image_snapshot(self, image_id: str) -> str:
        """The snapshot of an image's root device."""
        (found,) = self.ec2.describe_images(ImageIds=[image_id])["Images"]
        return str(found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])

    def run(self, image_id: str, **options: Any) -> Any:
        given = {"InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1, **options}
        return self.ec2.run_instances(ImageId=image_id, **given)["Instances"][0]

    def instance(self, instance_id: str) -> Any:
        (reservation,) = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return reservation["Instances"][0]


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# The HTTP status of each code that has another one than 400.
STATUSES = {
    **dict.fromkeys(("404", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchConfiguration"), 404),
    **dict.fromkeys(("NoSuchEntity", "NoSuchKey", "NoSuchLifecycleConfiguration"), 404),
    **dict.fromkeys(("NoSuchObjectLockConfiguration", "NoSuchUpload"), 404),
    "ResourceNotFoundException": 404,
    "AccessDenied": 403,
    **dict.fromkeys(("DryRunOperation", "PreconditionFailed"), 412),
    "AuthFailure": 401,
    "ConflictException": 409,
    "InvalidPartNumber": 416,
    "InternalError": 500,
    "NotImplemented": 501,
}


def error_code(call: Callable[[], Any]) -> str:
    """The code of the error that the call raises, with the status that belongs to it."""
    with pytest.raises(boto3.client("ec2", REGION).exceptions.ClientError) as caught:
        call()
    answer = caught.value.response
    code = str(answer["Error"]["Code"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == STATUSES.get(code, 400), code
    return code


def _connect(service: str, region: str) -> Any:
    connect: Any = boto3.client  # its stubs know each service by a literal of its own
    client = connect(service, region_name=region)
    for extended in ("ec2", "ebs"):  # the others are moto's alone
        client.meta.events.register(f"after-call.{extended}", _matches_model)
    return client


_connect_once = functools.cache(_connect)


def _matches_model(parsed: dict[str, Any], model: Any, http_response: Any, **_: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    answer = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    if model.has_streaming_output:
        answer = {key: value for key, value in answer.items() if not hasattr(value, "read")}
    report = ParamValidator().validate(answer, model.output_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    hypervisor, clock = NullHypervisor(), Clock()
    site = Site(
        BlockStore(tmp_path / "disks"),
        hypervisor,
        pace=Pace(import_snapshot=10, register_image=2, complete_snapshot=3),
        clock=clock,
        index=tmp_path,
    )
    with install(site), mock_aws():
        yield Account(site, hypervisor, clock)


@pytest.fixture
def tour(account: Account) -> Tour:
    """Of an account in which moto draws the same ids in every run."""
    mock_random.seed(1)
    return Tour(account)
