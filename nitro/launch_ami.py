"""From an AMI that is there already to an instance that keeps running."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from nitro.cloud import (
    Cloud,
    Keep,
    Published,
    Undo,
    ami,
    create_placement,
    find_instance_type,
    instance_types,
    launch,
    new_deployment,
    preflight,
    tags,
)
from nitro.cloud.launch import check_image
from nitro.cloud.network import check_ranges
from nitro.deploy import InstanceReport, describe_instance
from nitro.documents import LaunchDocument
from nitro.interfaces import Prober
from nitro.measure import Measurement, run_probes
from nitro.ports import Port, tcp_numbers
from nitro.probe import Boot, Result, Selection
from nitro.progress import Reporter, Span


@dataclass(frozen=True)
class LaunchRequest:
    """What is to be launched, and how; what is not explained here is as in `DeployRequest`.

    `ami`: as `nitro.cloud.ami.resolve` takes it. `ports` None: those that the AMI's tag names.
    `environment` is added to that of the program, if nitro built the image.
    """

    ami: str
    instance_type: str
    ports: Sequence[Port] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ttl: timedelta | None = None
    allow: Sequence[str] = ()
    subnet: str | None = None
    security_groups: Sequence[str] = ()
    placement_group: str | None = None
    instance_profile: str | None = None
    processors: int | None = None


@dataclass
class Launched:
    """The outcome of a request. `probes` is empty for an image that nitro did not build."""

    id: str
    name: str
    published: Published
    instance: InstanceReport
    ports: Sequence[Port]
    probes: list[Result] = field(default_factory=list)
    timeline: list[Span] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def to_json(self) -> LaunchDocument:
        return {
            "deployment": self.id,
            "image": None,
            "snapshot": self.published.snapshot_json(),
            "ami": self.published.ami_json(),
            "instance": self.instance.to_json(),
            "timeline": [{"stage": s.stage, "seconds": s.seconds} for s in self.timeline],
            "probes": [result.to_json() for result in self.probes],
            "program": None,
            "leftovers": self.leftovers,
            "not_removed": [],
        }


def launch_ami(
    cloud: Cloud, request: LaunchRequest, *, prober: Prober, report: Reporter
) -> Launched:
    """Start an instance and, if nitro built its image, wait until it is ready.

    Raises InputError for an AMI that is not there, RefusedError for one that cannot run on the
    type, ProbeError when it does not become ready; whatever was made is then removed.
    """
    check_ranges(request.allow)
    with report.stage("check"):
        image = ami.resolve(cloud, request.ami)
        instance_type = find_instance_type(cloud, request.instance_type)
        check_image(image, instance_type)
        preflight.check(
            cloud,
            instance_type,
            instances=1,
            subnet_id=request.subnet,
            security_groups=request.security_groups,
            placement_group=request.placement_group,
        )
        tag_map = tags.from_list(image.get("Tags"))
        ports = tags.ports_from(tag_map) if request.ports is None else request.ports
        processors = instance_types.processors(
            instance_type, request.processors, tags.processors_from(tag_map), report
        )
    if image["State"] != "available":
        with report.stage("wait for the AMI") as stage:
            ami.wait_available(cloud, image["ImageId"], stage, new=False)
    if not (built := _is_built(tag_map)):
        report.note(_cannot_be_watched(image["ImageId"], request))
    name = tag_map.get("Name") or image.get("Name") or image["ImageId"]
    with Undo(keep=Keep.INSTANCE, report=report, sleep=cloud.sleep) as undo:
        placement = create_placement(
            cloud,
            undo,
            deployment=new_deployment(),
            ports=ports,
            allow=request.allow,
            subnet_id=request.subnet,
            type_name=instance_type.name,
            ttl=request.ttl,
            extra_tags=tags.ports_tag(ports),
            security_groups=request.security_groups,
            placement_group=request.placement_group,
        )
        began = time.monotonic()
        server = launch(
            cloud,
            image["ImageId"],
            instance_type,
            placement,
            undo,
            name=name if name.startswith("nitro-") else f"nitro-{name}",
            environment=request.environment,
            instance_profile=request.instance_profile,
            processors=processors,
            report=report,
        )
        measurement = Measurement(
            server,
            instance_type,
            placement,
            Selection(Boot()),
            "instance",
            client_ami=None,
            first_tcp_port=next(iter(tcp_numbers(ports)), None) if request.allow else None,
            launched=began,
        )
        results = run_probes(cloud, measurement, prober, undo, report) if built else []
        instance = describe_instance(cloud, server, instance_type, report)
    ends = f"itself after {request.ttl}" if request.ttl and built else "with `nitro destroy`"
    return Launched(
        placement.deployment,
        name,
        Published(
            ami.snapshot_of(image),
            image["ImageId"],
            image.get("Name", ""),
            cloud.region,
            bytes_uploaded=0,
            reused=True,
            via="unknown",
        ),
        instance,
        ports,
        results,
        report.timeline,
        [f"instance {server.id}, which ends {ends}"],
    )


def _is_built(tag_map: tags.Tags) -> bool:
    """Whether nitro built the image, so that its guest tells on the console how far it has come.

    The tags of an image that another account shares are not visible: then nothing is known.
    """
    return tags.ours(tag_map) and (
        tags.BUILDER in tag_map or tag_map.get(tags.MEMORY, "0").strip("0") != ""
    )


def _cannot_be_watched(ami_id: str, request: LaunchRequest) -> str:
    ignored = [
        option
        for option, given in (("--ttl", request.ttl), ("--env", request.environment))
        if given
    ]
    note = f"{ami_id} does not say that nitro built it: whether it boots is not waited for"
    return f"{note}, and its guest may not heed {' and '.join(ignored)}" if ignored else note
