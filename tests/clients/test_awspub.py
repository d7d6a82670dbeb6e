"""awspub: an image in two regions, a second run that changes nothing, clean-up."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from nitro.local import disk_formats
from tests.clients.conftest import Client, installed
from tests.clients.endpoint import REGION, SECOND_REGION, Endpoint
from tests.cloud.conftest import everything

pytestmark = pytest.mark.slow

CONFIG = f"""
awspub:
  s3:
    bucket_name: clients-awspub
  source:
    path: disk.vmdk
    architecture: x86_64
  images:
    from-awspub:
      boot_mode: uefi-preferred
      description: by awspub
      regions: [{REGION}, {SECOND_REGION}]
      root_device_name: /dev/sda1
      temporary: true
  tags:
    team: kernel
"""


def test_an_image_in_two_regions_once(endpoint: Endpoint, tmp_path: Path) -> None:
    cloud, second = endpoint.connect(), endpoint.connect(SECOND_REGION)
    cloud.s3.create_bucket(
        Bucket="clients-awspub", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    raw = tmp_path / "disk.raw"
    raw.write_bytes(bytes(range(256)) * 4_096)
    convert = [*disk_formats.find(), "convert", "-f", "raw", "-O", "vmdk"]
    options = ["-o", "subformat=streamOptimized"]
    subprocess.run([*convert, *options, raw, tmp_path / "disk.vmdk"], check=True)
    (tmp_path / "config.yaml").write_text(CONFIG)
    client = Client(endpoint, tmp_path, installed("awspub"))

    first = json.loads(client.run("awspub", "create", "config.yaml"))
    made = first["images"]["from-awspub"]
    assert sorted(made) == sorted([REGION, SECOND_REGION])
    for region in (cloud, second):
        (image,) = region.ec2.describe_images(Owners=["self"])["Images"]
        assert (image["ImageId"], image["Name"]) == (made[region.region], "from-awspub")
        assert image["BootMode"] == "uefi-preferred"
        assert {"Key": "team", "Value": "kernel"} in image["Tags"]

    assert json.loads(client.run("awspub", "create", "config.yaml")) == first
    client.run("awspub", "cleanup", "config.yaml")
    for region in (cloud, second):
        assert everything(region)["images"] == []  # awspub leaves snapshots
