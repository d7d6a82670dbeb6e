"""AWS's JavaScript SDK: a disk imported, another written; an AMI launched and copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.clients.conftest import Client, installed_modules
from tests.clients.endpoint import REGION, SECOND_REGION, Endpoint
from tests.cloud.conftest import NOTHING, everything

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]

PROGRAM = Path(__file__).with_name("javascript.mjs")


def test_from_a_disk_to_instances_and_back(endpoint: Endpoint, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(range(256)) * 40_000)  # of two parts
    (tmp_path / "node_modules").symlink_to(installed_modules())
    shutil.copy(PROGRAM, tmp_path)
    node = Path(shutil.which("node") or "")
    client = Client(endpoint, tmp_path, node.parent)
    printed = client.run("node", PROGRAM.name, str(disk), REGION, SECOND_REGION)
    found = json.loads(printed)
    assert found["imported"] == {"equal": True}
    assert found["direct"] == {"equal": True, "blocks": [3]}
    numbers, names = zip(*sorted(found["instances"]), strict=True)
    assert numbers == (0, 1)
    assert all(name.endswith(f".{REGION}.compute.internal") for name in names)
    assert found["consoles"] == ["", ""]
    assert found["copied"] is True
    assert everything(endpoint.connect()) == NOTHING
    assert everything(endpoint.connect(SECOND_REGION)) == NOTHING
