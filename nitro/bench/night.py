"""A night: the plan's measurements, made and recorded; an interrupted one goes on where it ended.

A server runs for each machine of a group. Repetition by repetition, in the plan's shuffled
order, a client is launched beside each server in turn, works through the machine's tests and ends;
its results are recorded at once. One client measures at a time, so no cell disturbs another.
A pair that dies is replaced, once for each repetition; what it should have measured is then noted
as failed, and the night goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from nitro.bench.claim import abandoned, claimed, forget
from nitro.bench.images import CLIENT, Images, ports, published
from nitro.bench.plan import Machine, Plan, Task
from nitro.bench.record import Record
from nitro.bench.sample import Circumstances, Sample, from_result, sample_id
from nitro.bench.schedule import WHOLE, Part, clients, groups, lifetime, selected
from nitro.cloud import (
    Cloud,
    InstanceType,
    Keep,
    Placement,
    Undo,
    create_placement,
    find_instance_type,
    inventory,
    launch,
    new_deployment,
    preflight,
)
from nitro.cloud.errors import ignoring
from nitro.cloud.instance_types import processors
from nitro.cloud.inventory import remove
from nitro.documents.bench import NightDocument
from nitro.errors import Interrupted, NitroError
from nitro.interfaces import ImageBuilder, Prober
from nitro.measure import Measurement, run_probes
from nitro.probe import Result, Selection
from nitro.progress import Reporter

_ATTEMPTS = 2  # at a repetition of a machine


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

    cloud: Cloud
    plan: Plan
    record: Record
    prober: Prober
    report: Reporter
    undo: Undo
    night: date
    images: Images
    types: dict[str, InstanceType]
    bucket: str | None
    placement: Placement
    done: NightReport
    max_cost: float | None
    servers: dict[Machine, Measurement] = field(default_factory=dict)
    launched: int = 0
    began: float = field(default_factory=lambda: time.monotonic())
    group_began: float = 0.0
    cost_before: float = 0.0
    undo_servers: Undo = field(default_factory=Undo)  # of a group


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
    images: Images | None = None,
) -> NightReport:
    """Make the measurements that the record does not have of this night (UTC; None: today's).

    Of many processes, each does its `part`, with as much of the plan's money. `images` are those
    that are published already; None: build and publish them.

    Raises InputError for an image or type that cannot be used, RefusedError, and Interrupted after
    everything was removed; what was recorded by then stays.
    """
    night = night or datetime.now(UTC).date()
    tasks = part.tasks(plan, cloud.region, night)
    at_once = plan.pairs_at_once if part == WHOLE else 1
    there = record.ids(plan.name, night)
    missing = [t for t in tasks if sample_id(plan.name, night, t.cell, t.repetition) not in there]
    done = NightReport(night, there=len(tasks) - len(missing))
    _remove_abandoned(cloud, plan, record, night, report)
    if not missing:
        if part == WHOLE:
            record.compact(plan.name, night)
        return done
    types = {name: find_instance_type(cloud, name) for name in plan.matrix.types}
    with report.stage("check"):
        for instance_type in types.values():
            for note in preflight.check(
                cloud,
                instance_type,
                instances=1 + min(at_once, len(part.machines(plan, cloud.region))),
                subnet_id=subnet,
                bucket=bucket,
            ):
                report.note(note)
    deployment = new_deployment()
    with (
        claimed(record.store, plan.name, night, deployment, cloud.region),
        Undo(keep=Keep.IMAGE, report=report, sleep=cloud.sleep) as undo,
    ):
        if images is None:
            images = published(
                cloud,
                plan,
                types.values(),
                builder=builder,
                undo=undo,
                bucket=bucket,
                report=report,
            )
        placement = create_placement(
            cloud,
            undo,
            deployment=deployment,
            ports=ports(plan),
            subnet_id=subnet,
            type_name=plan.matrix.types[0],
            ttl=lifetime(plan, missing),
            placement_group=plan.placement_group,
        )
        max_cost = plan.max_cost / part.count if plan.max_cost is not None else None
        under_way = _Night(
            *(cloud, plan, record, prober, report, undo, night, images, types, bucket),
            *(placement, done, max_cost),
        )
        with report.stage("measure") as stage:
            for group in groups(missing, at_once):
                with _servers_of_group(under_way):
                    for tasks_of_client in clients(group):
                        if _spent(under_way):
                            done.left_out += len(tasks_of_client)
                            continue
                        _measure(under_way, tasks_of_client)
                        stage.progress(done.recorded + done.failed, len(missing), "runs")
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


@contextmanager
def _servers_of_group(night: _Night) -> Iterator[None]:
    """The servers that the block launches end with it."""
    night.group_began = time.monotonic()
    with Undo(
        keep=Keep.NOTHING,
        report=night.report,
        sleep=night.cloud.sleep,
        outer=night.undo,
        title="end the servers",
    ) as undo:
        night.undo_servers, night.servers = undo, {}
        yield
        if night.servers:  # each takes a minute to end: side by side
            ids = [one.server.id for one in night.servers.values()]
            with ignoring("absent"):
                night.cloud.ec2.terminate_instances(InstanceIds=ids)
        night.cost_before, night.servers = _cost(night), {}


def _measure(night: _Night, tasks: list[Task]) -> None:
    """Run one client's tasks and record what they gave, or that they failed."""
    machine = tasks[0].cell.machine
    for attempt in range(_ATTEMPTS):
        try:
            measurement = replace(_server(night, machine), selection=selected(night.plan, tasks))
            results = run_probes(
                night.cloud, measurement, night.prober, night.undo_servers, night.report
            )
        except Interrupted:
            raise
        except NitroError as error:
            night.servers.pop(machine, None)  # whatever it is, the next one is a new one
            night.report.note(f"{machine.instance_type} {machine.driver}: {error}")
            if attempt + 1 == _ATTEMPTS:
                now = time.time()
                results = [
                    Result(
                        t.cell.test.protocol.partition("-")[0], "", error=str(error), started=now
                    )
                    for t in tasks
                ]
                measurement = None
        else:
            break
    samples = [
        _sample(night, task, result, measurement)
        for task, result in zip(tasks, results, strict=True)
    ]
    night.record.append(samples)
    failed = sum(sample.error is not None for sample in samples)
    night.done.failed += failed
    night.done.recorded += len(samples) - failed


def _server(night: _Night, machine: Machine) -> Measurement:
    """The server of a machine, launched when it is first needed, or when the last one died."""
    if machine in night.servers:
        return night.servers[machine]
    night.launched += 1
    image, instance_type = (
        night.images[machine.image, machine.driver],
        night.types[machine.instance_type],
    )
    server = launch(
        night.cloud,
        image.ami,
        instance_type,
        night.placement,
        night.undo_servers,
        name=f"nitro-{night.plan.name}",
        role=f"server-{night.launched}",  # the token of a start is made from it
        processors=processors(instance_type, None, image.processors, night.report),
        report=night.report,
    )
    found = Measurement(
        server,
        instance_type,
        night.placement.beside(server),
        Selection(),
        "instance",
        client_ami=night.images[CLIENT].ami,
        bucket=night.bucket,
    )
    night.servers[machine] = found
    return found


def _sample(night: _Night, task: Task, result: Result, measurement: Measurement | None) -> Sample:
    kind = night.types[task.cell.machine.instance_type]
    known = Circumstances(
        plan_digest=night.plan.digest,
        digest=night.images[task.cell.machine.image, task.cell.machine.driver].digest,
        placement=night.plan.placement_group or "",
        baseline_bits=kind.baseline_bits,
        peak_bits=kind.peak_bits,
    )
    if measurement:
        known = replace(known, zone=measurement.placement.subnet.zone, server=measurement.server.id)
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


def _spent(night: _Night) -> bool:
    """Whether the plan's hours or its money are used up."""
    hours = (time.monotonic() - night.began) / 3600
    if night.plan.max_hours is not None and hours >= night.plan.max_hours:
        return True
    return night.max_cost is not None and _cost(night) >= night.max_cost


def _cost(night: _Night) -> float:
    """At most so many dollars were spent: as if all servers of a group ran from its start, and a
    client of the dearest type beside them all the time. 0 where the plan has no prices."""
    prices = night.plan.prices
    if not set(night.plan.matrix.types) <= set(prices):
        return 0.0
    hours = (time.monotonic() - night.group_began) / 3600
    running = [prices[machine.instance_type] for machine in night.servers]
    return night.cost_before + hours * (sum(running) + max(prices.values()))
