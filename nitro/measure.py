"""Measuring an instance: one that was just launched, or one that an earlier command left.

The client is launched beside it and told what to do; nitro.probe reads the numbers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from nitro import image, probe
from nitro.cloud import (
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
from nitro.cloud.launch import placement_of
from nitro.cloud.tags import ports_from
from nitro.console import tail
from nitro.errors import InputError
from nitro.image import Image
from nitro.ports import Port
from nitro.probe import Probe, Result, boot, client, host
from nitro.progress import Reporter
from nitro.recipe import Recipe
from nitro.recipe import load as load_recipe

CLIENTS = ("instance", "host")
CLIENT_RECIPE = "client"


@dataclass(frozen=True)
class Measurement:
    """What is measured, and what it takes to start a client beside it."""

    server: Instance
    instance_type: InstanceType
    placement: Placement
    client_ami: str
    measure_from: str


def measure(
    cloud: Cloud,
    instance_id: str,
    *,
    probes: Sequence[Probe] | None,
    measure_from: str = "instance",
    bucket: str | None = None,
    report: Reporter,
) -> list[Result]:
    """Measure an instance that an earlier command left running; `probes` as in DeployRequest.

    Raises InputError for an instance that nitro did not make.
    """
    server = instance.get(cloud, instance_id)
    placement = placement_of(cloud, server)
    instance_type = find_instance_type(cloud, server.type)
    chosen = select_probes(probes, ports_from(server.tags), measure_from)
    ami_id = ""
    with Undo(keep=Keep.IMAGE, report=report) as undo:
        if needs_client(chosen, measure_from):
            recipe = client_recipe()
            with report.stage("build"):
                built = image.build(recipe, report=report)
            with report.stage("publish"):
                disk = disk_of(recipe, built)
                ami_id = publish(cloud, disk, undo, bucket=bucket, report=report).ami_id
        measurement = Measurement(server, instance_type, placement, ami_id, measure_from)
        return run_probes(cloud, measurement, chosen, report, bucket)


def run_probes(
    cloud: Cloud,
    measurement: Measurement,
    probes: Sequence[Probe],
    report: Reporter,
    bucket: str | None,
    first_tcp_port: int | None = None,
    launched: float | None = None,
) -> list[Result]:
    """Wait until the server is ready, then run the probes against it.

    The client is launched first: both machines boot at the same time, and the client waits
    for the server's ports. With `launched`, a moment of the monotonic clock, and `first_tcp_port`
    the time to the first connection from here is measured, too.
    """
    server = measurement.server
    inside = measurement.measure_from == "instance"
    address = server.private_ip if inside else server.public_ip
    plan = probe.build(probes, address or "planned")
    results: list[Result] = []
    with ExitStack() as stack:
        running = None
        if inside and plan.steps:
            running = stack.enter_context(
                client.client(
                    cloud,
                    measurement.client_ami,
                    measurement.instance_type,
                    measurement.placement,
                    plan,
                    bucket=bucket,
                    report=report,
                )
            )
        if cloud.plan:
            return []
        watch = boot.Watch(
            console=lambda: _console(cloud, server.id),
            address=(server.public_ip, first_tcp_port) if first_tcp_port else None,
            launched=time.monotonic() if launched is None else launched,
        )
        wanted = next((p for p in probes if isinstance(p, boot.Boot)), None)
        deadline = (wanted or boot.Boot()).seconds
        with report.stage("boot") as stage:
            booted = boot.wait(watch, deadline=deadline, stage=stage)
        results += [booted] if wanted else []
        if running:
            results += running.results()
        elif plan.steps:
            results += host.run(plan, report=report)
    return results


def select_probes(
    probes: Sequence[Probe] | None, ports: Sequence[Port], measure_from: str
) -> list[Probe]:
    """Raises InputError for an unknown client, ProbeError when this machine lacks a tool."""
    if measure_from not in CLIENTS:
        raise InputError(
            f"cannot measure from {measure_from!r}", hint=f"use {' or '.join(CLIENTS)}"
        )
    chosen = probe.defaults(ports) if probes is None else list(probes)
    if measure_from == "host":
        host.check(probe.build(chosen, "any"))
    return chosen


def needs_client(probes: Sequence[Probe], measure_from: str) -> bool:
    return measure_from == "instance" and bool(probe.build(probes, "any").steps)


def client_recipe() -> Recipe:
    return load_recipe(CLIENT_RECIPE)


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
    )


def _console(cloud: Cloud, instance_id: str) -> str:
    """The console of an instance that is to become ready. Raises NeverReady once it cannot."""
    state = instance.get(cloud, instance_id)
    text = console_output(cloud, instance_id)
    if state.state not in {"pending", "running"} and not boot.is_ready(text):
        raise NeverReady(f"{instance_id} is {state.state} before it was ready", tail(text))
    return text
