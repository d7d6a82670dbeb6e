"""A night: the plan's measurements, made and recorded; an interrupted one goes on where it ended.

A server runs for each machine of the plan. Repetition by repetition, in the plan's shuffled
order, a client is launched beside each server in turn, works through the machine's tests and ends;
its results are recorded at once. One client measures at a time, so no cell disturbs another.
A pair that dies is replaced, once for each repetition; what it should have measured is then noted
as failed, and the night goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from nitro import recipe as recipes
from nitro.bench.plan import Machine, Plan, Task, selection
from nitro.bench.record import Record
from nitro.bench.sample import Circumstances, Sample, from_result, sample_id
from nitro.cloud import (
    Cloud,
    InstanceType,
    Keep,
    Placement,
    Undo,
    create_placement,
    find_instance_type,
    instance_types,
    launch,
    new_deployment,
    preflight,
    publish,
)
from nitro.documents.bench import NightDocument
from nitro.errors import Interrupted, NitroError
from nitro.interfaces import ImageBuilder, Prober
from nitro.measure import Measurement, client_recipe, disk_of, longest_measurement, run_probes
from nitro.ports import Port
from nitro.probe import Result, Selection
from nitro.progress import Reporter

_MARGIN = timedelta(hours=1)  # that a server lives beyond all deadlines
_STEPS = 40  # of one client: its user data and its results have bounds
_ATTEMPTS = 2  # at a repetition of a machine


@dataclass(frozen=True)
class Image:
    """A published image: its AMI and the digest of its disk."""

    ami: str
    digest: str


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
    images: dict[tuple[str, str], Image]
    client: Image
    types: dict[str, InstanceType]
    bucket: str | None
    placement: Placement
    done: NightReport
    servers: dict[Machine, Measurement] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)


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
) -> NightReport:
    """Make the measurements that the record does not have of this night (UTC; None: today's).

    Raises InputError for an image or type that cannot be used, RefusedError, and Interrupted after
    everything was removed; what was recorded by then stays.
    """
    night = night or datetime.now(UTC).date()
    tasks = list(plan.tasks(cloud.region, night))
    there = record.ids(plan.name, night)
    missing = [t for t in tasks if sample_id(plan.name, night, t.cell, t.repetition) not in there]
    done = NightReport(night, there=len(tasks) - len(missing))
    if not missing:
        record.compact(plan.name, night)
        return done
    types = {name: find_instance_type(cloud, name) for name in plan.matrix.types}
    with report.stage("check"):
        for instance_type in types.values():
            for note in preflight.check(
                cloud,
                instance_type,
                instances=1 + min(plan.pairs_at_once, len(plan.matrix.machines(cloud.region))),
                subnet_id=subnet,
                bucket=bucket,
            ):
                report.note(note)
    with Undo(keep=Keep.IMAGE, report=report, sleep=cloud.sleep) as undo:
        images = _images(cloud, plan, types, builder, undo, bucket, report)
        placement = create_placement(
            cloud,
            undo,
            deployment=new_deployment(),
            ports=_ports(plan),
            subnet_id=subnet,
            type_name=plan.matrix.types[0],
            ttl=_lifetime(plan, cloud.region),
            placement_group=plan.placement_group,
        )
        client = images.pop(("", ""))
        under_way = _Night(
            *(cloud, plan, record, prober, report, undo, night, images, client, types, bucket),
            *(placement, done),
        )
        with report.stage("measure") as stage:
            for chunk in _chunks(missing, plan.pairs_at_once):
                if _spent(under_way):
                    done.left_out += len(chunk)
                    continue
                _measure(under_way, chunk)
                stage.progress(done.recorded + done.failed, len(missing), "runs")
    if done.left_out:
        report.note(f"{done.left_out} runs had no room in the plan's budget")
    record.compact(plan.name, night)
    return done


def _images(
    cloud: Cloud,
    plan: Plan,
    types: dict[str, InstanceType],
    builder: ImageBuilder,
    undo: Undo,
    bucket: str | None,
    report: Reporter,
) -> dict[tuple[str, str], Image]:
    """Each image with each driver, and the client's under ("", ""): built and published."""
    wanted = {("", ""): client_recipe()}
    for image in plan.matrix.images:
        recipe = recipes.load(image)
        for driver in plan.matrix.drivers:
            wanted[image, driver] = recipe.model_copy(update={"driver": driver})
    found: dict[tuple[str, str], Image] = {}
    for key, recipe in wanted.items():
        with report.stage("build"):
            prepared = builder.prepare(recipe, report=report)
            for instance_type in types.values():
                instance_types.requires(
                    instance_type,
                    recipe.architecture,
                    recipe.boot_mode,
                    prepared.minimum_memory_mib,
                )
            built = prepared.build()
        with report.stage("publish"):
            disk = disk_of(recipe, built)
            ami = publish(cloud, disk, undo, bucket=bucket, report=report).ami_id
        found[key] = Image(ami, built.digest)
    return found


def _ports(plan: Plan) -> list[Port]:
    ports = {port for image in plan.matrix.images for port in recipes.load(image).ports}
    return sorted(ports, key=str)


def _chunks(tasks: Sequence[Task], at_once: int) -> Iterator[list[Task]]:
    """What one client does each time: a repetition's tests of one machine, in the plan's order.

    No more than `at_once` machines take turns; the next ones follow when all is done for them.
    """
    machines = list(dict.fromkeys(task.cell.machine for task in tasks))
    for start in range(0, len(machines), at_once):
        group = machines[start : start + at_once]
        parts: dict[tuple[int, Machine], list[Task]] = {}
        for task in tasks:
            if task.cell.machine in group:
                parts.setdefault((task.repetition, task.cell.machine), []).append(task)
        for part in parts.values():
            for first in range(0, len(part), _STEPS):
                yield part[first : first + _STEPS]


def _measure(night: _Night, tasks: list[Task]) -> None:
    """Run one client's tasks and record what they gave, or that they failed."""
    machine = tasks[0].cell.machine
    for attempt in range(_ATTEMPTS):
        try:
            measurement = replace(_server(night, machine), selection=_selection(night.plan, tasks))
            results = run_probes(night.cloud, measurement, night.prober, night.undo, night.report)
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


def _selection(plan: Plan, tasks: Sequence[Task]) -> Selection:
    """The probes of one client's tasks."""
    probes = (p for task in tasks for p in selection(task.cell.test, plan.seconds).probes)
    return Selection(None, tuple(probes), allowances=True)


def _server(night: _Night, machine: Machine) -> Measurement:
    """The server of a machine, launched when it is first needed, or when the last one died."""
    if machine in night.servers:
        return night.servers[machine]
    server = launch(
        night.cloud,
        night.images[machine.image, machine.driver].ami,
        night.types[machine.instance_type],
        night.placement,
        night.undo,
        name=f"nitro-{night.plan.name}",
        role=f"server-{len(night.undo.entries)}",
        report=night.report,
    )
    found = Measurement(
        server,
        night.types[machine.instance_type],
        night.placement.beside(server),
        Selection(),
        "instance",
        client_ami=night.client.ami,
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


def _lifetime(plan: Plan, region: str) -> timedelta:
    """How long a server may be needed: every deadline of the night, or the plan's own bound."""
    if plan.max_hours:
        return timedelta(hours=plan.max_hours) + _MARGIN
    chunks = _chunks(list(plan.tasks(region, date.min)), plan.pairs_at_once)
    longest = sum(
        (longest_measurement(_selection(plan, chunk)) for chunk in chunks),
        _MARGIN,
    )
    return min(longest, timedelta(days=7))


def _spent(night: _Night) -> bool:
    """Whether the plan's hours or its money are used up."""
    plan = night.plan
    hours = (time.monotonic() - night.began) / 3600
    if plan.max_hours is not None and hours >= plan.max_hours:
        return True
    if plan.max_cost is None:
        return False
    # Every server from the start, and a client of the dearest type all the time: an upper bound.
    running = [plan.prices[machine.instance_type] for machine in night.servers]
    return hours * (sum(running) + max(plan.prices.values())) >= plan.max_cost
