"""The local Nitro as a whole: instances that boot what was imported, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from lab import disk
from nitro import local

pytestmark = pytest.mark.boot

BOOT_SECONDS = 180.0  # for two guests on two busy cores
PATIENCE = 120.0  # for a change of state: a guest has a minute to shut down
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

    def import_disk(self, disk: Path) -> str:
        self.s3.create_bucket(Bucket="disks")
        self.s3.upload_file(str(disk), "disks", disk.name)
        container = {"Format": "RAW", "UserBucket": {"S3Bucket": "disks", "S3Key": disk.name}}
        task_id = self.ec2.import_snapshot(DiskContainer=container)["ImportTaskId"]

        def imported() -> str | None:
            (task,) = self.ec2.describe_import_snapshot_tasks(ImportTaskIds=[task_id])[
                "ImportSnapshotTasks"
            ]
            detail = task["SnapshotTaskDetail"]
            assert detail["Status"] != "deleted", detail["StatusMessage"]
            return str(detail.get("SnapshotId", "")) or None

        return wait(imported, PATIENCE)

    def guest_url(self, key: str) -> str:
        """Of an object, for a guest to read."""
        connect: Any = boto3.client
        s3 = connect(
            "s3", **{**self.options, "endpoint_url": self.endpoint.guest_url, "config": S3V4}
        )
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
        wait(lambda: self.image(image_id)["State"] == "available", PATIENCE)
        return str(image_id)

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

    def wait_for_state(self, instance_id: str, state: str, seconds: float = PATIENCE) -> Any:
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


@pytest.fixture(scope="module")
def nitro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nitro]:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NITRO_STATE", str(state))
        yield Nitro(local.up(), state / "local")
        local.down()
        wait(lambda: not processes(str(state)), PATIENCE)  # nothing outlives it


@pytest.fixture(scope="module")
def snapshot_id(nitro: Nitro, tmp_path_factory: pytest.TempPathFactory) -> str:
    return nitro.import_disk(disk.make(tmp_path_factory.mktemp("disk") / "guest.raw"))


@pytest.fixture(scope="module")
def bios_image(nitro: Nitro, snapshot_id: str) -> str:
    return nitro.register(snapshot_id, "legacy-bios")


@pytest.mark.parametrize(
    ("word", "name"),
    [("nitro.ena", "the ENA card"), ("dnsmasq", "dnsmasq of"), ("qemu-system", "QEMU")],
)
def test_a_process_that_is_killed_is_named_with_its_log(
    nitro: Nitro, bios_image: str, word: str, name: str
) -> None:
    instance_id = nitro.run(bios_image, "while :; do sleep 1; done")["InstanceId"]
    nitro.wait_for_state(instance_id, "running")
    for pid in processes(word, nitro.folder):
        os.kill(pid, signal.SIGKILL)
    reason = nitro.wait_for_state(instance_id, "terminated", 20.0)["StateReason"]["Message"]
    assert f"{name}" in reason
    assert "was killed by SIGKILL" in reason
    log = Path(reason.rpartition("its log is ")[2])
    assert log.is_relative_to(nitro.folder)
    assert log.exists()


def test_two_instances_and_the_host_reach_each_other(
    nitro: Nitro, snapshot_id: str, bios_image: str
) -> None:
    uefi_image = nitro.register(snapshot_id, "uefi-preferred")
    group = nitro.ec2.create_security_group(GroupName="web", Description="of a test")["GroupId"]
    nitro.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=PORT, ToPort=PORT, CidrIp="0.0.0.0/0"
    )
    nitro.s3.put_object(Bucket="disks", Key="greeting", Body=b"hello from S3")
    server = nitro.run(
        uefi_image,
        "echo served to $(md meta-data/public-ipv4) > /index.html\n"
        f"httpd -p {PORT} -h /\n"
        "cd /sys/class/dmi/id; echo dmi=$(cat bios_vendor sys_vendor board_asset_tag)\n"
        "echo uuid=$(cat product_uuid) serial=$(cat product_serial); cd /\n"
        "until ip -6 -o addr show dev eth0 scope global | grep inet6; do sleep 1; done\n"
        "nslookup s3.nitro.internal\n",
        SecurityGroupIds=[group],
    )
    client = nitro.run(
        bios_image,
        f"until wget -qO- http://{server['PrivateIpAddress']}:{PORT}/index.html; do sleep 1; done\n"
        f"ping -c 2 {server['PrivateIpAddress']}\n"
        f"ping -c 1 -s 8900 {server['PrivateIpAddress']}\n"
        f"wget -qO- '{nitro.guest_url('greeting')}'; echo\n"
        "wget -qO- http://169.254.170.1/disks || echo no listing\n"
        "poweroff -f\n",
    )

    def fetched() -> bytes | None:
        url = f"http://{server['PublicIpAddress']}:{PORT}/index.html"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            return None

    served = f"served to {server['PublicIpAddress']}"
    told = nitro.wait_for_console(server["InstanceId"], "script done")
    assert wait(fetched, PATIENCE).decode().strip() == served
    assert f"id={server['InstanceId']} address={server['PrivateIpAddress']}" in told
    assert f"mtu=9001 has={server['PrivateIpAddress']}/20" in told
    assert f"dmi=Amazon EC2 Amazon EC2 {server['InstanceId']}" in told
    assert re.search(r"uuid=(ec2\S{33}) serial=\1\b", told)
    assert "inet6 fd" in told, "an address of the subnet's unique local prefix"
    assert "169.254.170.1" in told, "the name of S3"
    tags = nitro.instance(server["InstanceId"])["Tags"]
    assert {"Key": "aws:local:nic", "Value": "ena"} in tags

    ended = nitro.wait_for_state(client["InstanceId"], "terminated", BOOT_SECONDS)
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    told = nitro.console(client["InstanceId"])
    assert "2 packets transmitted, 2 packets received" in told
    assert "1 packets transmitted, 1 packets received" in told, "MTU 9001 passes"
    assert served in told
    assert "hello from S3" in told
    assert "no listing" in told, "guests have presigned URLs and nothing else"

    assert processes(server["InstanceId"])
    nitro.ec2.terminate_instances(InstanceIds=[server["InstanceId"]])
    nitro.wait_for_state(server["InstanceId"], "terminated")
    for instance in (server, client):
        assert not processes(instance["InstanceId"])
        assert not list((nitro.folder / "instances" / instance["InstanceId"]).glob("disk*"))
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{server['PublicIpAddress']}:{PORT}/", timeout=5)
    nitro.ec2.delete_security_group(GroupId=group)


def test_instances_of_two_regions_run_at_once(nitro: Nitro, bios_image: str) -> None:
    other = Nitro(nitro.endpoint, nitro.folder, "eu-west-1")
    copied = other.ec2.copy_image(
        SourceRegion=nitro.region, SourceImageId=bios_image, Name="of another region"
    )["ImageId"]
    wait(lambda: other.image(copied)["State"] == "available", PATIENCE)
    script = "echo region=$(md meta-data/placement/region)\n"
    here, there = nitro.run(bios_image, script), other.run(copied, script)
    assert here["PrivateIpAddress"].startswith("172.31.")
    assert there["PrivateIpAddress"].startswith("10.")
    for place, instance in ((nitro, here), (other, there)):
        told = place.wait_for_console(instance["InstanceId"], "script done")
        assert f"region={place.region}" in told
        place.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        place.wait_for_state(instance["InstanceId"], "terminated")


def test_reboot_stop_and_start(nitro: Nitro, bios_image: str) -> None:
    instance_id = nitro.run(bios_image, "")["InstanceId"]
    nitro.wait_for_console(instance_id, "script done")
    nitro.ec2.reboot_instances(InstanceIds=[instance_id])
    nitro.wait_for_console(instance_id, "script done", times=2)
    nitro.ec2.stop_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "stopped")
    assert not processes(instance_id)
    nitro.ec2.start_instances(InstanceIds=[instance_id])
    private = nitro.wait_for_state(instance_id, "running")["PrivateIpAddress"]
    told = nitro.wait_for_console(instance_id, "script done")
    assert f"has={private}/20" in told
    nitro.ec2.terminate_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "terminated")


@pytest.mark.parametrize("boot_mode", ["legacy-bios", "uefi"])
def test_a_guest_that_listens_shuts_down_by_itself(
    nitro: Nitro, snapshot_id: str, boot_mode: str
) -> None:
    image = nitro.register(snapshot_id, boot_mode, name="listens")
    script = (
        "insmod /button.ko; insmod /evdev.ko; sleep 1\n"
        "(dd if=/dev/input/event0 bs=24 count=1 >/dev/null; echo pressed; poweroff -f) &\n"
    )
    instance_id = nitro.run(image, script)["InstanceId"]
    nitro.wait_for_console(instance_id, "script done")
    nitro.ec2.stop_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "stopped")
    assert "pressed" in nitro.console(instance_id)
    nitro.ec2.terminate_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "terminated")


def test_an_image_outlives_down_and_up(nitro: Nitro, snapshot_id: str, bios_image: str) -> None:
    before = nitro.image(bios_image), nitro.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    assert local.down()
    again = Nitro(local.up(), nitro.folder)
    after = again.image(bios_image), again.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
    assert after[0] == before[0]
    assert after[1]["Blocks"] == before[1]["Blocks"]


@pytest.mark.parametrize("half", ["outside", "inside"])
def test_nothing_outlives_a_killed_daemon(nitro: Nitro, bios_image: str, half: str) -> None:
    now = Nitro(local.up(), nitro.folder)
    instance_id = now.run(bios_image, "")["InstanceId"]
    now.wait_for_state(instance_id, "running")
    assert processes(instance_id)
    outside = local.status().pid
    assert outside
    daemons = sorted(processes("nitro.local.daemon\0" + str(nitro.folder)))
    os.kill(outside if half == "outside" else daemons[-1], signal.SIGKILL)
    wait(lambda: not processes(str(nitro.folder)), PATIENCE)
    assert local.status().endpoint is None
