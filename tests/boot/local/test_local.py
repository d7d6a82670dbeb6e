"""The local Nitro as a whole: instances that boot what was imported, and leave nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import disk
from nitro import local
from nitro.cloud import Cloud
from nitro.image.linux.disk import CORE_SECTOR
from nitro.launch_ami import LaunchRequest, launch_ami
from nitro.ports import Port
from nitro.probe import ToolProber
from nitro.progress import Reporter, Stage
from nitro.publish import release, source
from nitro.publish.observe import Ami
from nitro.publish.publication import publish
from nitro.publish.readback import compare
from nitro.publish.settings import Settings
from tests.boot.local.running import (
    BOOT_SECONDS,
    PORT,
    TIMEOUT,
    Nitro,
    fetched,
    processes,
    wait,
)
from tests.cloud.policed import granted

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def nitro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nitro]:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NITRO_STATE", str(state))
        yield Nitro(local.up(), state / "local")
        local.down()
        wait(lambda: not processes(str(state)), TIMEOUT)  # nothing outlives it


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
        "nslookup disks.s3.us-east-1.amazonaws.com\n",
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

    served = f"served to {server['PublicIpAddress']}"
    told = nitro.wait_for_console(server["InstanceId"], "script done")
    assert fetched(f"http://{server['PublicIpAddress']}:{PORT}/index.html") == served
    assert f"id={server['InstanceId']} address={server['PrivateIpAddress']}" in told
    assert f"mtu=9001 has={server['PrivateIpAddress']}/20" in told
    assert f"dmi=Amazon EC2 Amazon EC2 {server['InstanceId']}" in told
    assert re.search(r"uuid=(ec2\S{33}) serial=\1\b", told)
    assert "inet6 fd" in told, "an address of the subnet's unique local prefix"
    assert "169.254.170.1" in told, "the name of S3"
    tags = nitro.instance(server["InstanceId"])["Tags"]
    assert {"Key": "aws:local:nic", "Value": "ena"} in tags

    elastic = nitro.ec2.allocate_address()
    nitro.ec2.associate_address(
        AllocationId=elastic["AllocationId"], InstanceId=server["InstanceId"]
    )
    assert fetched(f"http://{elastic['PublicIp']}:{PORT}/index.html") == served
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{server['PublicIpAddress']}:{PORT}/", timeout=5)
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
    assert not list((nitro.folder / "volumes").iterdir()), "they go with their instances"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{server['PublicIpAddress']}:{PORT}/", timeout=5)
    nitro.ec2.delete_security_group(GroupId=group)


@dataclass(frozen=True)
class Release:
    """AMIs that one call of `publish` made, with the blocks that it sent."""

    cloud: Cloud
    blocks: Mapping[int, bytes]
    amis: Mapping[str, Ami]
    puts: int


def allowed_to(nitro: Nitro, policy: str) -> Cloud:
    key = (nitro.endpoint.access_key, nitro.endpoint.secret_key)
    with granted(policy):
        return Cloud.connect(region=nitro.region, endpoint_url=nitro.endpoint.url, key=key)


def published(nitro: Nitro, raw: Path, *, name: str, **keys: Any) -> Release:
    made = source.of_raw_disk(
        raw, name=name, architecture="x86_64", boot_mode="legacy-bios", stage=Stage()
    )
    cloud = allowed_to(nitro, "publish")
    puts: list[str] = []
    cloud.session.events.register(
        "before-call.ebs.PutSnapshotBlock", lambda model, **_: puts.append(model.name)
    )
    done = publish(cloud, release.make(Settings.model_validate(keys), made), Reporter())
    amis = {outcome.region: outcome.ami for outcome in done.outcomes if outcome.ami}
    return Release(cloud, made.blocks, amis, len(puts))


def test_an_ami_of_each_route_runs_in_its_region(nitro: Nitro, tmp_path: Path) -> None:
    """Imported, written, written with a parent, and copied: each boots from the disk's blocks."""
    first = disk.make(tmp_path / "first.raw")
    second = tmp_path / "second.raw"
    shutil.copyfile(first, second)
    with second.open("ab") as file:
        file.write(b"one block more")
    home, other = nitro.region, "eu-west-1"
    imported = published(nitro, first, name="imported", via="s3", regions=[home, other])
    written = published(nitro, first, name="written", via="ebs", regions=[other])
    changed = published(nitro, second, name="written", via="ebs", regions=[other])
    assert written.puts > 3 >= changed.puts > 0, "the second has the first as its parent"
    started = []
    engineer = allowed_to(nitro, "deploy")
    for made in (imported, written, changed):
        for region, image in made.amis.items():
            cloud = made.cloud.in_region(region)
            compare(cloud, image.snapshot_id, made.blocks, Stage(), sample=None)
            serve = f"$(md meta-data/ami-id > /index.html; httpd -p {PORT} -h /)"
            request = LaunchRequest(
                image.id,
                "c5.large",
                ports=[Port("tcp", PORT)],
                allow=["127.0.0.0/8"],
                environment={"SERVED": serve},
            )
            there = engineer.in_region(region)
            done = launch_ami(there, request, prober=ToolProber(), report=Reporter())
            started.append((region, image.id, done.instance))
    for region, image_id, instance in started:
        place = Nitro(nitro.endpoint, nitro.folder, region)
        place.wait_for_console(instance.id, "script done")
        assert fetched(f"http://{instance.public_ip}:{PORT}/index.html") == image_id
        assert instance.private_ip.startswith("172.31." if region == home else "10.")
        place.ec2.terminate_instances(InstanceIds=[instance.id])
        place.wait_for_state(instance.id, "terminated")


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
    if boot_mode == "legacy-bios":
        nitro.ec2.reboot_instances(InstanceIds=[instance_id])
        told = nitro.wait_for_console(instance_id, "script done", times=2)
        assert told.index("pressed") < told.rindex("script done")
    nitro.ec2.stop_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "stopped")
    times = 2 if boot_mode == "legacy-bios" else 1
    assert nitro.console(instance_id).count("pressed") == times
    nitro.ec2.terminate_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "terminated")


def test_volumes_of_a_running_instance(nitro: Nitro, bios_image: str) -> None:
    """One comes, is written, kept as a snapshot and goes; the instance becomes an image."""
    script = (
        "insmod /nvme-core.ko; insmod /nvme.ko; echo watching\n"
        "until [ -e /dev/nvme1n1 ]; do sleep 1; done\n"
        "echo kept by the guest > /dev/nvme1n1; sync; echo disk is written\n"
        "while [ -e /dev/nvme1n1 ]; do sleep 1; done\n"
        "echo disk is gone; echo root changed > /dev/nvme0n1p1; sync; echo root is written\n"
    )
    instance = nitro.run(bios_image, script)
    instance_id, zone = instance["InstanceId"], instance["Placement"]["AvailabilityZone"]
    nitro.wait_for_console(instance_id, "watching")
    volume_id = nitro.ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
    nitro.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")
    nitro.wait_for_console(instance_id, "disk is written")
    kept = nitro.ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    nitro.ec2.detach_volume(VolumeId=volume_id)
    nitro.ec2.get_waiter("volume_available").wait(
        VolumeIds=[volume_id], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    nitro.wait_for_console(instance_id, "root is written")
    assert nitro.block(kept, 0).startswith(b"kept by the guest\n")
    baked = nitro.ec2.create_image(InstanceId=instance_id, Name="baked")["ImageId"]
    wait(lambda: nitro.image(baked)["State"] == "available", TIMEOUT)
    (mapping,) = nitro.image(baked)["BlockDeviceMappings"]
    partition = nitro.block(mapping["Ebs"]["SnapshotId"], 0)[CORE_SECTOR * 512 :]
    assert partition.startswith(b"root changed\n")
    nitro.ec2.terminate_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "terminated")
    nitro.ec2.delete_volume(VolumeId=volume_id)


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
    wait(lambda: not processes(str(nitro.folder)), TIMEOUT)
    assert local.status().endpoint is None
