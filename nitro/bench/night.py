"""A night: the plan's measurements, made and recorded; an interrupted one goes on where it ended.

A server runs for each machine of a group. Repetition by repetition, in the plan's shuffled
order, a client is launched beside each server in turn, works through the machine's tests and ends;
each result is recorded as the client reports it. Unless the plan says otherwise, one client
measures at a time. A pair that dies is replaced, once for each repetition, to measure what is not
recorded yet; if that fails as well, it is noted as failed, and the night goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

from nitro.bench.budget import Budget, BudgetSpent, prices_of
from nitro.bench.claim import abandoned, claimed, forget
from nitro.bench.images import Images
from nitro.bench.pairs import Pairs
from nitro.bench.plan import Machine, Plan, Task
from nitro.bench.record import Record
from nitro.bench.sample import Circumstances, Sample, from_result, sample_id
from nitro.bench.schedule import WHOLE, Part, groups, lifetime, rounds
from nitro.bench.sites import Site, sites_of
from nitro.bench.work import Work
from nitro.bench.workers import Brake, Notes, side_by_side
from nitro.cloud import Cloud, Keep, Undo, create_placement, inventory, new_deployment
from nitro.cloud.inventory import remove
from nitro.cloud.network import find_subnets
from nitro.documents.bench import NightDocument
from nitro.errors import Interrupted, NitroError
from nitro.interfaces import ImageBuilder, Prober
from nitro.measure import Measurement
from nitro.probe import Result
from nitro.progress import Reporter, Stage


@dataclass
class NightReport:
    """What a run of a night did. `left_out`: measurements that the budget had no room for."""

    night: date
    recorded: int = 0
    failed: int = 0
    there: int = 0
    left_out: int = 0

    def to_json(self) -> NightDocument:
        """The report as JSON has it."""
        return {
            "night": self.night.isoformat(),
            "recorded": self.recorded,
            "failed": self.failed,
            "there": self.there,
            "left_out": self.left_out,
        }


@dataclass
class _Night:
    """A night under way."""

    plan: Plan
    record: Record
    report: Reporter
    night: date
    pairs: Mapping[str, Pairs]  # by region
    budget: Budget
    done: NightReport
    at_once: int  # clients
    brake: Brake
    lock: threading.Lock = field(default_factory=threading.Lock)  # of `done` and what is shown

    @property
    def launched(self) -> list[Machine]:
        """The machines of this group that had a server."""
        return [machine for pairs in self.pairs.values() for machine in list(pairs.launched)]

    def is_spent(self) -> bool:
        return self.budget.is_spent(self.launched)


def run(
    cloud: Cloud,
    plan: Plan,
    record: Record,
    *,
    builder: ImageBuilder,
    prober: Prober,
    report: Reporter,
    night: date | None = None,
    subnet: str | None = None,
    bucket: str | None = None,
    part: Part = WHOLE,
    images: Mapping[str, Images] | None = None,
) -> NightReport:
    """Make the measurements that the record does not have of this night (UTC; None: today's).

    Of many processes, each does its `part`, with as much of the plan's money. `images` are those
    that are published already, by region; None: build and publish them. `subnet` and `bucket` are
    of the cloud's region.

    Raises InputError for an image or type that cannot be used, RefusedError, and Interrupted after
    everything was removed; what was recorded by then stays.
    """
    night = night or datetime.now(UTC).date()
    tasks = part.tasks(plan, cloud.region, night)
    there = record.ids(plan.name, night)
    missing = [t for t in tasks if sample_id(plan.name, night, t.cell, t.repetition) not in there]
    done = NightReport(night, there=len(tasks) - len(missing))
    for region in plan.regions(cloud.region):
        _remove_abandoned(cloud.in_region(region), plan, record, night, report)
    if not missing:
        if part == WHOLE:
            record.compact(plan.name, night)
        return done
    at_once = plan.pairs_at_once if part == WHOLE else 1
    at_work = min(plan.clients_at_once, at_once)
    brake = Brake()
    sites = [
        site
        for site in sites_of(cloud, plan, subnet=subnet, bucket=bucket)
        if any(task.cell.machine.region == site.cloud.region for task in missing)
    ]
    with report.stage("check"):
        prices = prices_of(cloud, plan, report)
        for site in sites:
            machines = {t.cell.machine for t in missing}
            here = sum(machine.region == site.cloud.region for machine in machines)
            site.check(plan, min(at_work, here) + min(at_once, here), report)
    with ExitStack() as stack:
        deployments = {site.cloud.region: new_deployment() for site in sites}
        for region, deployment in deployments.items():
            stack.enter_context(claimed(record.store, plan.name, night, deployment, region))
        undo = stack.enter_context(Undo(keep=Keep.IMAGE, report=report, sleep=cloud.sleep))
        pairs = {}
        for site in sites:
            region = site.cloud.region
            published = images[region] if images else site.published(plan, builder, undo, report)
            ttl = lifetime(plan, missing)
            made = _pairs(site, plan, published, deployments[region], ttl, undo, prober)
            if at_work > 1:
                made.cloud = replace(site.cloud, sleep=brake.on(site.cloud.sleep))
            pairs[region] = made
        max_cost = plan.max_cost / part.count if plan.max_cost is not None else None
        budget = Budget(plan.max_hours, max_cost, prices, at_work)
        under_way = _Night(
            *(plan, record, report, night, pairs, budget, done, at_work, brake),
        )
        _measure_all(under_way, missing, at_once, undo)
    if done.left_out:
        report.note(f"{done.left_out} runs had no room in the plan's budget")
    if part == WHOLE:  # of many processes, the one after them
        record.compact(plan.name, night)
    return done


def _remove_abandoned(
    cloud: Cloud, plan: Plan, record: Record, night: date, report: Reporter
) -> None:
    """Remove what killed processes left of this night. What cannot be removed ends itself."""
    names = abandoned(record.store, plan.name, night, cloud.region)
    if not names:
        return
    left = [one for one in inventory(cloud) if one.deployment in names]
    _, not_removed = remove(cloud, left, report)
    if not not_removed:
        for name in names:
            forget(record.store, plan.name, night, name)


def _pairs(
    site: Site,
    plan: Plan,
    images: Images,
    deployment: str,
    ttl: timedelta,
    undo: Undo,
    prober: Prober,
) -> Pairs:
    placement = create_placement(
        site.cloud,
        undo,
        deployment=deployment,
        ports=(),  # instances of a deployment reach each other, and nobody else measures
        subnet_id=site.subnet,
        type_name=plan.matrix.types[0],
        ttl=ttl,
        placement_group=plan.placement_group,
        spot=plan.market == "spot",
    )
    subnets = {name: find_subnets(site.cloud, site.subnet, name) for name in site.types}
    return Pairs(
        *(site.cloud, plan, images, site.types, subnets, placement, prober),
        bucket=site.bucket,
    )


def _measure_all(night: _Night, tasks: list[Task], at_once: int, undo: Undo) -> None:
    """Measure group by group, as far as the budget goes."""
    with night.report.stage("measure") as stage:
        for group in groups(tasks, at_once):
            with _servers_of_group(night, undo):
                for work in rounds(group):
                    jobs = [partial(_measure, night, one, stage, len(tasks)) for one in work]
                    side_by_side(jobs, night.at_once, night.brake)


@contextmanager
def _servers_of_group(night: _Night, outer: Undo) -> Iterator[None]:
    """The servers that the block launches end with it."""
    night.budget.begin_group()
    with ExitStack() as stack:
        undo = stack.enter_context(
            Undo(
                keep=Keep.NOTHING,
                report=night.report,
                sleep=outer.sleep,
                outer=outer,
                title="end the servers",
            )
        )
        for pairs in night.pairs.values():
            stack.enter_context(pairs.group(undo))
        yield
        night.budget.end_group(night.launched)


def _measure(night: _Night, tasks: list[Task], stage: Stage, total: int) -> None:
    """Run one client's tasks and record what they gave, or that they failed.

    What the budget has no room for is not recorded, so that a later run of the night measures it.
    """
    done, machine = night.done, tasks[0].cell.machine
    pairs = night.pairs[machine.region]
    report = night.report if night.at_once == 1 else Notes(outer=night.report)

    def keep(runs: Sequence[tuple[Task, Result]], measurement: Measurement | None) -> None:
        samples = [_sample(night, pairs, task, result, measurement) for task, result in runs]
        night.record.append(samples)
        failed = sum(sample.error is not None for sample in samples)
        with night.lock:
            done.failed += failed
            done.recorded += len(samples) - failed
            stage.progress(done.recorded + done.failed, total, "runs")

    work = Work(night.plan, list(tasks), keep)
    try:
        measured = pairs.measure(machine, work, report, night.is_spent)
    except Interrupted:
        raise
    except BudgetSpent:
        with night.lock:
            done.left_out += len(work.left)
    except NitroError as error:
        work.fail(error)
    else:
        if measured:
            work.finish(*measured)


def _sample(
    night: _Night, pairs: Pairs, task: Task, result: Result, measurement: Measurement | None
) -> Sample:
    machine = task.cell.machine
    kind = pairs.types[machine.instance_type]
    known = Circumstances(
        plan_digest=night.plan.digest,
        digest=pairs.images[machine.image, machine.driver].digest,
        placement=night.plan.placement_group or night.plan.placement or "",
        market=night.plan.market,
        baseline_bits=kind.baseline_bits,
        peak_bits=kind.peak_bits,
    )
    if measurement:
        zone = measurement.placement.subnet.zone
        known = replace(known, zone=zone, server=measurement.server.id)
    if taken := result.conditions:
        known = replace(
            known,
            cloud=taken["cloud"],
            accelerator=taken["accelerator"],
            kernel=taken["kernel"],
            nic=taken["nic"],
            driver=taken["driver"],
            driver_version=taken["driver_version"],
            nitro=taken["nitro"],
            revision=taken["revision"],
            host=taken["host"]["processor"],
        )
    return from_result(
        task,
        result,
        plan=night.plan.name,
        night=night.night,
        warm_up=night.plan.warm_up,
        circumstances=known,
    )
