"""From a recipe to a measured instance: the one place that joins the parts.

It hands what one part gives to the next and holds no knowledge of images, clouds or tools of
its own. Taking back what was made is the cloud's `Undo`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from nitro import image
from nitro.cloud import (
    Cloud,
    Instance,
    InstanceType,
    Keep,
    Published,
    Undo,
    console_output,
    cost,
    create_placement,
    find_instance_type,
    instance_types,
    launch,
    new_deployment,
    publish,
)
from nitro.cloud.network import check_ranges
from nitro.cloud.tags import ports_tag
from nitro.console import milestones
from nitro.image import Image
from nitro.measure import (
    Measurement,
    client_recipe,
    disk_of,
    needs_client,
    run_probes,
    select_probes,
)
from nitro.probe import Probe, Result
from nitro.progress import Reporter, Span
from nitro.recipe import Recipe

# What a local Nitro says of the machine; AWS says nothing, and means its own hypervisor.
_ACCELERATOR_TAG, _AWS_ACCELERATOR = "local:accelerator", "nitro"

# How many images a deployment takes: its own, and the client's.
_AMIS = {1: "an AMI and its snapshot", 2: "two AMIs and their snapshots"}

# The card that a kernel module drives.
_CARDS = {"ena": "ena", "nitro_ena": "ena", "virtio_net": "virtio-net"}


@dataclass(frozen=True)
class DeployRequest:
    """What is to be deployed, and how.

    `probes` None: those that suit the recipe's ports. `measure_from` is one of
    `measure.CLIENTS`.
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
class InstanceReport:
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
    """What a request led to. `leftovers`: what is left behind, in words, with its cost."""

    id: str
    name: str
    image: Image
    published: Published
    instance: InstanceReport
    probes: list[Result] = field(default_factory=list)
    timeline: list[Span] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

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
            "leftovers": self.leftovers,
        }


def deploy(cloud: Cloud, request: DeployRequest, report: Reporter) -> Deployment:
    """Build, publish, launch, measure, and take down again what `request.keep` does not keep.

    Raises NitroError and its subclasses as the parts do; whatever was made is then taken back.
    A probe that failed is no exception but a result that says so.
    """
    check_ranges(request.allow)
    probes = select_probes(request.probes, request.recipe.ports, request.measure_from)
    recipes = [
        request.recipe,
        *([client_recipe()] if needs_client(probes, request.measure_from) else []),
    ]
    with report.stage("check"):
        instance_type = find_instance_type(cloud, request.instance_type)
        for recipe in recipes:
            needed = image.needs(recipe, locked=request.locked, report=report)
            instance_types.requires(instance_type, recipe.architecture, recipe.boot_mode, needed)
    with report.stage("build"):
        images = [image.build(recipe, report=report, locked=request.locked) for recipe in recipes]
    with Undo(keep=request.keep, report=report) as undo:
        with report.stage("publish"):
            published = [
                publish(cloud, disk_of(recipe, built), undo, bucket=request.bucket, report=report)
                for recipe, built in zip(recipes, images, strict=True)
            ]
        placement = create_placement(
            cloud,
            undo,
            deployment=new_deployment(),
            ports=request.recipe.ports,
            allow=request.allow,
            subnet_id=request.subnet,
            type_name=instance_type.name,
            ttl=request.ttl,
            extra_tags=ports_tag(request.recipe.ports),
        )
        launched = time.monotonic()
        server = launch(
            cloud,
            published[0].ami_id,
            instance_type,
            placement,
            undo,
            name=f"nitro-{request.recipe.name}",
            report=report,
        )
        target = Measurement(
            server, instance_type, placement, published[-1].ami_id, request.measure_from
        )
        first_tcp_port = next(iter(request.recipe.tcp_ports), None) if request.allow else None
        results = run_probes(
            cloud, target, probes, report, request.bucket, first_tcp_port, launched
        )
        instance = _describe_instance(cloud, server, instance_type)
    return Deployment(
        placement.deployment,
        request.recipe.name,
        images[0],
        published[0],
        instance,
        results,
        report.timeline,
        _leftovers(cloud, undo, server, images, request),
    )


def _describe_instance(
    cloud: Cloud, server: Instance, instance_type: InstanceType
) -> InstanceReport:
    """What the server turned out to be, in the words of its console."""
    said = milestones(console_output(cloud, server.id))
    # The last one: a driver that brought no link up makes room for another.
    driver = next((m.fields for m in reversed(said) if m.name == "driver"), {})
    module = str(driver.get("driver", "unknown"))
    fallback = next((str(m.fields.get("what")) for m in said if m.name == "fallback"), None)
    return InstanceReport(
        server.id,
        instance_type.name,
        nic=_CARDS.get(module, module),
        driver=str(driver.get("kind", "unknown")),
        fallback=fallback,
        accelerator=server.tags.get(_ACCELERATOR_TAG, _AWS_ACCELERATOR),
        public_ip=server.public_ip,
        private_ip=server.private_ip,
    )


def _leftovers(
    cloud: Cloud, undo: Undo, server: Instance, images: Sequence[Image], request: DeployRequest
) -> list[str]:
    """What is left behind, and what it costs a month."""
    lines = []
    if request.keep is not Keep.NOTHING:
        size = sum(built.size_bytes for built in images)
        lines.append(f"{_AMIS[len(images)]}, {cost.of_snapshot(size, cloud.region)}")
    if request.keep is Keep.INSTANCE:
        until = f"until {request.ttl} are over" if request.ttl else "until `nitro destroy` ends it"
        lines.append(f"instance {server.id}, {until}")
    return lines
