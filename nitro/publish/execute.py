"""Carries a plan out: the regions side by side, then the parameters, then what is too old.

Nothing is undone on failure: what is there is found by the next run, which goes on from it, and
what no run comes back to is found by `nitro gc` through its tags.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nitro.cloud import Cloud, ami, snapshot, tags
from nitro.cloud.codes import DENIED
from nitro.cloud.errors import ApiError, ignoring
from nitro.errors import Interrupted, NitroError
from nitro.progress import Reporter
from nitro.publish import access, make, parameters, readback, steps
from nitro.publish.observe import Ami, of_image
from nitro.publish.plan import PublishPlan
from nitro.publish.regional import RegionReporter
from nitro.publish.release import Release
from nitro.publish.steps import Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a region: its AMI, or the error that it ended with."""

    region: str
    ami: Ami | None = None
    error: NitroError | None = None
    changed: bool = False


class Brake:
    """Ends the work of all regions at their next call: threads cannot be interrupted."""

    def __init__(self) -> None:
        self._pulled = threading.Event()

    @contextmanager
    def attached(self, events: Any) -> Iterator[None]:
        """Listen to a boto3 session's events, for clients that are made in the block."""
        events.register("before-call", self._check)
        try:
            yield
        finally:
            events.unregister("before-call", self._check)

    def pull(self) -> None:
        self._pulled.set()

    def _check(self, **_: object) -> None:
        if self._pulled.is_set():
            raise Interrupted("interrupted")


def execute(
    plan: PublishPlan,
    clouds: Mapping[str, Cloud],
    brake: Brake,
    report: Reporter,
    *,
    bucket: str | None = None,
) -> list[Outcome]:
    """What came of each region, in the release's order. A region that fails does not end others.

    Parameters are flipped, and old releases removed, only when every region has succeeded. Raises
    Interrupted on Ctrl-C once no thread works any more, NitroError when a parameter cannot be
    flipped.
    """
    with report.stage("publish") as stage:
        made = {region: Future[str]() for region in plan.states}
        workers = {
            region: _Worker(
                plan,
                clouds[region],
                made,
                RegionReporter(region=region, outer=report, shared=stage),
                bucket,
            )
            for region in plan.states
        }
        outcomes = _side_by_side({r: w.publish for r, w in workers.items()}, brake)
    if all(outcome.error is None for outcome in outcomes):
        _flip(plan, clouds, outcomes, report)
        _retire(plan, clouds, report)
    return outcomes


def _side_by_side(work: Mapping[str, Callable[[], Outcome]], brake: Brake) -> list[Outcome]:
    with ThreadPoolExecutor(len(work), thread_name_prefix="publish") as pool:
        futures = [pool.submit(one) for one in work.values()]
        try:
            return [future.result() for future in futures]
        except BaseException:
            brake.pull()
            raise


def _retire(plan: PublishPlan, clouds: Mapping[str, Cloud], report: Reporter) -> None:
    found = [step for step in plan.steps if isinstance(step, steps.RemoveImage) and step.retires]
    if not found:
        return
    with report.stage("remove earlier releases") as stage:
        for number, step in enumerate(found):
            stage.progress(number, len(found), "AMIs")
            _remove_image(clouds[step.region], step)


def _flip(
    plan: PublishPlan, clouds: Mapping[str, Cloud], outcomes: Sequence[Outcome], report: Reporter
) -> None:
    images = {outcome.region: outcome.ami for outcome in outcomes if outcome.ami}
    flips = [
        parameters.Flip(clouds[step.region], step.name, step.before, images[step.region].id)
        for step in plan.steps
        if isinstance(step, steps.Flip)
    ]
    if flips:
        parameters.flip_all(flips, report)


@dataclass
class _Worker:
    """Does the steps of one region, in order. `made` are the AMIs that copies wait for."""

    plan: PublishPlan
    cloud: Cloud
    made: Mapping[str, Future[str]]
    report: RegionReporter
    bucket: str | None
    snapshot_id: str | None = None
    image_id: str | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def release(self) -> Release:
        return self.plan.release

    def publish(self) -> Outcome:
        region = self.cloud.region
        state, mine = self.plan.states[region], self.made[region]
        try:
            if state.error:
                raise state.error
            if state.ami:
                self._take(state.ami)
            todo = [step for step in self.plan.in_region(region) if not _comes_last(step)]
            for step in todo:
                self._do(step)
            image = state.ami
            if todo and self.image_id:
                image = of_image(ami.describe(self.cloud, self.image_id))
        except Interrupted:
            raise
        except NitroError as error:
            if not mine.done():
                mine.set_exception(error)
            self.report.note(f"failed: {error.what}")
            return Outcome(region, error=error)
        finally:
            if not mine.done():  # any other exception: nobody may wait for ever
                mine.set_exception(NitroError(f"{region} has ended"))
        return Outcome(region, image, changed=bool(todo))

    def _do(self, step: Step) -> None:
        cloud, image_id, snapshot_id = self.cloud, self.image_id or "", self.snapshot_id or ""
        match step:
            case steps.Write():
                self._write()
            case steps.Import():
                self._import()
            case steps.Register():
                self.release.source.require_unchanged()
                self.snapshot_id = step.snapshot_id or snapshot_id
                self.image_id = make.register(cloud, self.release, self.snapshot_id)
                self._wait_available()
            case steps.Copy():
                self._copy(step)
            case steps.Prove():
                self._prove()
            case steps.ShareImage():
                access.change_image(cloud, image_id, add=step.add, remove=step.remove)
            case steps.ShareSnapshot():
                access.change_snapshot(cloud, snapshot_id, add=step.add, remove=step.remove)
            case steps.Deprecate():
                at = step.at or self.release.deprecated_at(self.created)
                if at:
                    cloud.ec2.enable_image_deprecation(ImageId=image_id, DeprecateAt=at)
            case steps.DoNotDeprecate():
                cloud.ec2.disable_image_deprecation(ImageId=image_id)
            case steps.Protect(on=True):
                cloud.ec2.enable_image_deregistration_protection(ImageId=image_id)
            case steps.Protect():
                cloud.ec2.disable_image_deregistration_protection(ImageId=image_id)
            case steps.Finish():
                resources = [image_id, snapshot_id]
                cloud.ec2.create_tags(Resources=resources, Tags=tags.as_list(step.tags))
            case steps.RemoveImage():
                _remove_image(cloud, step)
            case steps.RemoveSnapshot():
                snapshot.remove(cloud, step.snapshot_id)
            case _:
                raise TypeError(step)

    def _write(self) -> None:
        """By way of S3 where the EBS direct API is denied, unless it was asked for."""
        try:
            self.snapshot_id = self._patiently(
                lambda: make.write_snapshot(self.cloud, self.release, self._key, self.report)
            )
        except ApiError as error:
            if error.code not in DENIED or self.release.settings.via != "auto":
                raise
            self.report.note(f"by way of S3, because {error.what}")
            self._import()

    def _import(self) -> None:
        self.snapshot_id = self._patiently(
            lambda: make.import_snapshot(
                self.cloud, self.release, self._key, self.bucket, self.report
            )
        )

    def _patiently(self, one: Callable[[], str]) -> str:
        return make.patiently(self.cloud, one, what=f"room for a snapshot in {self.cloud.region}")

    @property
    def _key(self) -> str | None:
        return self.plan.states[self.cloud.region].key

    def _take(self, image: Ami) -> None:
        """Go on with an AMI that is there, when it is available."""
        self.image_id = image.id
        if image.state == "available":
            self._use(image)
        else:
            self._wait_available(make.COPY_DEADLINE)

    def _copy(self, step: steps.Copy) -> None:
        with self.report.stage(f"copy from {step.source}") as stage:
            stage.status(f"waiting for the AMI in {step.source}")
            try:
                source = self.made[step.source].result()
            except NitroError as error:
                raise NitroError(
                    f"not copied, because there is no AMI in {step.source}", hint=error.hint
                ) from error
            self.image_id = self._patiently(
                lambda: make.copy(self.cloud, self.release, step.source, source, self._key)
            )
        self._wait_available(make.COPY_DEADLINE)

    def _wait_available(self, deadline: float = ami.DEADLINE) -> None:
        image_id = self.image_id or ""
        with self.report.stage("wait for the AMI") as stage:
            ami.wait_available(self.cloud, image_id, stage, deadline)
        self._use(of_image(ami.describe(self.cloud, image_id)))

    def _use(self, image: Ami) -> None:
        self.snapshot_id, self.created = image.snapshot_id, image.created
        self.made[self.cloud.region].set_result(image.id)

    def _prove(self) -> None:
        """Raises Mismatch; the AMI stays unfinished, and no parameter ever names it."""
        snapshot_id = self.snapshot_id or ""
        with self.report.stage("read back") as stage:
            readback.compare(self.cloud, snapshot_id, self.release.source.blocks, stage)
        snapshot.tag_snapshot(self.cloud, snapshot_id, {tags.DIGEST: self.release.digest})


def _comes_last(step: Step) -> bool:
    return isinstance(step, steps.Flip) or (isinstance(step, steps.RemoveImage) and step.retires)


def _remove_image(cloud: Cloud, step: steps.RemoveImage) -> None:
    """Tagged first, so that what a run leaves that is killed in between says what it is."""
    mark = {tags.STAGE: tags.Stage.RETIRED.value, tags.EXPIRES: tags.timestamp(datetime.now(UTC))}
    resources = [each for each in (step.image_id, step.snapshot_id) if each]
    with ignoring("absent"):
        cloud.ec2.create_tags(Resources=resources, Tags=tags.as_list(mark))
        if step.protected:
            cloud.ec2.disable_image_deregistration_protection(ImageId=step.image_id)
    ami.deregister(cloud, step.image_id)
    if step.snapshot_id:
        snapshot.remove(cloud, step.snapshot_id)
