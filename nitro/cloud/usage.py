"""Who still names an AMI: every place in a region that can is asked, to the last page.

An AMI that something names is not removed: an auto-scaling group whose template names it could
start no instance any more. Not asked: other accounts' templates and instances, which only
sharing makes possible, CloudFormation, and what has an id in text of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from nitro.cloud.session import Cloud

_GET = 10  # names that GetParameters takes at a time


def users_of(
    cloud: Cloud, image_ids: Collection[str], *, shares: bool = True
) -> dict[str, list[str]]:
    """What names each of the images, in words; images that nothing names are not in it.

    With `shares`, those with which it is shared count.
    Raises ApiError when a place may not be asked: then nobody knows.
    """
    if not image_ids:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    places = [_instances, _templates, _configurations, _groups, _parameters]
    for look in [*places, _shares] if shares else places:
        for image_id, user in look(cloud, image_ids):
            if image_id in image_ids and user not in found[image_id]:
                found[image_id].append(user)
    return {image_id: users for image_id, users in found.items() if users}


def _instances(cloud: Cloud, image_ids: Collection[str]) -> Iterator[tuple[str, str]]:
    """Also stopped ones; of one that is terminated, nothing starts again."""
    pages = cloud.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "image-id", "Values": sorted(image_ids)}]
    )
    for page in pages:
        for raw in (raw for held in page["Reservations"] for raw in held["Instances"]):
            if raw["State"]["Name"] != "terminated":
                yield raw["ImageId"], f"instance {raw['InstanceId']}"


def _templates(cloud: Cloud, _: Collection[str]) -> Iterator[tuple[str, str]]:
    """All versions of all launch templates: auto-scaling groups and fleets may name any of them."""
    listed = cloud.ec2.get_paginator("describe_launch_templates").paginate()
    ids = [raw["LaunchTemplateId"] for page in listed for raw in page["LaunchTemplates"]]
    for template_id in ids:
        pages = cloud.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template_id
        )
        for version in (raw for page in pages for raw in page["LaunchTemplateVersions"]):
            if image_id := version["LaunchTemplateData"].get("ImageId"):
                yield image_id, f"launch template {template_id}, version {version['VersionNumber']}"


def _configurations(cloud: Cloud, _: Collection[str]) -> Iterator[tuple[str, str]]:
    """The other thing that an auto-scaling group may start instances from."""
    pages = cloud.autoscaling.get_paginator("describe_launch_configurations").paginate()
    for raw in (raw for page in pages for raw in page["LaunchConfigurations"]):
        yield raw["ImageId"], f"launch configuration {raw['LaunchConfigurationName']}"


def _groups(cloud: Cloud, _: Collection[str]) -> Iterator[tuple[str, str]]:
    """An auto-scaling group may override its template's image for single instance types."""
    pages = cloud.autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
    for group in (raw for page in pages for raw in page["AutoScalingGroups"]):
        template = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
        for override in template.get("Overrides", []):
            if image_id := override.get("ImageId"):
                yield image_id, f"auto-scaling group {group['AutoScalingGroupName']}"


def _parameters(cloud: Cloud, _: Collection[str]) -> Iterator[tuple[str, str]]:
    """Parameters of any type but secrets: one need not have AMIs' data type to name an AMI."""
    pages = cloud.ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=[{"Key": "Type", "Option": "Equals", "Values": ["String", "StringList"]}]
    )
    names = [raw["Name"] for page in pages for raw in page["Parameters"]]
    for start in range(0, len(names), _GET):
        for raw in cloud.ssm.get_parameters(Names=names[start : start + _GET])["Parameters"]:
            for value in raw["Value"].split(","):
                yield value.strip(), f"parameter {raw['Name']}"


def _shares(cloud: Cloud, image_ids: Collection[str]) -> Iterator[tuple[str, str]]:
    """Nobody here can see what another account does with an image."""
    for image_id in sorted(image_ids):
        answer = cloud.ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
        if answer.get("LaunchPermissions"):
            yield image_id, "another account, with which it is shared"
