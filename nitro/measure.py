"""Measuring an instance: one that was just launched, or one that an earlier command left.

The client is launched beside it and told what to do; `nitro.probe` reads what it sends back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

from nitro import client, probe
from nitro import recipe as recipes
from nitro.cloud import (
    CleanUpError,
    Cloud,
    DiskImage,
    Instance,
    InstanceType,
    Keep,
    NeverReady,
    Placement,
    Undo,
    console_output,
    find_instance_type,
    instance,
    publish,
)
from nitro.cloud.instance_types import larger
from nitro.cloud.launch import RUNNING_DEADLINE, placement_of
from nitro.cloud.tags import ports_from
from nitro.conditions import conditions, read_guest
from nitro.console import tail
from nitro.documents import ConditionsDocument
from nitro.errors import InputError
from nitro.image import Image
from nitro.interfaces import ImageBuilder, Prober
from nitro.ports import Port, tcp_numbers
from nitro.probe import Boot, Result, Selection, boot
from nitro.probe.plan import ANY_ADDRESS
from nitro.progress import Reporter
from nitro.recipe import Recipe

MEASURE_FROM = ("instance", "host")


@dataclass(frozen=True)
class Measurement:
    """An instance to be measured, and what it takes to start a client beside it.

    `measure_from` is one of MEASURE_FROM. `client_ami` is None where no client is needed.
    `launched` is the moment, by the monotonic clock, from which the time to the first connection
    counts; it is measured where `first_tcp_port` can be reached from here. `ends`: the program is
    meant to end, and is waited for. `watched`: its guest tells on the console how far it has come,
    as those of nitro's images do; any other is measured once its ports answer.
    """

    server: Instance
    instance_type: InstanceType
    placement: Placement
    selection: Selection
    measure_from: str
    client_ami: str | None
    bucket: str | None = None
    first_tcp_port: int | None = None
    ends: bool = False
    watched: bool = True
    launched: float = field(default_factory=time.monotonic)


@dataclass
class Measured:
    """The results of `measure`, and what it launched and could not remove."""

    results: list[Result]
    not_removed: list[str] = field(default_factory=list)


def measure(
    cloud: Cloud,
    instance_id: str,
    *,
    builder: ImageBuilder,
    prober: Prober,
    selection: Selection | None,
    measure_from: str = "instance",
    bucket: str | None = None,
    report: Reporter,
) -> Measured:
    """Measure an instance that an earlier command left running; `selection` as in DeployRequest.

    Raises InputError for an instance that nitro did not make.
    """
    server = instance.get(cloud, instance_id)
    placement = placement_of(cloud, server)
    instance_type = find_instance_type(cloud, server.type)
    selection = select_probes(selection, ports_from(server.tags), measure_from, prober)
    client_ami, measured = None, Measured([])
    try:
        with Undo(keep=Keep.IMAGE, report=report, sleep=cloud.sleep) as undo:
            if needs_client(selection, measure_from):
                recipe = client_recipe()
                with report.stage("build"):
                    built = builder.prepare(recipe, report=report).build()
                with report.stage("publish"):
                    disk = disk_of(recipe, built)
                    client_ami = publish(cloud, disk, undo, bucket=bucket, report=report).ami_id
            measurement = Measurement(
                server, instance_type, placement, selection, measure_from, client_ami, bucket
            )
            measured.results = run_probes(cloud, measurement, prober, undo, report)
    except CleanUpError as error:
        measured.not_removed = error.left
    return measured


def run_probes(
    cloud: Cloud,
    measurement: Measurement,
    prober: Prober,
    undo: Undo,
    report: Reporter,
    on_step: client.OnStep | None = None,
) -> list[Result]:
    """Wait until the server is ready, then run the probes against it.

    The client is launched first: both machines boot at the same time, and the client waits
    for the server's ports. A dry run plans the client and has no results. `on_step` is told what
    a client reports before it is through.
    """

    def tell(number: int, result: Result) -> None:
        if on_step:
            on_step(number, replace(result, conditions=conditions_now()))

    @cache
    def conditions_now() -> ConditionsDocument:
        guest = read_guest(cloud, measurement.server.id, report)
        return conditions(cloud, measurement.server, guest, measurement.measure_from)

    server, selection = measurement.server, measurement.selection
    plan = selection.plan(_target(cloud, measurement))
    results: list[Result] = []
    with _client(cloud, measurement, plan, undo, report) as running:
        if cloud.plan:
            return []
        watch = boot.Watch(
            console=lambda: _console(cloud, server.id, watch),
            address=_first_port(measurement),
            launched=measurement.launched,
            ends=measurement.ends,
            ports=tcp_numbers(ports_from(server.tags)),
            larger=lambda mib: larger(cloud, measurement.instance_type, mib),
            sleep=cloud.sleep,
        )
        if measurement.watched:
            with report.stage("boot") as stage:
                deadline = (selection.boot or Boot()).seconds
                booted = prober.wait_boot(watch, deadline=deadline, stage=stage)
            results += [booted] if selection.boot else []
        if running:
            results += running.results(tell if on_step else None)
        elif plan.steps:
            results += prober.run(plan, report=report)
    guest = read_guest(cloud, server.id, report)
    for warning in guest.warnings:
        report.note(f"{server.id} warns: {tail(warning)}")
    for end in () if measurement.ends else guest.endings:
        report.note(f"{server.id}: the program {end}")
    taken = conditions(cloud, server, guest, measurement.measure_from)
    return [replace(result, conditions=taken) for result in results]


def select_probes(
    selection: Selection | None, ports: Sequence[Port], measure_from: str, prober: Prober
) -> Selection:
    """The selection, or without one the probes that suit the ports.

    Raises InputError for an unknown client, ProbeError when this machine lacks a tool.
    """
    if measure_from not in MEASURE_FROM:
        raise InputError(
            f"cannot measure from {measure_from!r}", hint=f"use {' or '.join(MEASURE_FROM)}"
        )
    selection = selection or probe.defaults(ports)
    if measure_from == "host":
        prober.check(selection.plan(ANY_ADDRESS))
    return selection


def longest_measurement(selection: Selection) -> timedelta:
    """The most time from the launch of a server until it is measured: all deadlines together."""
    launches = 2 * RUNNING_DEADLINE  # of the server and of a client
    boots = (selection.boot or Boot()).seconds + client.BOOT_WITHIN
    return timedelta(seconds=launches + boots + selection.plan(ANY_ADDRESS).deadline)


def needs_client(selection: Selection, measure_from: str) -> bool:
    return measure_from == "instance" and bool(selection.probes)


def client_recipe() -> Recipe:
    return recipes.load(client.RECIPE)


def disk_of(recipe: Recipe, built: Image) -> DiskImage:
    """An image in the words of the cloud side."""
    return DiskImage(
        path=built.path,
        digest=built.digest,
        size_bytes=built.size_bytes,
        name=recipe.name,
        architecture=built.architecture,
        boot_mode=built.boot_mode,
        minimum_memory_mib=built.minimum_memory_mib,
        description=recipe.description,
        tags=recipe.tags,
        ports=tuple(built.ports),
        processors=built.processors,
    )


@contextmanager
def _client(
    cloud: Cloud, measurement: Measurement, plan: probe.ProbePlan, undo: Undo, report: Reporter
) -> Iterator[client.Client | None]:
    """The client for the plan, or None where this machine measures, or nothing does."""
    if measurement.client_ami is None:
        yield None
        return
    with client.launched_client(
        cloud,
        undo,
        measurement.client_ami,
        measurement.instance_type,
        measurement.placement,
        plan,
        bucket=measurement.bucket,
        report=report,
    ) as running:
        yield running


def _target(cloud: Cloud, measurement: Measurement) -> str:
    """The address to measure. Raises InputError for a server that has none to be reached by."""
    if cloud.plan or not measurement.selection.probes:
        return ANY_ADDRESS
    server = measurement.server
    if measurement.measure_from == "instance":
        return server.private_ip
    if not server.public_ip:
        raise InputError(
            f"{server.id} has no public address, so this machine cannot measure it",
            hint="use --from instance",
        )
    return server.public_ip


def _first_port(measurement: Measurement) -> tuple[str, int] | None:
    """Where the first connection is accepted, None where nothing is to be reached."""
    if measurement.first_tcp_port is None or not measurement.server.public_ip:
        return None
    return measurement.server.public_ip, measurement.first_tcp_port


def _console(cloud: Cloud, instance_id: str, watch: boot.Watch) -> str:
    """The console of an instance that is watched. Raises NeverReady once nothing more will come."""
    state = instance.get(cloud, instance_id)
    text = console_output(cloud, instance_id)
    if state.state not in {"pending", "running"} and not boot.is_done(text, watch):
        raise NeverReady(
            f"{instance_id} is {state.state} before it was ready{state.because}", tail(text)
        )
    return text
