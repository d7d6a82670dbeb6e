"""Ansible's amazon.aws: a playbook run, run again without a change, and taken back."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from nitro.cloud import Keep, Undo, tags
from nitro.cloud.direct import write_snapshot
from nitro.progress import Stage
from tests.clients.conftest import Client, installed
from tests.clients.endpoint import REGION, SECOND_REGION, Endpoint
from tests.cloud.conftest import NOTHING, everything
from tests.cloud.joint import small_disk

pytestmark = pytest.mark.slow

PLAYBOOK = Path(__file__).with_name("ansible.yml")
SETTINGS = {
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_INVENTORY": "localhost,",
    "ANSIBLE_NOCOLOR": "1",
}


def test_a_playbook_runs_changes_nothing_and_is_taken_back(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    cloud, second = endpoint.connect(), endpoint.connect(SECOND_REGION)
    disk = small_disk(tmp_path / "disk.raw")
    with Undo(keep=Keep.IMAGE) as undo:
        snapshot = write_snapshot(cloud, disk, tags.Run(), undo, Stage()).snapshot_id
    shutil.copy(PLAYBOOK, tmp_path)
    client = Client(endpoint, tmp_path, installed("ansible"), SETTINGS)
    variables = f"region={REGION} second={SECOND_REGION} snapshot={snapshot}"

    def play(state: str) -> Counter[str]:
        """How many tasks were `ok`, `changed`, …"""
        extra = f"{variables} state={state}"
        printed = client.run("ansible-playbook", PLAYBOOK.name, "--extra-vars", extra)
        return Counter({name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", printed)})

    assert play("present")["changed"] == 4
    (reservation,) = cloud.ec2.describe_instances()["Reservations"]
    (instance,) = reservation["Instances"]
    assert instance["State"]["Name"] == "running"
    assert instance["SecurityGroups"][0]["GroupName"] == "ansible"
    (copy,) = second.ec2.describe_images(Owners=["self"])["Images"]
    assert copy["Name"] == "from-ansible-copy"
    assert {"Key": "team", "Value": "kernel"} in copy["Tags"]
    there = {region.region: everything(region) for region in (cloud, second)}

    assert play("present")["changed"] == 0
    assert there == {region.region: everything(region) for region in (cloud, second)}

    assert play("absent")["changed"] == 3
    assert everything(cloud) == everything(second) == NOTHING
