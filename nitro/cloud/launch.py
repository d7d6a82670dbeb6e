"""From an AMI to a running instance: where it goes, what it is told, and the wait for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from nitro.arch import X86_64
from nitro.cloud import ami, network, tags, wait
from nitro.cloud.errors import ApiRefused
from nitro.cloud.instance import Instance, NeverReady, console_so_far, get, terminate
from nitro.cloud.instance_types import InstanceType, requires
from nitro.cloud.limits import check_tags
from nitro.cloud.session import Cloud
from nitro.cloud.teardown import Lifetime, Undo
from nitro.cloud.user_data import compose, compose_script
from nitro.console import tail
from nitro.ending import endings
from nitro.errors import InputError, RefusedError
from nitro.ports import Port
from nitro.progress import Reporter, Stage

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import InstanceTypeType
    from mypy_boto3_ec2.type_defs import ImageTypeDef, RunInstancesRequestTypeDef

RUNNING_DEADLINE = 300.0  # seconds
NO_CAPACITY = "InsufficientInstanceCapacity"


@dataclass(frozen=True)
class Placement:
    """Where a deployment's instances go: one security group and its VPC's subnets.

    `others` are tried in turn where the zone of `subnet` has no capacity.
    """

    deployment: str
    subnet: network.Subnet
    group_id: str
    ttl: timedelta | None
    extra_tags: Mapping[str, str] = field(default_factory=dict)
    others: tuple[network.Subnet, ...] = ()
    security_groups: tuple[str, ...] = ()  # of the user's own, beside the deployment's
    placement_group: str | None = None
    spot: bool = False  # from the spot market, which may take them back

    def beside(self, server: Instance) -> Placement:
        """The same, but in the subnet of `server` only."""
        subnets = (self.subnet, *self.others)
        found = next((s for s in subnets if s.id == server.subnet_id), self.subnet)
        return replace(self, subnet=found, others=())


def create_placement(
    cloud: Cloud,
    undo: Undo,
    *,
    deployment: str,
    ports: Iterable[Port],
    allow: Sequence[str] = (),
    subnet_id: str | None = None,
    type_name: str | None = None,
    ttl: timedelta | None = None,
    extra_tags: Mapping[str, str] | None = None,
    security_groups: Sequence[str] = (),
    placement_group: str | None = None,
    spot: bool = False,
) -> Placement:
    """Choose the subnet and make the deployment's security group.

    `allow` are the CIDR ranges that may reach `ports` from outside; with none, only the
    deployment's own instances reach each other. `type_name` is the instance type that the
    subnet's zone has to offer. `security_groups` (ids) and `placement_group` (a name) are the
    user's own and are there already. `spot`: instances come from the spot market.
    """
    extra = dict(extra_tags or {})
    subnet, *others = network.find_subnets(cloud, subnet_id, type_name)
    expires = tags.expiry(ttl) if ttl else None
    tag_map = tags.deployment_tags(f"nitro-{deployment}", deployment, "network", expires, extra)
    check_tags(tag_map)
    group_id = network.create_group(
        cloud,
        subnet,
        deployment=deployment,
        ports=ports,
        allow=allow,
        tag_map=tag_map,
        undo=undo,
    )
    return Placement(
        deployment,
        subnet,
        group_id,
        ttl,
        extra,
        tuple(others),
        tuple(security_groups),
        placement_group,
        spot,
    )


def placement_of(cloud: Cloud, server: Instance) -> Placement:
    """The placement of an instance that is there, for another one beside it.

    Raises InputError for an instance that is not of one of our deployments.
    """
    deployment = server.tags.get(tags.DEPLOYMENT, "")
    groups = network.find_groups(cloud, deployment) if deployment else []
    if not groups:
        raise InputError(f"nitro did not launch {server.id}", hint="see `nitro ls`")
    return Placement(deployment, network.find_subnet(cloud, server.subnet_id), groups[0], None)


def launch(
    cloud: Cloud,
    ami_id: str,
    instance_type: InstanceType,
    placement: Placement,
    undo: Undo,
    *,
    name: str,
    role: str = "server",
    environment: Mapping[str, str] | None = None,
    payload: str = "",
    instance_profile: str | None = None,
    processors: int | None = None,
    script: str | None = None,
    report: Reporter | None = None,
) -> Instance:
    """Start one instance and wait until it runs (not: until it has booted).

    `role` tells the instances of a deployment apart. `instance_profile` is the name of one that is
    there already: without it, the instance has no credentials. `processors` is how many vCPUs the
    instance has, one of `instance_type.processors`; None: all. `script` is for an image that nitro
    did not make: its cloud-init runs it, in place of environment and payload. Raises RefusedError
    for a type that the image cannot run on, NitroError when the instance ends instead of running.
    """
    report = report or Reporter()
    check_image(ami.describe(cloud, ami_id), instance_type)
    expires = tags.expiry(placement.ttl) if placement.ttl else None
    tag_map = tags.deployment_tags(name, placement.deployment, role, expires, placement.extra_tags)
    request: RunInstancesRequestTypeDef = {
        "ImageId": ami_id,
        "InstanceType": cast("InstanceTypeType", instance_type.name),
        "MinCount": 1,
        "MaxCount": 1,
        "SecurityGroupIds": [placement.group_id, *placement.security_groups],
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpEndpoint": "enabled",  # whatever the account's default is
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
        },
        "UserData": compose(environment or {}, payload, expires)
        if script is None
        else compose_script(script, placement.ttl),
        "TagSpecifications": tags.as_specification(
            ["instance", "volume", "network-interface"], tag_map
        ),
    }
    if placement.placement_group:
        request["Placement"] = {"GroupName": placement.placement_group}
    if placement.spot:
        request["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": "one-time",
                "InstanceInterruptionBehavior": "terminate",
            },
        }
    if processors and processors != instance_type.vcpus:
        cores, threads = instance_type.processors[processors]
        request["CpuOptions"] = {"CoreCount": cores, "ThreadsPerCore": threads}
    if instance_profile:
        request["IamInstanceProfile"] = {"Name": instance_profile}
    kind = role.partition("-")[0]  # a client's role has a token of its own
    with report.stage(f"launch {kind}") as stage:
        with undo.making(
            f"{role} instance {name}",
            Lifetime.INSTANCE,
            find=lambda: _started(cloud, placement.deployment, role),
            remove=lambda id_: terminate(cloud, [id_]),
        ) as entry:
            entry.id = _start(cloud, request, placement, role)
        return _wait_running(cloud, entry.id, stage)


def _start(
    cloud: Cloud, request: RunInstancesRequestTypeDef, placement: Placement, role: str
) -> str:
    """Start the instance in the first zone that has capacity; returns its id."""
    ami_id, instance_type = request["ImageId"], request["InstanceType"]
    subnets = (placement.subnet, *placement.others)
    for subnet in subnets:
        token = client_token(placement.deployment, role, ami_id, subnet.id)
        located: RunInstancesRequestTypeDef = {
            **request,
            "SubnetId": subnet.id,
            "ClientToken": token,
        }
        try:
            answer = cloud.ec2.run_instances(**located)
        except ApiRefused as error:
            if error.code != NO_CAPACITY or error.may_have_happened:
                raise
            continue
        return answer["Instances"][0]["InstanceId"]
    zones = ", ".join(subnet.zone for subnet in subnets)
    raise ApiRefused(
        f"AWS has no capacity for {instance_type} in {zones} at the moment",
        hint="choose another instance type or region, or try again later",
        code=NO_CAPACITY,
    )


def client_token(deployment: str, role: str, ami_id: str, subnet_id: str) -> str:
    """The token of a start: the same call twice makes one instance. At most 64 characters."""
    start = f"{deployment} {role} {ami_id} {subnet_id}"
    return f"nitro-{hashlib.sha256(start.encode()).hexdigest()[:48]}"


def check_image(image: ImageTypeDef, instance_type: InstanceType) -> None:
    """Raises RefusedError for an image that cannot run on the type, by what EC2 says of both.

    An image without a boot mode boots by the type's default:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-boot.html
    """
    memory = tags.from_list(image.get("Tags")).get(tags.MEMORY, "0")
    default = "legacy-bios" if image["Architecture"] == X86_64.ec2 else "uefi"
    requires(
        instance_type,
        image["Architecture"],
        image.get("BootMode") or default,
        int(memory) if memory.isdigit() else 0,
    )
    if image.get("RootDeviceType", "ebs") != "ebs":
        raise RefusedError(
            f"{image['ImageId']} boots from an instance store, which no Nitro type does",
            hint="choose an AMI whose root device is an EBS volume",
        )
    if instance_type.ena == "required" and not image.get("EnaSupport"):
        raise RefusedError(
            f"{image['ImageId']} is not registered for ENA, which {instance_type.name} requires",
            hint="register its snapshot anew with EnaSupport, if its kernel has the driver",
        )


def _started(cloud: Cloud, deployment: str, role: str) -> list[str]:
    wanted = tags.by(deployment=deployment, role=role)
    pages = cloud.ec2.get_paginator("describe_instances").paginate(Filters=wanted)
    return [
        raw["InstanceId"]
        for page in pages
        for reservation in page["Reservations"]
        for raw in reservation["Instances"]
        if raw["State"]["Name"] != "terminated"
    ]


def _wait_running(cloud: Cloud, instance_id: str, stage: Stage) -> Instance:
    def look() -> Instance | None:
        instance = get(cloud, instance_id)
        if instance.state not in {"pending", "running"}:
            console = console_so_far(cloud, instance_id)
            if endings(console):
                return instance  # it ran, and its program has ended already
            raise NeverReady(
                f"{instance_id} is {instance.state} instead of running{instance.because}",
                tail(console),
            )
        return instance if instance.state == "running" else None

    return wait.until(
        cloud,
        look,
        what=f"{instance_id} to run",
        deadline=RUNNING_DEADLINE,
        stage=stage,
        new=True,
        longest_pause=3.0,
    )
