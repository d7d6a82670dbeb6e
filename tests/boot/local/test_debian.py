"""An image that nobody here made for nitro: Debian 12 with cloud-init and Amazon's utilities."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import debian
from nitro import local
from nitro.local import disk_formats
from tests.boot.local.running import Nitro, wait
from tests.lengths import LONG

pytestmark = [
    pytest.mark.boot,
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not LONG, reason="minutes: `make soak` runs it"),
    pytest.mark.skipif(bool(debian.needs()), reason=f"needs {debian.needs()}"),
]

BOOT_SECONDS = 600.0
CLOUD_CONFIG = """#cloud-config
write_files:
- {path: /etc/proof, content: written}
runcmd:
- [sh, -c, 'echo ran the commands > /dev/console']
"""


@pytest.fixture
def nitro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nitro]:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path))
    yield Nitro(local.up(), tmp_path / "local")
    local.down()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def test_an_ordinary_image_is_at_home(nitro: Nitro, key: Path, tmp_path: Path) -> None:
    """Imported as VMDK, with a key, a cloud-config and a larger root; stopped; another type."""
    vmdk = tmp_path / "disk.vmdk"
    convert = [*disk_formats.find(), "convert", "-f", "raw", "-O", "vmdk"]
    subprocess.run([*convert, "-o", "subformat=streamOptimized", debian.make(), vmdk], check=True)
    image_id = nitro.register(nitro.import_disk(vmdk, "VMDK"), "legacy-bios", name="debian")
    public = key.with_suffix(".pub").read_bytes()
    nitro.ec2.import_key_pair(KeyName="key", PublicKeyMaterial=public)
    group = nitro.ec2.create_security_group(GroupName="ssh", Description="of a test")["GroupId"]
    nitro.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    instance_id = nitro.ec2.run_instances(
        ImageId=image_id,
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        KeyName="key",
        UserData=CLOUD_CONFIG,
        SecurityGroupIds=[group],
        MetadataOptions={"HttpTokens": "required"},
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 6}}],
    )["Instances"][0]["InstanceId"]

    def ssh(command: str) -> str:
        """What the command prints in the guest, once it can be reached."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        options += ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"]

        def attempt() -> str | None:
            address = nitro.instance(instance_id).get("PublicIpAddress")
            done = subprocess.run(
                ["ssh", "-i", key, *options, f"debian@{address}", f"{command}; echo; echo end"],
                capture_output=True,
                text=True,
                check=False,
            )
            return done.stdout if done.stdout.endswith("end\n") else None

        return wait(attempt, BOOT_SECONDS)

    told = ssh("cloud-init status --wait --long; cat /etc/proof; sudo systemctl --failed")
    assert "status: done" in told, told
    assert "written" in told
    assert "0 loaded units listed" in told, told
    assert "ran the commands" in nitro.console(instance_id)
    told = ssh("df --output=size -BM / | tail -1; ls /sys/class/net; hostname; ec2metadata")
    assert int(told.split("M")[0]) > 5500, "the root has grown from 3 GiB to 6"
    assert "ens5" in told.split()
    private = nitro.instance(instance_id)["PrivateIpAddress"]
    assert f"ip-{private.replace('.', '-')}" in told
    assert f"instance-id: {instance_id}" in told
    assert "getent: ok" in ssh(f"getent hosts ip-{private.replace('.', '-')} && echo getent: ok")

    nitro.ec2.stop_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "stopped")
    assert "reboot: Power down" in nitro.console(instance_id), "the guest shut down by itself"
    nitro.ec2.modify_instance_attribute(InstanceId=instance_id, InstanceType={"Value": "c5.large"})
    nitro.ec2.start_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "running")
    told = ssh("cat /sys/class/dmi/id/product_name /etc/proof")
    assert told.split()[:2] == ["c5.large", "written"]
    nitro.ec2.terminate_instances(InstanceIds=[instance_id])
    nitro.wait_for_state(instance_id, "terminated")
