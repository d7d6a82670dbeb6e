"""Who still names an AMI or a snapshot: every place in a region is asked, to the last page.

What something names is not removed: an auto-scaling group whose template names a deregistered AMI
could start no instance any more, nor one whose template has volumes of a deleted snapshot. Not
asked: other accounts' templates and instances, which only sharing makes possible, CloudFormation,
and what has an id in text of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from nitro.cloud.ami import PARAMETER
from nitro.cloud.errors import ignoring
from nitro.cloud.session import Cloud

_GET = 10  # names that GetParameters takes at a time
_IMAGE, _SNAPSHOT = "ami-", "snap-"
_FILTER = 200  # values that a filter of DescribeInstances takes

#: an id, or a reference to a parameter, and what names it, in words
_Named = Iterator[tuple[str, str]]


def users_of(
    cloud: Cloud, ids: Collection[str], *, shared: Collection[str] | None = None
) -> dict[str, list[str]]:
    """What names each of the images and snapshots, in words; what nothing names is not in it.

    An image is no user of its snapshots. Of those in `shared` (None: of all), others with whom
    one is shared count. Raises ApiError when a place may not be asked: then nobody knows.
    """
    if not ids:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    references: dict[str, list[str]] = defaultdict(list)
    for look in _PLACES:
        for id_, user in look(cloud, ids):
            found[id_].append(user)
            if id_.startswith(PARAMETER):
                references[id_.removeprefix(PARAMETER)].append(user)
    for id_, user in _referred(cloud, references):
        found[id_].append(user)
    for id_, user in _shares(cloud, ids if shared is None else shared):
        found[id_].append(user)
    return {id_: list(dict.fromkeys(found[id_])) for id_ in ids if id_ in found}


def _instances(cloud: Cloud, ids: Collection[str]) -> _Named:
    """Also stopped ones; of one that is terminated, nothing starts again."""
    images = _of_kind(ids, _IMAGE)
    for start in range(0, len(images), _FILTER):
        yield from _instances_of(cloud, images[start : start + _FILTER])


def _instances_of(cloud: Cloud, images: Sequence[str]) -> _Named:
    pages = cloud.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "image-id", "Values": list(images)}]
    )
    for page in pages:
        for raw in (raw for held in page["Reservations"] for raw in held["Instances"]):
            if raw["State"]["Name"] != "terminated":
                yield raw["ImageId"], f"instance {raw['InstanceId']}"


def _templates(cloud: Cloud, _: Collection[str]) -> _Named:
    """All versions of all launch templates: auto-scaling groups and fleets may name any of them."""
    listed = cloud.ec2.get_paginator("describe_launch_templates").paginate()
    ids = [raw["LaunchTemplateId"] for page in listed for raw in page["LaunchTemplates"]]
    for template_id in ids:
        pages = cloud.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template_id
        )
        for version in (raw for page in pages for raw in page["LaunchTemplateVersions"]):
            user = f"launch template {template_id}, version {version['VersionNumber']}"
            for id_ in _started_from(version["LaunchTemplateData"]):
                yield id_, user


def _configurations(cloud: Cloud, _: Collection[str]) -> _Named:
    """The other thing that an auto-scaling group may start instances from."""
    pages = cloud.autoscaling.get_paginator("describe_launch_configurations").paginate()
    for raw in (raw for page in pages for raw in page["LaunchConfigurations"]):
        for id_ in _started_from(raw):
            yield id_, f"launch configuration {raw['LaunchConfigurationName']}"


def _groups(cloud: Cloud, _: Collection[str]) -> _Named:
    """An auto-scaling group may override its template's image for single instance types."""
    pages = cloud.autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
    for group in (raw for page in pages for raw in page["AutoScalingGroups"]):
        template = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
        for override in template.get("Overrides", []):
            if image_id := override.get("ImageId"):
                yield image_id, f"auto-scaling group {group['AutoScalingGroupName']}"


def _spot_requests(cloud: Cloud, _: Collection[str]) -> _Named:
    pages = cloud.ec2.get_paginator("describe_spot_instance_requests").paginate()
    for raw in (raw for page in pages for raw in page["SpotInstanceRequests"]):
        if raw["State"] in ("open", "active"):
            for id_ in _started_from(raw.get("LaunchSpecification", {})):
                yield id_, f"spot request {raw['SpotInstanceRequestId']}"


def _spot_fleets(cloud: Cloud, _: Collection[str]) -> _Named:
    pages = cloud.ec2.get_paginator("describe_spot_fleet_requests").paginate()
    for raw in (raw for page in pages for raw in page["SpotFleetRequestConfigs"]):
        if not raw["SpotFleetRequestState"].startswith("cancelled"):
            for launch in raw["SpotFleetRequestConfig"].get("LaunchSpecifications", []):
                for id_ in _started_from(launch):
                    yield id_, f"spot fleet {raw['SpotFleetRequestId']}"


def _fleets(cloud: Cloud, _: Collection[str]) -> _Named:
    """A fleet may override its template's image, as an auto-scaling group may."""
    pages = cloud.ec2.get_paginator("describe_fleets").paginate()
    for raw in (raw for page in pages for raw in page["Fleets"]):
        if not raw["FleetState"].startswith("deleted"):
            for template in raw.get("LaunchTemplateConfigs", []):
                for override in template.get("Overrides", []):
                    if image_id := override.get("ImageId"):
                        yield image_id, f"fleet {raw['FleetId']}"


def _parameters(cloud: Cloud, _: Collection[str]) -> _Named:
    """Parameters of any type but secrets: one need not have AMIs' data type to name an AMI."""
    pages = cloud.ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=[{"Key": "Type", "Option": "Equals", "Values": ["String", "StringList"]}]
    )
    names = [raw["Name"] for page in pages for raw in page["Parameters"]]
    for raw in _values(cloud, names):
        for value in raw["Value"].split(","):
            yield value.strip(), f"parameter {raw['Name']}"


def _referred(cloud: Cloud, references: Mapping[str, Sequence[str]]) -> _Named:
    """What parameters that templates refer to hold, also in an earlier version or under a label."""
    selected = [name for name in references if ":" in name]  # all others are listed anyway
    for raw in _values(cloud, selected):
        selector = raw.get("Selector") or f":{raw['Version']}"
        name = f"{raw['Name']}{selector}"
        for user in references.get(name, [f"parameter {name}"]):
            yield raw["Value"].strip(), user


def _values(cloud: Cloud, names: Sequence[str]) -> Iterator[Any]:
    for start in range(0, len(names), _GET):
        yield from cloud.ssm.get_parameters(Names=names[start : start + _GET])["Parameters"]


def _started_from(data: Mapping[str, Any]) -> Iterator[str]:
    """The image, and the snapshots of volumes, that a template or a configuration names."""
    if image_id := data.get("ImageId"):
        yield image_id
    for mapping in data.get("BlockDeviceMappings", []):
        if snapshot_id := mapping.get("Ebs", {}).get("SnapshotId"):
            yield snapshot_id


def _shares(cloud: Cloud, ids: Collection[str]) -> _Named:
    """Nobody here can see what another account does with an image or a snapshot."""
    shared = "another account, with which it is shared"
    for id_ in _of_kind(ids, _IMAGE):
        with ignoring("absent"):
            image = cloud.ec2.describe_image_attribute(ImageId=id_, Attribute="launchPermission")
            if image.get("LaunchPermissions"):
                yield id_, shared
    for id_ in _of_kind(ids, _SNAPSHOT):
        with ignoring("absent"):
            snapshot = cloud.ec2.describe_snapshot_attribute(
                SnapshotId=id_, Attribute="createVolumePermission"
            )
            if snapshot.get("CreateVolumePermissions"):
                yield id_, shared


def _of_kind(ids: Collection[str], prefix: str) -> list[str]:
    return sorted(id_ for id_ in ids if id_.startswith(prefix))


#: everywhere in a region that may name an image or a snapshot, but for what shares it
_PLACES = (
    *(_instances, _templates, _configurations, _groups),
    *(_spot_requests, _spot_fleets, _fleets, _parameters),
)
