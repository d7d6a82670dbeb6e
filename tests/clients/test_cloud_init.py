"""Debian's cloud-init reads the metadata service as it does on EC2."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nitro import debian
from nitro.local.hypervisor import Guest, Profile
from nitro.local.imds import Metadata, MetadataServer
from nitro.local.qemu import Machine, arguments
from tests.unit.local.test_hypervisor import GUEST

pytestmark = pytest.mark.slow

# DMI is taken to be an EC2 instance's.
PROGRAM = """
import json
import sys
from types import SimpleNamespace

from cloudinit import dmi, helpers
from cloudinit.sources import DataSourceEc2

UUID = "ec2e1916-9099-7caf-fd21-012345abcdef"
facts = {"system-uuid": UUID, "system-serial-number": UUID}
dmi.read_dmi_data = lambda name: facts.get(name, "Amazon EC2")
DataSourceEc2.DataSourceEc2.metadata_urls = [sys.argv[1]]

distro = SimpleNamespace(get_tmp_exec_path=lambda: "/tmp", networking=None)
source = DataSourceEc2.DataSourceEc2({}, distro, helpers.Paths({}))
found = {"cloud": source.cloud_name, "got": source._get_data()}
metadata = source.metadata
found["version"] = source._crawled_metadata["_metadata_api_version"]
found |= {
    "id": source.get_instance_id(),
    "region": source.region,
    "zone": source.availability_zone,
    "keys": source.get_public_ssh_keys(),
    "hostname": metadata["local-hostname"],
    "user_data": source.userdata_raw.decode("latin-1"),
    "root": source.device_name_to_device("root"),
    "tags": metadata.get("tags"),
    "mac": metadata["network"]["interfaces"]["macs"],
    "metadata": sorted(metadata),
}
print(json.dumps(found))
"""
TIMEOUT = 60  # seconds

INSTANCE = replace(
    GUEST,
    private_ip="127.0.0.1",
    region="eu-west-1",
    availability_zone="eu-west-1a",
    user_data=b"#cloud-config\nhostname: one\n",
    key_name="mine",
    public_key="ssh-ed25519 AAAA me",
    metadata_tokens_required=True,
    metadata_tags={"Name": "one", "team": "kernel"},
    interface_id="eni-1",
    network=replace(GUEST.network, vpc_cidr="10.0.0.0/16"),
    profile=Profile("arn:aws:iam::123456789012:instance-profile/p", "AIPA1", "role"),
)


def crawl(guest: Guest) -> Any:
    """What cloud-init finds out about `guest`."""
    tree = debian.tree(debian.Wanted(("cloud-init",)))
    metadata = Metadata({guest.private_ip: guest}.get)
    with MetadataServer(("127.0.0.1", 0), metadata) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            done = subprocess.run(
                [
                    *tree.program("python3"),
                    *("-S", "-c", PROGRAM, f"http://127.0.0.1:{server.server_address[1]}"),
                ],
                env={
                    "PYTHONHOME": str(tree.root / "usr"),
                    "PYTHONPATH": str(tree.path("/usr/lib/python3/dist-packages")),
                },
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found() -> Any:
    return crawl(INSTANCE)


def test_the_instance_is_one_of_ec2(found: Any) -> None:
    assert (found["cloud"], found["got"], found["version"]) == ("aws", True, "2021-03-23")


def test_it_knows_itself(found: Any) -> None:
    assert found["id"] == INSTANCE.instance_id
    assert (found["region"], found["zone"]) == ("eu-west-1", "eu-west-1a")
    assert found["hostname"].endswith(".eu-west-1.compute.internal")
    assert found["user_data"] == "#cloud-config\nhostname: one\n"
    assert found["keys"] == ["ssh-ed25519 AAAA me"]
    assert found["root"] == INSTANCE.disks[0].device_name
    assert found["tags"] == {"instance": {"Name": "one", "team": "kernel"}}


def test_it_knows_its_network(found: Any) -> None:
    interface = found["mac"][INSTANCE.mac]
    assert interface["device-number"] == "0"
    assert interface["interface-id"] == "eni-1"
    assert interface["subnet-ipv4-cidr-block"] == INSTANCE.network.cidr
    assert interface["vpc-ipv4-cidr-blocks"] == "10.0.0.0/16"


def test_an_instance_without_key_tags_and_user_data_is_read_as_well() -> None:
    found = crawl(replace(GUEST, private_ip="127.0.0.1", public_ip=None))
    assert (found["got"], found["keys"], found["tags"]) == (True, [], None)
    assert found["user_data"] == ""


def test_dmi_says_that_it_is_an_instance(tmp_path: Path) -> None:
    """ds-identify, which switches cloud-init on, is shown the DMI of a machine and nothing else."""
    machine = Machine(
        console=tmp_path / "console", product="c5.large", instance_id="i-0123456789abcdef0"
    )
    words = arguments(machine, tmp_path)
    tables = [words[at + 1] for at, word in enumerate(words) if word == "-smbios"]
    (system,) = [table.split(",") for table in tables if table.startswith("type=1,")]
    facts = dict(entry.split("=", 1) for entry in system)
    dmi = tmp_path / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    for name, fact in (
        ("sys_vendor", "manufacturer"),
        ("product_name", "product"),
        ("product_uuid", "uuid"),
        ("product_serial", "serial"),
    ):
        (dmi / name).write_text(facts[fact] + "\n")
    (tmp_path / "systemd-detect-virt").write_text("#!/bin/sh\necho amazon\n")
    (tmp_path / "systemd-detect-virt").chmod(0o755)
    tree = debian.tree(debian.Wanted(("cloud-init",)))
    done = subprocess.run(
        ["/bin/sh", tree.path("/usr/lib/cloud-init/ds-identify"), "--force"],
        env={"PATH_ROOT": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin", "DI_LOG": "stderr"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    chosen = (tmp_path / "run/cloud-init/cloud.cfg").read_text()
    assert "datasource_list: [ Ec2, None ]" in chosen
