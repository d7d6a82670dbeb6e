"""A local Nitro that runs, as a client of AWS sees it, and its processes."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from nitro import local

BOOT_SECONDS = 180.0  # for two guests on two busy cores
TIMEOUT = 120.0  # for a change of state: a guest has a minute to shut down
PORT = 8080
S3V4 = Config(signature_version="s3v4", s3={"addressing_style": "path"})
T = TypeVar("T")


@dataclass
class Nitro:
    """Clients of the running local Nitro, and its folder."""

    endpoint: local.Endpoint
    folder: Path
    region: str = local.control.REGION

    def __post_init__(self) -> None:
        connect: Any = boto3.client
        self.options = {
            "endpoint_url": self.endpoint.url,
            "region_name": self.region,
            "aws_access_key_id": self.endpoint.access_key,
            "aws_secret_access_key": self.endpoint.secret_key,
        }
        self.ec2, self.s3, self.ebs = (
            connect(name, **self.options) for name in ("ec2", "s3", "ebs")
        )

    def import_disk(self, disk: Path, kind: str = "RAW") -> str:
        self.s3.create_bucket(Bucket="disks")
        self.s3.upload_file(str(disk), "disks", disk.name)
        container = {"Format": kind, "UserBucket": {"S3Bucket": "disks", "S3Key": disk.name}}
        task_id = self.ec2.import_snapshot(DiskContainer=container)["ImportTaskId"]

        def imported() -> str | None:
            (task,) = self.ec2.describe_import_snapshot_tasks(ImportTaskIds=[task_id])[
                "ImportSnapshotTasks"
            ]
            detail = task["SnapshotTaskDetail"]
            assert detail["Status"] != "deleted", detail["StatusMessage"]
            return str(detail.get("SnapshotId", "")) or None

        return wait(imported, TIMEOUT)

    def guest_url(self, key: str) -> str:
        """Of an object, for a guest to read that knows no certificates."""
        connect: Any = boto3.client
        address = f"http://s3.{self.region}.amazonaws.com"
        s3 = connect("s3", **{**self.options, "endpoint_url": address, "config": S3V4})
        return str(s3.generate_presigned_url("get_object", Params={"Bucket": "disks", "Key": key}))

    def register(self, snapshot_id: str, boot_mode: str, name: str = "guest") -> str:
        mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}
        image_id = self.ec2.register_image(
            Name=f"{name} {boot_mode}",
            Architecture="x86_64",
            VirtualizationType="hvm",
            EnaSupport=True,
            BootMode=boot_mode,
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[mapping],
        )["ImageId"]
        wait(lambda: self.image(image_id)["State"] == "available", TIMEOUT)
        return str(image_id)

    def block(self, snapshot_id: str, index: int) -> bytes:
        """Of a snapshot, waiting for it to complete."""
        (snapshot,) = self.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
        if snapshot["State"] != "completed":
            self.ec2.get_waiter("snapshot_completed").wait(
                SnapshotIds=[snapshot_id], WaiterConfig={"Delay": 1}
            )
        blocks = self.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
        tokens = {each["BlockIndex"]: each["BlockToken"] for each in blocks}
        answer = self.ebs.get_snapshot_block(
            SnapshotId=snapshot_id, BlockIndex=index, BlockToken=tokens[index]
        )
        return bytes(answer["BlockData"].read())

    def image(self, image_id: str) -> Any:
        return self.ec2.describe_images(ImageIds=[image_id])["Images"][0]

    def run(self, image_id: str, script: str, **options: Any) -> Any:
        return self.ec2.run_instances(
            ImageId=image_id,
            InstanceType="c5.large",
            MinCount=1,
            MaxCount=1,
            UserData=script,
            MetadataOptions={"HttpTokens": "required"},
            InstanceInitiatedShutdownBehavior="terminate",
            **options,
        )["Instances"][0]

    def instance(self, instance_id: str) -> Any:
        answer = self.ec2.describe_instances(InstanceIds=[instance_id])
        return answer["Reservations"][0]["Instances"][0]

    def wait_for_state(self, instance_id: str, state: str, seconds: float = TIMEOUT) -> Any:
        wait(lambda: self.instance(instance_id)["State"]["Name"] == state, seconds)
        return self.instance(instance_id)

    def console(self, instance_id: str) -> str:
        answer = self.ec2.get_console_output(InstanceId=instance_id, Latest=True)
        return str(answer.get("Output", ""))

    def wait_for_console(self, instance_id: str, text: str, times: int = 1) -> str:
        try:
            wait(lambda: self.console(instance_id).count(text) >= times, BOOT_SECONDS)
        except TimeoutError:
            pytest.fail(f"no {text!r} on the console:\n{self.console(instance_id)}")
        return self.console(instance_id)


def wait(condition: Callable[[], T | None], seconds: float) -> T:
    """The first truth that `condition` returns. TimeoutError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)
    return found


def processes(word: str, folder: Path | None = None) -> list[int]:
    """Those whose command line holds `word`, and that run in or are told of `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                if folder and str(folder) not in f"{line} {(entry / 'cwd').readlink()}":
                    continue
            except OSError:
                continue
            if word in line:
                found.append(int(entry.name))
    return found


def fetched(url: str) -> str:
    """What a guest serves there; waits until it does."""

    def look() -> str | None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode().strip())
        except OSError:
            return None

    return wait(look, TIMEOUT)
