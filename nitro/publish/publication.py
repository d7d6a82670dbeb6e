"""A release, planned and published: asks every region, decides, and carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from nitro.cloud import Cloud, usage
from nitro.errors import InputError, NitroError, RefusedError
from nitro.progress import Reporter
from nitro.publish import plan as plans
from nitro.publish import steps
from nitro.publish.execute import Brake, Outcome, execute
from nitro.publish.observe import Ami, RegionState, observe
from nitro.publish.plan import PublishPlan
from nitro.publish.release import Release

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Publication:
    """What was planned, and what came of each region."""

    plan: PublishPlan
    outcomes: Sequence[Outcome]

    @property
    def release(self) -> Release:
        return self.plan.release

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.error]


def plan(cloud: Cloud, release: Release, report: Reporter) -> PublishPlan:
    """Ask all regions at once and decide; changes nothing.

    A region that gives no answer is in the plan's `errors`. Raises RefusedError for what has to
    be settled first, before anything is uploaded.
    """
    brake = Brake()
    with brake.attached(cloud.session.events):
        return _plan(_connections(cloud, release), release, report, brake)


def publish(
    cloud: Cloud, release: Release, report: Reporter, *, bucket: str | None = None
) -> Publication:
    """Plan, and carry the plan out; without steps that makes no call that changes anything.

    Run again, it goes on from what is there. Raises RefusedError before anything is uploaded,
    NitroError when a parameter cannot be flipped; a region that fails is among `failed`.
    """
    brake = Brake()
    with brake.attached(cloud.session.events):
        clouds = _connections(cloud, release)
        decided = _plan(clouds, release, report, brake)
        return Publication(decided, execute(decided, clouds, brake, report, bucket=bucket))


def _connections(cloud: Cloud, release: Release) -> dict[str, Cloud]:
    """New ones, of one session: only their clients hear the brake."""
    return {region: replace(cloud, region=region) for region in release.regions}


def _plan(
    clouds: Mapping[str, Cloud], release: Release, report: Reporter, brake: Brake
) -> PublishPlan:
    with report.stage("look") as stage:
        stage.status(f"asking {len(clouds)} regions")
        states = _everywhere(clouds, lambda cloud: _state(cloud, release), brake)

        def used(cloud: Cloud) -> Mapping[str, Sequence[str]]:
            too_many = plans.too_many(release, states[cloud.region])
            retired = states[cloud.region].retired
            return _users(cloud, release, [*too_many, *retired])

        in_use = _everywhere(clouds, used, brake)
    decided = plans.make(release, states, in_use)
    _require_future(decided, datetime.now(UTC))
    return decided


def _require_future(plan: PublishPlan, now: datetime) -> None:
    """EC2 takes no past date, and would say so when the AMI is there. Raises InputError.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImageDeprecation.html
    """
    when = plan.release.settings.deprecate
    for step in plan.steps:
        if isinstance(step, steps.Deprecate):
            at = step.at or (when if isinstance(when, datetime) else None)
            if at and at <= now:
                raise InputError(
                    f"deprecate: {at:%Y-%m-%d %H:%M} UTC, in {step.region}, is past",
                    hint="name a later date, or more days after the AMI's creation",
                )


def _users(cloud: Cloud, release: Release, images: Sequence[Ami]) -> dict[str, list[str]]:
    """What names each image or its snapshot; one that nothing names is not in it."""
    ids = [id_ for image in images for id_ in (image.id, image.snapshot_id) if id_]
    users = usage.users_of(cloud, ids, shared=() if release.settings.remove_shared else None)
    named = {
        image.id: list(dict.fromkeys(users.get(image.id, []) + users.get(image.snapshot_id, [])))
        for image in images
    }
    return {image_id: found for image_id, found in named.items() if found}


def _state(cloud: Cloud, release: Release) -> RegionState:
    try:
        return observe(cloud, release)
    except RefusedError:
        raise
    except NitroError as error:
        return RegionState(cloud.region, error=error)


def _everywhere(
    clouds: Mapping[str, Cloud], ask: Callable[[Cloud], _T], brake: Brake
) -> dict[str, _T]:
    with ThreadPoolExecutor(len(clouds), thread_name_prefix="look") as pool:
        futures = {region: pool.submit(ask, cloud) for region, cloud in clouds.items()}
        try:
            return {region: future.result() for region, future in futures.items()}
        except BaseException:
            brake.pull()
            raise
