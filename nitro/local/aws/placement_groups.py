"""Placement groups, as data: all machines here are close to each other.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import random_resource_id

from nitro.local.aws.needs import GetParam, GetTags


@dataclass(eq=False)
class PlacementGroup(TaggedEC2Resource):  # type: ignore[misc]
    ec2_backend: Any
    id: str
    name: str
    strategy: str

    def describe(self) -> dict[str, Any]:
        backend = self.ec2_backend
        arn = (
            f"arn:{backend.partition}:ec2:{backend.region_name}:{backend.account_id}"
            f":placement-group/{self.name}"
        )
        return {
            "GroupName": self.name,
            "GroupId": self.id,
            "GroupArn": arn,
            "Strategy": self.strategy,
            "State": "available",
            "Tags": self.tag_set,
        }


class PlacementGroupsBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    def __init__(self) -> None:
        self.placement_groups: dict[str, PlacementGroup] = {}

    def placement_group(self, name: str) -> PlacementGroup:
        """Raises EC2ClientError when there is none of this name."""
        if name not in self.placement_groups:
            raise EC2ClientError(
                "InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown."
            )
        return self.placement_groups[name]

    def check_placement(self, name: str, type_name: str) -> None:
        """Raises EC2ClientError for a group that an instance of the type cannot be in."""
        strategy = self.placement_group(name).strategy
        facts = INSTANCE_TYPES.get(type_name, {}).get("PlacementGroupInfo", {})
        if strategy not in facts.get("SupportedStrategies", [strategy]):
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"{strategy.title()} placement groups are not supported by the '{type_name}' "
                "instance type.",
            )


class PlacementGroupActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _parse_tag_specification: GetTags

    def create_placement_group(self) -> ActionResult:
        backend, name = self.ec2_backend, self._get_param("GroupName")
        if not name:
            raise EC2ClientError("MissingParameter", "A placement group needs a GroupName.")
        if name in backend.placement_groups:
            raise EC2ClientError(
                "InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists."
            )
        tags = self._parse_tag_specification("placement-group").get("placement-group", {})
        group = PlacementGroup(
            backend, f"pg-{random_resource_id(17)}", name, self._get_param("Strategy", "cluster")
        )
        group.add_tags(tags)
        backend.placement_groups[name] = group
        return ActionResult({"PlacementGroup": group.describe()})

    def describe_placement_groups(self) -> ActionResult:
        backend = self.ec2_backend
        names, ids = self._get_param("GroupNames", []), self._get_param("GroupIds", [])
        groups = list(map(backend.placement_group, names)) or [*backend.placement_groups.values()]
        found = [group.describe() for group in groups if not ids or group.id in ids]
        return ActionResult({"PlacementGroups": found})

    def delete_placement_group(self) -> ActionResult:
        backend = self.ec2_backend
        group = backend.placement_group(self._get_param("GroupName"))
        for instance in backend.all_instances():
            if instance.placement.group_name == group.name and instance.state != "terminated":
                raise EC2ClientError(
                    "InvalidPlacementGroup.InUse", f"The Placement Group '{group.name}' is in use."
                )
        del backend.placement_groups[group.name]
        return EmptyResult()
