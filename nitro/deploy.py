"""From a recipe to a measured instance: joins the parts.

It hands what one part gives to the next and holds no knowledge of images, clouds or tools of
its own. The cloud's `Undo` removes what was made.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from nitro.cloud import (
    CleanUpError,
    Cloud,
    Instance,
    InstanceType,
    Keep,
    Placement,
    Published,
    Undo,
    Via,
    cost,
    create_placement,
    find_instance_type,
    instance_types,
    launch,
    new_deployment,
    preflight,
    publish,
)
from nitro.cloud.limits import check_image
from nitro.cloud.network import check_ranges
from nitro.cloud.tags import ports_tag
from nitro.conditions import accelerator, read_guest
from nitro.documents import DeployDocument, InstanceDocument, ProgramDocument
from nitro.ending import endings, output
from nitro.errors import InputError
from nitro.image import Image
from nitro.image.missing import scripts_hint
from nitro.interfaces import ImageBuilder, Prober
from nitro.measure import (
    Measurement,
    client_recipe,
    disk_of,
    longest_measurement,
    needs_client,
    run_probes,
    select_probes,
)
from nitro.probe import Boot, Result, Selection
from nitro.probe.boot import BootFailed
from nitro.progress import Reporter, Span
from nitro.recipe import Recipe

MARGIN = timedelta(minutes=10)  # for what has no deadline of its own: AWS's calls, a clean-up

# How many images a deployment takes: its own, and the client's.
_AMIS = {1: "an AMI and its snapshot", 2: "two AMIs and their snapshots"}


@dataclass(frozen=True)
class DeployRequest:
    """What is to be deployed, and how.

    `selection` None: the probes that suit the recipe's ports. `measure_from` is one of
    `measure.MEASURE_FROM`. `allow`: CIDR ranges that may reach the ports from outside. The client
    joins the security groups and the placement group; the instance profile is the server's alone.
    `ttl`: when the instance ends itself; None: after every deadline of the deployment, and one that
    is kept never. `processors`: with how many vCPUs the server starts; None: as the image says.
    """

    recipe: Recipe
    instance_type: str
    selection: Selection | None = None
    measure_from: str = "instance"
    keep: Keep = Keep.IMAGE
    ttl: timedelta | None = None
    allow: Sequence[str] = ()
    subnet: str | None = None
    bucket: str | None = None
    via: Via = Via.S3
    security_groups: Sequence[str] = ()
    placement_group: str | None = None
    instance_profile: str | None = None
    processors: int | None = None
    locked: bool = False


@dataclass(frozen=True)
class InstanceReport:
    """An instance as it was while it ran, `nic` and `driver` in the guest's own words.

    `fallback`: why the kernel's driver took over from the nitro driver; None when it did not.
    """

    id: str
    type: str
    nic: str
    driver: str
    fallback: str | None
    accelerator: str
    public_ip: str
    private_ip: str

    def to_json(self) -> InstanceDocument:
        return {
            "id": self.id,
            "type": self.type,
            "nic": self.nic,
            "driver": self.driver,
            "fallback": self.fallback,
            "accelerator": self.accelerator,
            "public_ip": self.public_ip,
            "private_ip": self.private_ip,
        }


@dataclass(frozen=True)
class ProgramEnd:
    """How a program ended that was meant to, and what it wrote (the last 64 KiB)."""

    status: int
    seconds: float | None
    output: str

    def to_json(self) -> ProgramDocument:
        return {"status": self.status, "seconds": self.seconds, "output": self.output}


@dataclass
class Deployment:
    """The outcome of a request.

    `program` is None where the program was meant to keep running.
    `leftovers`: what was kept as asked for, in words, with its cost. `not_removed`: what should
    have been removed and is still there.
    """

    id: str
    name: str
    image: Image
    published: Published
    instance: InstanceReport
    probes: list[Result] = field(default_factory=list)
    timeline: list[Span] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    not_removed: list[str] = field(default_factory=list)
    program: ProgramEnd | None = None

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.probes)

    def to_json(self) -> DeployDocument:
        """The deployment as JSON has it."""
        return {
            "deployment": self.id,
            "image": {
                "digest": self.image.digest,
                "path": str(self.image.path),
                "size_bytes": self.image.size_bytes,
                "build_seconds": self.image.build_seconds,
            },
            "snapshot": self.published.snapshot_json(),
            "ami": self.published.ami_json(),
            "instance": self.instance.to_json(),
            "timeline": [{"stage": s.stage, "seconds": s.seconds} for s in self.timeline],
            "probes": [result.to_json() for result in self.probes],
            "program": self.program.to_json() if self.program else None,
            "leftovers": self.leftovers,
            "not_removed": self.not_removed,
        }


def deploy(
    cloud: Cloud,
    request: DeployRequest,
    *,
    builder: ImageBuilder,
    prober: Prober,
    report: Reporter,
) -> Deployment:
    """Build, publish, launch, measure, and remove what `request.keep` does not keep.

    Raises NitroError and its subclasses as the parts do; whatever was made is then removed.
    A probe that failed is no exception but a result that says so.
    """
    check_ranges(request.allow)
    recipe = request.recipe
    selection = _selection(request, prober)
    ttl = _ttl(request, selection)
    from_host = request.measure_from == "host" and bool(selection.probes)
    # A security group of the user's own may open the ports, too.
    if from_host and not request.allow and not request.security_groups:
        raise InputError(
            "with --from host nothing here may reach the instance",
            hint="name this machine's address as AWS sees it with --allow, such as "
            "--allow 198.51.100.7/32",
        )
    recipes = [recipe]
    if needs_client(selection, request.measure_from):
        recipes.append(client_recipe())
    with report.stage("check"):
        for one in recipes:
            check_image(one.name, one.description, one.tags)
        instance_type = find_instance_type(cloud, request.instance_type)
        notes = preflight.check(
            cloud,
            instance_type,
            instances=len(recipes),
            subnet_id=request.subnet,
            bucket=request.bucket,
            security_groups=request.security_groups,
            placement_group=request.placement_group,
            from_host=from_host,
        )
        for note in notes:
            report.note(note)
        prepared = [builder.prepare(one, locked=request.locked, report=report) for one in recipes]
        for one, parts in zip(recipes, prepared, strict=True):
            instance_types.requires(
                instance_type, one.architecture, one.boot_mode, parts.minimum_memory_mib
            )
    with report.stage("build"):
        images = [parts.build() for parts in prepared]
    try:
        with Undo(keep=request.keep, report=report, sleep=cloud.sleep) as undo:
            with report.stage("publish"):
                published = [
                    publish(
                        cloud,
                        disk_of(one, built),
                        undo,
                        via=request.via,
                        bucket=request.bucket,
                        report=report,
                    )
                    for one, built in zip(recipes, images, strict=True)
                ]
            placement = _create_placement(cloud, undo, request, instance_type, ttl)
            processors = instance_types.processors(
                instance_type, request.processors, images[0].processors, report
            )
            launched = time.monotonic()
            server = launch(
                cloud,
                published[0].ami_id,
                instance_type,
                placement,
                undo,
                name=f"nitro-{recipe.name}",
                instance_profile=request.instance_profile,
                processors=processors,
                report=report,
            )
            measurement = Measurement(
                server,
                instance_type,
                placement.beside(server),
                selection,
                request.measure_from,
                client_ami=published[1].ami_id if len(published) > 1 else None,
                bucket=request.bucket,
                first_tcp_port=_first_tcp_port(request),
                ends=not recipe.service,
                launched=launched,
            )
            results = run_probes(cloud, measurement, prober, undo, report)
            instance = describe_instance(cloud, server, instance_type, report)
            deployment = Deployment(
                placement.deployment,
                recipe.name,
                images[0],
                published[0],
                instance,
                results,
                report.timeline,
                _leftovers(cloud, server, images, request),
                program=_program(results) if measurement.ends and results else None,
            )
    except BootFailed as error:
        error.hint = error.hint or scripts_hint(recipe, images[0].manifest_path)
        raise
    except CleanUpError as error:  # what was measured is not lost for that
        deployment.not_removed = error.left
    return deployment


def _selection(request: DeployRequest, prober: Prober) -> Selection:
    """What to measure. Raises InputError for what does not suit a program that is meant to end."""
    recipe = request.recipe
    if recipe.service:
        return select_probes(request.selection, recipe.ports, request.measure_from, prober)
    if request.keep is Keep.INSTANCE:
        raise InputError(
            f"{recipe.name}: no instance is left to keep once the program has ended",
            hint="use `nitro deploy` without --keep, or leave service = false out of the recipe",
        )
    selection = request.selection or Selection()
    if selection.probes:
        raise InputError(
            f"{recipe.name}: a program that is meant to end is not measured",
            hint="leave --probe out, or service = false",
        )
    return Selection(selection.boot or Boot())


def _first_tcp_port(request: DeployRequest) -> int | None:
    """The port whose first connection is waited for, where this machine may reach it."""
    if not request.allow or not request.recipe.service:
        return None
    return next(iter(request.recipe.tcp_ports), None)


def _program(results: Sequence[Result]) -> ProgramEnd:
    """How the program ended, from the console that the boot's result has."""
    console = results[0].raw
    last = endings(console)[-1]
    return ProgramEnd(last.status, last.seconds, output(console))


def _ttl(request: DeployRequest, selection: Selection) -> timedelta | None:
    """How long the instance lives: longer than the deployment can take, unless it is to stay.

    Raises InputError for one that the guest would not keep to.
    """
    if request.ttl and request.keep is Keep.INSTANCE and request.recipe.flavour == "osv":
        raise InputError(
            f"{request.recipe.name}: OSv does not end by itself after a time to live",
            hint="leave --ttl out, and end the instance with `nitro destroy`",
        )
    if request.ttl or request.keep is Keep.INSTANCE:
        return request.ttl
    return longest_measurement(selection) + MARGIN


def _create_placement(
    cloud: Cloud,
    undo: Undo,
    request: DeployRequest,
    instance_type: InstanceType,
    ttl: timedelta | None,
) -> Placement:
    ports = request.recipe.ports
    return create_placement(
        cloud,
        undo,
        deployment=new_deployment(),
        ports=ports,
        allow=request.allow,
        subnet_id=request.subnet,
        type_name=instance_type.name,
        ttl=ttl,
        extra_tags=ports_tag(ports),
        security_groups=request.security_groups,
        placement_group=request.placement_group,
    )


def describe_instance(
    cloud: Cloud, server: Instance, instance_type: InstanceType, report: Reporter
) -> InstanceReport:
    """What the server turned out to be, in the words of its console."""
    guest = read_guest(cloud, server.id, report)
    return InstanceReport(
        server.id,
        instance_type.name,
        nic=guest.nic,
        driver=guest.driver,
        fallback=guest.fallback,
        accelerator=accelerator(server),
        public_ip=server.public_ip,
        private_ip=server.private_ip,
    )


def _leftovers(
    cloud: Cloud, server: Instance, images: Sequence[Image], request: DeployRequest
) -> list[str]:
    """What is left behind, and what it costs a month."""
    lines = []
    if request.keep is not Keep.NOTHING:
        size = sum(built.size_bytes for built in images)
        lines.append(f"{_AMIS[len(images)]}, {cost.of_snapshot(size, cloud.region)}")
    if request.keep is Keep.INSTANCE:
        ends = f"itself after {request.ttl}" if request.ttl else "with `nitro destroy`"
        lines.append(f"instance {server.id}, which ends {ends}")
    return lines
