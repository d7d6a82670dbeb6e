"""What a publication would do, as a value: from a release and what each region has.

No call is made here. The plan that is printed is the one that is carried out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nitro.cloud import tags
from nitro.cloud.upload import parts_of
from nitro.errors import NitroError
from nitro.publish import access, steps
from nitro.publish.observe import Ami, RegionState
from nitro.publish.release import PROVENANCE, Release
from nitro.publish.settings import Via
from nitro.publish.source import BLOCK_SIZE
from nitro.publish.steps import Step

# How long a copy to another region takes, at the least: minutes, and 500 MiB/s.
# https://docs.aws.amazon.com/ebs/latest/userguide/time-based-copies.html
COPY_SECONDS, COPY_RATE = 300.0, 500 << 20


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """`states` by region, in the release's order; `steps` in the order of a region's work.

    `kept`: AMIs that retention would remove, and what still names them. A plan without steps and
    errors changes nothing.
    """

    release: Release
    states: Mapping[str, RegionState]
    steps: tuple[Step, ...]
    kept: Mapping[str, Sequence[str]]

    @property
    def errors(self) -> Mapping[str, NitroError]:
        """Of regions that could not be asked."""
        return {name: state.error for name, state in self.states.items() if state.error}

    @property
    def bytes_sent(self) -> int:
        return sum(step.bytes_sent for step in self.steps)

    @property
    def calls(self) -> Mapping[str, int]:
        """Of all steps, by operation. Reads are not counted."""
        total: Counter[str] = Counter()
        for step in self.steps:
            total.update(step.calls)
        return total

    def in_region(self, region: str) -> list[Step]:
        return [step for step in self.steps if step.region == region]


def make(
    release: Release,
    states: Mapping[str, RegionState],
    in_use: Mapping[str, Mapping[str, Sequence[str]]],
) -> PublishPlan:
    """`in_use`: for each region the AMIs that something names."""
    ways = _ways(release, states)
    found = [step for region in states for step in _region_steps(release, states[region], ways)]
    complete = not any(state.error for state in states.values())
    if complete:
        found += [step for state in states.values() for step in _flips(release, state)]
        for region, state in states.items():
            found += _retirements(release, state, in_use.get(region, {}))
    kept = {
        image.id: users
        for region, state in states.items()
        for image in (*too_many(release, state), *state.retired)
        if (users := in_use.get(region, {}).get(image.id))
    }
    return PublishPlan(release, states, tuple(found), kept)


def too_many(release: Release, state: RegionState) -> tuple[Ami, ...]:
    """Earlier releases beyond those that stay; the release itself is one of these."""
    keep = release.settings.keep
    return state.earlier[keep - 1 :] if keep else ()


def seconds(release: Release, regions: int, way: Via) -> float:
    """How long it takes to bring the disk to so many regions, roughly."""
    data, uplink = release.source.data_bytes, release.settings.uplink
    if way == "ebs":
        return regions * data / uplink
    copies = COPY_SECONDS + data / COPY_RATE if regions > 1 else 0.0
    return data / uplink + copies


def _ways(release: Release, states: Mapping[str, RegionState]) -> dict[str, list[Step]]:
    """For each region that lacks the AMI, the steps by which it gets one."""
    asked = {name: state for name, state in states.items() if not state.error}
    ways: dict[str, list[Step]] = {}
    lacking = []
    for region, state in asked.items():
        if state.ami is None and state.snapshot:
            ways[region] = [steps.Register(region=region, snapshot_id=state.snapshot.id)]
        elif state.ami is None:
            lacking.append(region)
    if not lacking:
        return ways
    via = release.settings.via
    if via == "ebs" or (via == "auto" and _direct_is_quicker(release, len(lacking))):
        return ways | {region: _written(release, region) for region in lacking}
    upload = _imported if via == "s3" else _written
    sources = [region for region in asked if region not in lacking]
    for region in lacking:
        source = next((each for each in sources if _copyable(asked[each], asked[region])), None)
        if source is None:
            ways[region] = upload(release, region)
            sources.append(region)
        else:
            copy = steps.Copy(region=region, source=source)
            ways[region] = [copy, steps.Prove(region=region)]
    return ways


def _copyable(source: RegionState, target: RegionState) -> bool:
    """What is encrypted cannot be copied into the clear."""
    return source.key is None or target.key is not None


def _direct_is_quicker(release: Release, regions: int) -> bool:
    return seconds(release, regions, "ebs") <= seconds(release, regions, "s3")


def _written(release: Release, region: str) -> list[Step]:
    blocks = len(release.source.blocks)
    write = steps.Write(region=region, blocks=blocks, block_size=BLOCK_SIZE)
    return [write, steps.Register(region=region)]


def _imported(release: Release, region: str) -> list[Step]:
    size = release.disk.size_bytes
    upload = steps.Import(region=region, size=size, parts=parts_of(size))
    return [upload, steps.Register(region=region)]


def _region_steps(
    release: Release, state: RegionState, ways: Mapping[str, list[Step]]
) -> Iterator[Step]:
    """Everything but the parameter and retention, in order."""
    if state.error:
        return
    yield from ways.get(state.region, [])
    snapshot = state.snapshot
    if state.ami and (snapshot is None or snapshot.digest != release.digest):
        yield steps.Prove(region=state.region)
    yield from _settings(release, state)
    finished = _missing_tags(release, state)
    if finished:
        yield steps.Finish(region=state.region, tags=finished)
    yield from _spare(state)


def _settings(release: Release, state: RegionState) -> Iterator[Step]:
    """What the AMI, or the one that will be there, is still to become."""
    region, image = state.region, state.ami
    wanted = access.wanted(release.settings.share)
    add, remove = wanted.without(state.image_access), state.image_access.without(wanted)
    if add or remove:
        yield steps.ShareImage(region=region, add=add, remove=remove)
    of_snapshot, have = wanted.of_snapshot, state.snapshot_access
    add, remove = of_snapshot.without(have), have.without(of_snapshot)
    if add or remove:
        yield steps.ShareSnapshot(region=region, add=add, remove=remove)
    at = release.deprecated_at(image.created) if image else None
    if release.settings.deprecate and (image is None or image.deprecated_at != at):
        yield steps.Deprecate(region=region, at=at)
    elif image and image.deprecated_at and not release.settings.deprecate:
        yield steps.DoNotDeprecate(region=region)
    if release.settings.protect != bool(image and image.protected):
        yield steps.Protect(region=region, on=release.settings.protect)


def _missing_tags(release: Release, state: RegionState) -> tags.Tags:
    """Provenance stays that of the run that made the AMI."""
    if not state.ami:
        return release.tag_map
    present = [state.ami.tags, *([state.snapshot.tags] if state.snapshot else [])]
    return {
        key: value
        for key, value in release.tag_map.items()
        if any(
            key not in tag_map or (tag_map[key] != value and key not in PROVENANCE)
            for tag_map in present
        )
    }


def _spare(state: RegionState) -> Iterator[Step]:
    """What interrupted runs have left of this release, once it is finished."""
    gone = set()
    for image in state.spare_amis:
        why = f"a {image.state} AMI of this release too many"
        yield _remove(state.region, image, why, retires=False)
        gone.add(image.snapshot_id)
    for snapshot in state.spare_snapshots:
        if snapshot.state != "pending" and snapshot.id not in gone:
            yield steps.RemoveSnapshot(region=state.region, snapshot_id=snapshot.id)


def _flips(release: Release, state: RegionState) -> Iterator[Step]:
    if release.parameter and not (state.ami and state.parameter == state.ami.id):
        yield steps.Flip(region=state.region, name=release.parameter, before=state.parameter)


def _retirements(
    release: Release, state: RegionState, in_use: Mapping[str, Sequence[str]]
) -> Iterator[Step]:
    for image in state.retired:
        if image.id in in_use:
            continue
        yield _remove(state.region, image, "an earlier run was about to", retires=True)
    for image in too_many(release, state):
        if image.id not in in_use:
            keep = release.settings.keep
            why = f"{image.name}, more than {keep} releases"
            yield _remove(state.region, image, why, retires=True)


def _remove(region: str, image: Ami, why: str, *, retires: bool) -> Step:
    return steps.RemoveImage(
        region=region,
        image_id=image.id,
        snapshot_id=image.snapshot_id,
        protected=image.protected,
        why=why,
        retires=retires,
    )
