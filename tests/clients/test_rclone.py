"""rclone: an upload in parts, read back, and a second run that changes nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nitro import debian
from tests.clients.conftest import Client
from tests.clients.endpoint import Endpoint

pytestmark = pytest.mark.slow

CONFIG = """[nitro]
type = s3
provider = Other
env_auth = true
region = eu-central-1
endpoint = {url}
"""


def test_an_upload_in_parts_and_a_second_one(endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "rclone.conf").write_text(CONFIG.format(url=endpoint.url))
    disk = random.Random(1).randbytes(12_000_000)
    (tmp_path / "disk.raw").write_bytes(disk)
    programs = debian.tree(debian.Wanted(("rclone",))).path("/usr/bin")
    client = Client(endpoint, tmp_path, programs)

    def rclone(*words: str) -> str:
        return client.run("rclone", "--config", "rclone.conf", *words)

    parts = ("--s3-chunk-size", "5M", "--s3-upload-cutoff", "6M")
    rclone("mkdir", "nitro:clients-rclone")
    rclone("copy", *parts, "disk.raw", "nitro:clients-rclone")
    assert rclone("ls", "nitro:clients-rclone").split() == ["12000000", "disk.raw"]
    rclone("check", "--download", "disk.raw", "nitro:clients-rclone")
    (first,) = endpoint.connect().s3.list_objects_v2(Bucket="clients-rclone")["Contents"]
    rclone("copy", *parts, "disk.raw", "nitro:clients-rclone")
    (second,) = endpoint.connect().s3.list_objects_v2(Bucket="clients-rclone")["Contents"]
    assert second == first
    rclone("purge", "nitro:clients-rclone")
    assert rclone("lsd", "nitro:") == ""
