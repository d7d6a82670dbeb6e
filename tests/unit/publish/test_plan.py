"""What would be done, from what is there: pure functions, no AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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


def made(of: Release, *states: RegionState, **in_use: Any) -> PublishPlan:
    given = {state.region: state for state in states}
    all_states = {region: given.get(region, RegionState(region)) for region in of.regions}
    return plan.make(of, all_states, in_use.get("in_use", {}))


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


def test_how_long_each_way_takes_follows_from_bytes_regions_and_the_uplink() -> None:
    of = wanted(uplink=1 << 20)  # 2 MiB in 4 blocks
    assert [plan.seconds(of, regions, "ebs") for regions in (1, 3)] == [2.0, 6.0]
    assert plan.seconds(of, 1, "s3") == 2.0
    assert plan.seconds(of, 2, "s3") == plan.seconds(of, 3, "s3") == 302.004


@pytest.mark.parametrize(("uplink", "way"), [(13_000, "Copy"), (14_500, "Write")])
def test_the_quicker_way_is_taken(uplink: int, way: str) -> None:
    """Two more regions cost 4 MiB of uplink, or five minutes."""
    assert kinds(made(wanted(uplink=uplink)), SECOND)[0] == way


def test_only_regions_that_lack_the_ami_count_for_the_way() -> None:
    of = wanted(uplink=1000)
    found = made(of, *(finished(of, region) for region in (SECOND, THIRD)))
    assert kinds(found, HOME)[0] == "Write", "one region is reached as quickly"


def test_by_way_of_s3_one_region_imports_and_the_others_copy() -> None:
    found = made(wanted(via="s3"))
    assert kinds(found, HOME)[:2] == ["Import", "Register"]
    assert kinds(found, THIRD)[0] == "Copy"


def test_what_a_region_has_is_copied_from_there() -> None:
    of = wanted(via="s3")
    found = made(of, finished(of, THIRD))
    assert [s.source for s in found.steps if isinstance(s, steps.Copy)] == [THIRD, THIRD]
    assert found.bytes_sent == 0


def test_what_is_encrypted_is_not_copied_into_the_clear() -> None:
    of = wanted(via="s3", kms_keys={HOME: "k"})
    found = made(of, RegionState(HOME, key="arn:k"))
    assert kinds(found, HOME)[0] == "Import"
    assert kinds(found, SECOND)[0] == "Import"
    assert [s.source for s in found.steps if isinstance(s, steps.Copy)] == [SECOND]


def test_with_nothing_to_do_there_is_no_step() -> None:
    of = wanted(parameter="/web")
    assert made(of, *(finished(of, region) for region in REGIONS)).steps == ()


def test_what_is_encrypted_is_copied_to_where_there_is_a_key() -> None:
    of = wanted(via="s3", kms_keys={HOME: "k", SECOND: "k"})
    states = [RegionState(region, key="arn:k") for region in (HOME, SECOND)]
    found = made(of, *states)
    assert [kinds(found, region)[0] for region in REGIONS] == ["Import", "Copy", "Import"]


def test_an_ami_that_waits_for_its_snapshot_s_proof_keeps_its_settings_for_then() -> None:
    """What does not exist yet is deprecated by its creation, and has no tag that could be kept."""
    of = wanted(deprecate="10d", protect=True, share={"public": True}, tags={"stack": "blue"})
    found = made(of).in_region(HOME)
    assert [type(step).__name__ for step in found] == [
        *("Write", "Register", "ShareImage", "ShareSnapshot", "Deprecate", "Protect", "Finish")
    ]
    (deprecate,) = (step for step in found if isinstance(step, steps.Deprecate))
    (finish,) = (step for step in found if isinstance(step, steps.Finish))
    assert deprecate.at is None
    assert finish.tags == of.tag_map


def test_a_date_of_deprecation_that_fits_needs_no_step() -> None:
    of = wanted(deprecate="10d")
    at = datetime(2026, 1, 11, tzinfo=UTC)
    assert kinds(made(of, finished(of, HOME, ami=image(of, deprecated_at=at))), HOME) == []
    other = finished(of, HOME, ami=image(of, deprecated_at=at.replace(minute=1)))
    (step,) = made(of, other).in_region(HOME)
    assert step == steps.Deprecate(region=HOME, at=at)


def test_what_an_earlier_run_was_about_to_remove_is_removed_last() -> None:
    of = wanted(parameter="/web")
    old = image(of, id="ami-0", name="web-0", snapshot_id="snap-0", protected=True)
    others = [finished(of, region) for region in (SECOND, THIRD)]
    state = finished(of, HOME, retired=(old,), parameter="ami-0")
    flip, removal = made(of, state, *others).steps
    assert flip == steps.Flip(region=HOME, name="/web", before="ami-0")
    assert isinstance(removal, steps.RemoveImage)
    assert (removal.image_id, removal.snapshot_id, removal.protected) == ("ami-0", "snap-0", True)
    assert removal.retires
    kept = made(of, state, *others, in_use={HOME: {"ami-0": ["parameter /old"]}})
    assert [type(step).__name__ for step in kept.steps] == ["Flip"]
    assert kept.kept == {"ami-0": ["parameter /old"]}


def test_without_retention_every_release_stays() -> None:
    of = wanted()
    earlier = tuple(image(of, id=f"ami-{n}", name=f"web-{n}") for n in range(9))
    others = [finished(of, region) for region in (SECOND, THIRD)]
    assert made(of, finished(of, HOME, earlier=earlier), *others).steps == ()


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
    assert isinstance(found[0], steps.RemoveImage)
    assert found[0].why == "a failed AMI of this release too many"
    assert not found[0].retires


def test_every_step_says_what_it_is() -> None:
    of = wanted(parameter="/web", share={"public": True}, deprecate="10d", protect=True, via="s3")
    found = made(of)
    assert all(step.text and step.calls for step in found.steps)
    assert any("everybody" in step.text for step in found.steps)
