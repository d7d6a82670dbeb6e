"""What would be done, from what is there: pure functions, no AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitro.cloud import DiskImage, tags
from nitro.errors import NitroError
from nitro.publish import plan, release, steps
from nitro.publish.observe import Ami, RegionState, Snapshot
from nitro.publish.plan import PublishPlan
from nitro.publish.release import Release
from nitro.publish.settings import Settings
from nitro.publish.source import BLOCK_SIZE, Source

DIGEST = f"sha256:{'ab' * 32}"
HOME, SECOND, THIRD = REGIONS = ("eu-central-1", "us-east-1", "eu-west-1")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def wanted(blocks: int = 4, **keys: Any) -> Release:
    disk = DiskImage(Path("disk.raw"), DIGEST, 4 * BLOCK_SIZE, "web", boot_mode="uefi")
    given = {"regions": REGIONS, **keys}
    return release.make(
        Settings.model_validate(given), Source(disk, dict.fromkeys(range(blocks), b""), (0, 0, 0))
    )


def image(of: Release, **changes: Any) -> Ami:
    whole = Ami("ami-1", of.name, "snap-1", "available", CREATED, None, False, of.tag_map)
    return replace(whole, **changes)


def snapshot(of: Release, id: str = "snap-1", **changes: Any) -> Snapshot:
    return replace(Snapshot(id, "completed", DIGEST, None, of.tag_map), **changes)


def finished(of: Release, region: str, **changes: Any) -> RegionState:
    whole = RegionState(region, ami=image(of), snapshot=snapshot(of), parameter="ami-1")
    return replace(whole, **changes)


def made(of: Release, *states: RegionState, direct: bool = True, **in_use: Any) -> PublishPlan:
    given = {state.region: state for state in states}
    all_states = {region: given.get(region, RegionState(region)) for region in of.regions}
    return plan.make(of, all_states, in_use.get("in_use", {}), direct=direct)


def kinds(of: PublishPlan, region: str) -> list[str]:
    return [type(step).__name__ for step in of.in_region(region)]


def test_a_small_disk_is_written_to_each_region() -> None:
    found = made(wanted())
    for region in REGIONS:
        assert kinds(found, region) == ["Write", "Register", "Finish"]
    assert found.bytes_sent == 3 * 4 * BLOCK_SIZE
    assert found.calls["ebs:PutSnapshotBlock"] == 12


def test_a_large_disk_over_a_slow_line_is_sent_once_and_copied() -> None:
    found = made(wanted(uplink=1000))
    assert kinds(found, HOME) == ["Write", "Register", "Finish"]
    assert kinds(found, SECOND) == ["Copy", "Prove", "Finish"]
    assert found.bytes_sent == 4 * BLOCK_SIZE


def test_by_way_of_s3_one_region_imports_and_the_others_copy() -> None:
    found = made(wanted(via="s3"), direct=False)
    assert kinds(found, HOME)[:2] == ["Import", "Register"]
    assert kinds(found, THIRD)[0] == "Copy"


def test_what_a_region_has_is_copied_from_there() -> None:
    of = wanted(via="s3")
    found = made(of, finished(of, THIRD), direct=False)
    assert [s.source for s in found.steps if isinstance(s, steps.Copy)] == [THIRD, THIRD]
    assert found.bytes_sent == 0


def test_what_is_encrypted_is_not_copied_into_the_clear() -> None:
    of = wanted(via="s3", kms_keys={HOME: "k"})
    found = made(of, RegionState(HOME, key="arn:k"), direct=False)
    assert kinds(found, HOME)[0] == "Import"
    assert kinds(found, SECOND)[0] == "Import"
    assert [s.source for s in found.steps if isinstance(s, steps.Copy)] == [SECOND]


def test_with_nothing_to_do_there_is_no_step() -> None:
    of = wanted(parameter="/web")
    assert made(of, *(finished(of, region) for region in REGIONS)).steps == ()


def test_a_verified_snapshot_is_only_registered() -> None:
    of = wanted()
    found = made(of, RegionState(HOME, snapshot=snapshot(of)))
    assert kinds(found, HOME) == ["Register", "Finish"]


def test_an_unfinished_ami_is_finished() -> None:
    of = wanted()
    unfinished = of.tag_map | {tags.STAGE: "unfinished"}
    state = finished(
        of,
        HOME,
        ami=image(of, tags=unfinished),
        snapshot=snapshot(of, digest="", tags=of.unproven_tags),
    )
    assert kinds(made(of, state), HOME) == ["Prove", "Finish"]


def test_provenance_stays_that_of_the_first_build_and_tags_of_ones_own_follow() -> None:
    of = wanted(tags={"stack": "blue"}, version="1")
    other = of.tag_map | {tags.VERSION: "0"}
    kept = finished(of, HOME, ami=image(of, tags=other))
    assert kinds(made(of, kept), HOME) == []
    stale = finished(of, HOME, ami=image(of, tags=of.tag_map | {"stack": "green"}))
    (step,) = made(of, stale).in_region(HOME)
    assert isinstance(step, steps.Finish)
    assert step.tags == {"stack": "blue"}


def test_settings_that_differ_are_steps() -> None:
    of = wanted(share={"accounts": ["1" * 12]}, deprecate="10d", protect=True)
    assert kinds(made(of, finished(of, HOME)), HOME) == [
        "ShareImage",
        "ShareSnapshot",
        "Deprecate",
        "Protect",
    ]
    plain = wanted()
    deprecated = finished(plain, HOME, ami=image(plain, deprecated_at=CREATED, protected=True))
    assert kinds(made(plain, deprecated), HOME) == ["DoNotDeprecate", "Protect"]


def test_the_parameter_flips_in_no_region_before_all_have_answered() -> None:
    of = wanted(parameter="/web", keep=1)
    down = RegionState(HOME, error=NitroError("no answer"))
    old = (image(of, id="ami-0", name="web-old"),)
    others = [finished(of, region, parameter="ami-0", earlier=old) for region in (SECOND, THIRD)]
    found = made(of, down, *others)
    assert found.steps == ()
    assert list(found.errors) == [HOME]
    assert kinds(made(of, finished(of, HOME), *others), SECOND) == ["Flip", "RemoveImage"]


def test_retention_counts_the_release_itself_and_spares_what_is_in_use() -> None:
    of = wanted(keep=2)
    earlier = tuple(image(of, id=f"ami-{n}", name=f"web-{n}") for n in (9, 8, 7))
    state = finished(of, HOME, earlier=earlier)
    others = [finished(of, region) for region in (SECOND, THIRD)]
    found = made(of, state, *others, in_use={HOME: {"ami-8": ["instance i-1"]}})
    assert [step.image_id for step in found.steps if isinstance(step, steps.RemoveImage)] == [
        "ami-7"
    ]
    assert found.kept == {"ami-8": ["instance i-1"]}


def test_what_interrupted_runs_left_goes_last() -> None:
    of = wanted()
    twin = image(of, id="ami-2", snapshot_id="snap-2", state="failed")
    spare = [snapshot(of, id) for id in ("snap-2", "snap-3")]
    spare += [snapshot(of, "snap-4", state="pending")]
    state = finished(of, HOME, spare_amis=(twin,), spare_snapshots=tuple(spare))
    found = made(of, state).in_region(HOME)
    assert [type(step).__name__ for step in found] == ["RemoveImage", "RemoveSnapshot"]
    assert "snap-3" in found[1].text


def test_every_step_says_what_it_is() -> None:
    of = wanted(parameter="/web", share={"public": True}, deprecate="10d", protect=True, via="s3")
    found = made(of, direct=False)
    assert all(step.text and step.calls for step in found.steps)
    assert any("everybody" in step.text for step in found.steps)
