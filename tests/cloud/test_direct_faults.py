"""A kill or a fault at each call of a direct write, and the run after it.

`pytest -m slow -s tests/cloud/test_direct_faults.py` prints the figures of docs/reliability.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Published, Undo, publish, tags
from nitro.cloud.garbage import Region, find
from nitro.cloud.publish import Via
from nitro.errors import NitroError
from tests.cloud.conftest import connect, everything, make_disk
from tests.cloud.test_faults import FAULTS, Injector, account

MOST_CALLS = 40


class Killed(BaseException):
    """In place of SIGKILL: nothing is cleaned up, and no signal handler runs."""


def publish_it(cloud: Cloud, disk: DiskImage) -> Published:
    with Undo(sleep=cloud.sleep) as undo:
        return publish(cloud, disk, undo, via=Via.EBS)


def killed(disk: DiskImage, nth: int, when: str) -> bool:
    """A run that ends before or after its `nth` call; False when it has fewer."""
    victim, calls = connect(), 0

    def count(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise Killed

    victim.session.events.register(when, count)
    try:
        publish(victim, disk, Undo(sleep=victim.sleep), via=Via.EBS)
    except Killed:
        return True
    return False


def state(cloud: Cloud) -> list[Any]:
    """All that matters of the account: what there is, what it is called, and what is in it."""
    (image,) = cloud.ec2.describe_images(Owners=["self"])["Images"]
    (snapshot,) = cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    under = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    found = cloud.ebs.list_snapshot_blocks(SnapshotId=snapshot["SnapshotId"])["Blocks"]
    passing = (tags.RUN, tags.WRITE)  # which run, and under which token
    kept = [
        {key: value for key, value in tags.from_list(raw["Tags"]).items() if key not in passing}
        for raw in (image, snapshot)
    ]
    others = {kind: len(ids) for kind, ids in everything(cloud).items()}
    return [
        image["Name"],
        snapshot["State"],
        under == snapshot["SnapshotId"],
        [block["BlockIndex"] for block in found],
        kept,
        others,
    ]


def assert_repaired(administrator: Cloud, disk: DiskImage, expected: list[Any], case: str) -> None:
    """The next run ends as an undisturbed one, and nothing is left for `nitro gc`."""
    publish_it(connect(), disk)
    assert state(administrator) == expected, case
    region, now = Region(administrator.region), datetime.now(UTC) + timedelta(days=30)
    find(connect(), region, now, now)
    assert region.garbage == [], case


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return make_disk(tmp_path / "disk.raw", seed=1)


@pytest.fixture
def undisturbed(tmp_path: Path, disk: DiskImage) -> list[Any]:
    with account(tmp_path / "undisturbed") as administrator:
        publish_it(connect(), disk)
        return state(administrator)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before-call", "after-call"])
def test_killed_at_each_call(
    tmp_path: Path, disk: DiskImage, undisturbed: list[Any], when: str
) -> None:
    for nth in range(1, MOST_CALLS):
        with account(tmp_path / str(nth)) as administrator:
            if not killed(disk, nth, when):
                break
            assert_repaired(administrator, disk, undisturbed, f"killed {when} {nth}")
    print(f"\nkilled {when}: {nth - 1} cases")
    assert nth > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_at_each_call(
    tmp_path: Path, disk: DiskImage, undisturbed: list[Any], name: str
) -> None:
    cases = succeeded = 0
    for nth in range(1, MOST_CALLS):
        with account(tmp_path / str(nth)) as administrator:
            victim, injector = connect(), Injector(FAULTS[name], nth)
            injector.attach(victim)
            case = f"{name} at call {nth}"
            try:
                publish_it(victim, disk)
                succeeded += bool(injector.hit)
            except NitroError as error:
                case += f": {error}"
            if not injector.hit:
                break
            cases += 1
            assert_repaired(administrator, disk, undisturbed, f"{case}, {injector.hit}")
    print(f"\n{name}: {cases} cases, {succeeded} succeeded at once")
    assert cases > 10
