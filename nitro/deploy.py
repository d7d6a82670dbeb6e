"""From a recipe to a measured instance: the one place that joins the parts.

It hands what one part gives to the next and holds no knowledge of images, clouds or tools of
its own. Taking back what was made is the cloud's `Undo`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from nitro import image, probe, recipe
from nitro.cloud import (
    Cloud,
    DiskImage,
    Instance,
    InstanceType,
    Keep,
    NeverReady,
    Placement,
    Published,
    Undo,
    console_output,
    cost,
    instance,
    instance_type,
    instance_types,
    launch,
    new_deployment,
    place,
    publish,
)
from nitro.cloud.dryrun import is_planned
from nitro.cloud.launch import placed
from nitro.cloud.tags import PORTS
from nitro.console import milestones, tail
from nitro.errors import InputError
from nitro.image import Image
from nitro.probe import Probe, Result, boot, client, host
from nitro.progress import Reporter, Span
from nitro.recipe import Recipe

CLIENTS = ("instance", "host")
CLIENT_RECIPE = "client"
# What a local Nitro says of the machine; AWS says nothing, and means its own hypervisor.
_ACCELERATOR_TAG, _AWS_ACCELERATOR = "local:accelerator", "nitro"

# The card that a kernel module drives.
_CARDS = {"ena": "ena", "nitro_ena": "ena", "virtio_net": "virtio-net"}


@dataclass(frozen=True)
class Wish:
    """What is to be deployed, and how.

    `probes` None: those that suit the recipe's ports. `measure_from` is one of CLIENTS.
    `allow`: CIDR ranges that may reach the ports from outside.
    """

    recipe: Recipe
    instance_type: str
    probes: Sequence[Probe] | None = None
    measure_from: str = "instance"
    keep: Keep = Keep.IMAGE
    ttl: timedelta | None = None
    allow: Sequence[str] = ()
    subnet: str | None = None
    bucket: str | None = None
    locked: bool = False


@dataclass(frozen=True)
class Ran:
    """An instance as it was while it ran, `nic` and `driver` in the guest's own words.

    `fallback`: why the ported driver made room for the stock one; None when it did not.
    """

    id: str
    type: str
    nic: str
    driver: str
    fallback: str | None
    accelerator: str
    public_ip: str
    private_ip: str


@dataclass
class Deployment:
    """What became of a wish. `stays`: what is left behind, in words, with its cost."""

    id: str
    name: str
    image: Image
    published: Published
    instance: Ran
    probes: list[Result] = field(default_factory=list)
    timeline: list[Span] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.probes)

    def to_json(self) -> dict[str, Any]:
        """The deployment as JSON has it."""
        return {
            "deployment": self.id,
            "image": {
                "digest": self.image.digest,
                "path": str(self.image.path),
                "size_bytes": self.image.size_bytes,
                "build_seconds": self.image.build_seconds,
            },
            "snapshot": {
                "id": self.published.snapshot_id,
                "via": self.published.via,
                "bytes_uploaded": self.published.bytes_uploaded,
            },
            "ami": {
                "id": self.published.ami_id,
                "name": self.published.ami_name,
                "region": self.published.region,
            },
            "instance": vars(self.instance),
            "timeline": [vars(span) for span in self.timeline],
            "probes": [result.to_json() for result in self.probes],
            "stays": self.stays,
        }


def deploy(cloud: Cloud, wish: Wish, report: Reporter) -> Deployment:
    """Build, publish, launch, measure, and take down again what `wish.keep` does not keep.

    Raises NitroError and its kind as the parts do; whatever was made is then taken back.
    A probe that failed is no exception but a result that says so.
    """
    probes = _chosen(wish.probes, wish.recipe.ports, wish.measure_from)
    recipes = [wish.recipe, *([_client()] if _wants_client(probes, wish.measure_from) else [])]
    with report.stage("check"):
        kind = instance_type(cloud, wish.instance_type)
        for made in recipes:
            needed = image.needs(made, locked=wish.locked, report=report)
            instance_types.requires(kind, made.architecture, made.boot_mode, needed)
    with report.stage("build"):
        images = [image.build(made, report=report, locked=wish.locked) for made in recipes]
    with Undo(keep=wish.keep, report=report) as undo:
        with report.stage("publish"):
            published = [
                publish(cloud, _disk(made, built), undo, bucket=wish.bucket, report=report)
                for made, built in zip(recipes, images, strict=True)
            ]
        placement = place(
            cloud,
            undo,
            deployment=new_deployment(),
            ports=wish.recipe.ports,
            allow=wish.allow,
            subnet_id=wish.subnet,
            type_name=kind.name,
            ttl=wish.ttl,
            extra_tags={PORTS: " ".join(map(str, wish.recipe.ports))},
        )
        launched = time.monotonic()
        server = launch(
            cloud,
            published[0].ami_id,
            kind,
            placement,
            undo,
            name=f"nitro-{wish.recipe.name}",
            report=report,
        )
        target = _Target(server, kind, placement, published[-1].ami_id, wish.measure_from)
        first_port = wish.recipe.tcp_ports[:1] if wish.allow else ()
        results = _measure(cloud, target, probes, report, wish.bucket, first_port, launched)
        ran = _ran(cloud, server, kind)
    return Deployment(
        placement.deployment,
        wish.recipe.name,
        images[0],
        published[0],
        ran,
        results,
        report.timeline,
        _stays(cloud, undo, server, images, wish),
    )


def measure(
    cloud: Cloud,
    instance_id: str,
    *,
    probes: Sequence[Probe] | None,
    measure_from: str = "instance",
    bucket: str | None = None,
    report: Reporter,
) -> list[Result]:
    """Measure an instance that an earlier command left running; `probes` as in Wish.

    Raises InputError for an instance that nitro did not make.
    """
    server = instance.get(cloud, instance_id)
    placement = placed(cloud, server)
    kind = instance_type(cloud, server.type)
    ports = [int(p) if p.isdecimal() else p for p in server.tags.get(PORTS, "").split()]
    chosen = _chosen(probes, ports, measure_from)
    ami_id = ""
    with Undo(keep=Keep.IMAGE, report=report) as undo:
        if _wants_client(chosen, measure_from):
            made = _client()
            with report.stage("build"):
                built = image.build(made, report=report)
            with report.stage("publish"):
                disk = _disk(made, built)
                ami_id = publish(cloud, disk, undo, bucket=bucket, report=report).ami_id
        target = _Target(server, kind, placement, ami_id, measure_from)
        return _measure(cloud, target, chosen, report, bucket)


@dataclass(frozen=True)
class _Target:
    """What is measured, and what it takes to start a client beside it."""

    server: Instance
    kind: InstanceType
    placement: Placement
    client_ami: str
    measure_from: str


def _measure(
    cloud: Cloud,
    target: _Target,
    probes: Sequence[Probe],
    report: Reporter,
    bucket: str | None,
    first_port: Sequence[int] = (),
    launched: float | None = None,
) -> list[Result]:
    """Wait until the server is ready, then run the probes against it.

    The client is launched first: both machines boot at the same time, and the client waits
    for the server's ports. With `launched`, a moment of the monotonic clock, and `first_port`
    the time to the first connection from here is measured, too.
    """
    server = target.server
    inside = target.measure_from == "instance"
    address = server.private_ip if inside else server.public_ip
    plan = probe.build(probes, address or "planned")
    results: list[Result] = []
    with ExitStack() as stack:
        running = None
        if inside and plan.steps:
            running = stack.enter_context(
                client.client(
                    cloud,
                    target.client_ami,
                    target.kind,
                    target.placement,
                    plan,
                    bucket=bucket,
                    report=report,
                )
            )
        if not is_planned(server.id):
            watch = boot.Watch(
                console=lambda: _console(cloud, server.id),
                address=next(((server.public_ip, port) for port in first_port), None),
                launched=time.monotonic() if launched is None else launched,
            )
            wanted = next((p for p in probes if isinstance(p, boot.Boot)), None)
            deadline = (wanted or boot.Boot()).seconds
            with report.stage("boot") as stage:
                booted = boot.wait(watch, deadline=deadline, stage=stage)
            results += [booted] if wanted else []
        if running:
            results += running.results()
        elif plan.steps and not is_planned(server.id):
            results += host.run(plan, report=report)
    return results


def _console(cloud: Cloud, instance_id: str) -> str:
    """The console of an instance that is to become ready. Raises NeverReady once it cannot."""
    state = instance.get(cloud, instance_id)
    text = console_output(cloud, instance_id)
    if state.state not in {"pending", "running"} and not boot.is_ready(text):
        raise NeverReady(f"{instance_id} is {state.state} before it was ready", tail(text))
    return text


def _ran(cloud: Cloud, server: Instance, kind: InstanceType) -> Ran:
    """What the server turned out to be, in the words of its console."""
    said = milestones("" if is_planned(server.id) else console_output(cloud, server.id))
    # The last one: a driver that brought no link up makes room for another.
    driver = next((m.fields for m in reversed(said) if m.name == "driver"), {})
    module = str(driver.get("driver", "unknown"))
    fallback = next((str(m.fields.get("what")) for m in said if m.name == "fallback"), None)
    return Ran(
        server.id,
        kind.name,
        nic=_CARDS.get(module, module),
        driver=str(driver.get("kind", "unknown")),
        fallback=fallback,
        accelerator=server.tags.get(_ACCELERATOR_TAG, _AWS_ACCELERATOR),
        public_ip=server.public_ip,
        private_ip=server.private_ip,
    )


def _stays(
    cloud: Cloud, undo: Undo, server: Instance, images: Sequence[Image], wish: Wish
) -> list[str]:
    """What is left behind, and what it costs a month."""
    lines = []
    if wish.keep is not Keep.NOTHING:
        size = sum(built.size_bytes for built in images)
        lines.append(
            f"{len(images)} AMIs and their snapshots, {cost.of_snapshot(size, cloud.region)}"
        )
    if wish.keep is Keep.INSTANCE:
        until = f"until {wish.ttl} are over" if wish.ttl else "until `nitro destroy` ends it"
        lines.append(f"instance {server.id}, {until}")
    return lines


def _chosen(
    probes: Sequence[Probe] | None, ports: Sequence[int | str], measure_from: str
) -> list[Probe]:
    if measure_from not in CLIENTS:
        raise InputError(
            f"cannot measure from {measure_from!r}", hint=f"use {' or '.join(CLIENTS)}"
        )
    return probe.defaults(ports) if probes is None else list(probes)


def _wants_client(probes: Sequence[Probe], measure_from: str) -> bool:
    return measure_from == "instance" and bool(probe.build(probes, "any").steps)


def _client() -> Recipe:
    return recipe.load(CLIENT_RECIPE)


def _disk(made: Recipe, built: Image) -> DiskImage:
    """An image in the words of the cloud side."""
    return DiskImage(
        path=built.path,
        digest=built.digest,
        size_bytes=built.size_bytes,
        name=made.name,
        architecture=built.architecture,
        boot_mode=built.boot_mode,
        minimum_memory_mib=built.minimum_memory_mib,
        description=made.description,
        tags=made.tags,
    )
