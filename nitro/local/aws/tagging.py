"""CreateTags, DeleteTags and DescribeTags: every kind of resource that there is has tags.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.tags import MOST, RESERVED
from nitro.local.aws.needs import Check, GetParam


@dataclass(frozen=True)
class Kind:
    """A kind of resource as EC2 names it, the code for one that is not there, and their ids."""

    name: str
    missing: str
    ids: Callable[[Any], Container[str]]


def _nested(groups: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {id_ for group in groups.values() for id_ in group}


def _rules(backend: Any) -> set[str]:
    groups = [group for held in backend.groups.values() for group in held.values()]
    return {rule.id for group in groups for rule in (*group.ingress_rules, *group.egress_rules)}


_TASK = "InvalidConversionTaskId.Malformed"

#: by what their ids begin with
KINDS: Mapping[str, Kind] = {
    "acl": Kind("network-acl", "InvalidNetworkAclID.NotFound", lambda b: b.network_acls),
    "ami": Kind("image", "InvalidAMIID.NotFound", lambda b: b.amis),
    "dopt": Kind("dhcp-options", "InvalidDhcpOptionID.NotFound", lambda b: b.dhcp_options_sets),
    "eipalloc": Kind(
        *("elastic-ip", "InvalidAllocationID.NotFound"),
        lambda b: {each.allocation_id for each in b.addresses},
    ),
    "eni": Kind("network-interface", "InvalidNetworkInterfaceID.NotFound", lambda b: b.enis),
    "i": Kind(
        *("instance", "InvalidInstanceID.NotFound"),
        lambda b: {each.id for each in b.all_instances()},
    ),
    "igw": Kind(
        *("internet-gateway", "InvalidInternetGatewayID.NotFound"),
        lambda b: b.internet_gateways,
    ),
    "import-ami": Kind("import-image-task", _TASK, lambda b: b.import_tasks),
    "import-snap": Kind("import-snapshot-task", _TASK, lambda b: b.import_tasks),
    "key": Kind(
        *("key-pair", "InvalidKeyPair.NotFound"),
        lambda b: {each.id for each in b.key_pairs.values()},
    ),
    "lt": Kind(
        *("launch-template", "InvalidLaunchTemplateId.NotFound"), lambda b: b.launch_templates
    ),
    "pg": Kind(
        *("placement-group", "InvalidPlacementGroup.Unknown"),
        lambda b: {each.id for each in b.placement_groups.values()},
    ),
    "rtb": Kind("route-table", "InvalidRouteTableID.NotFound", lambda b: b.route_tables),
    "sg": Kind("security-group", "InvalidGroup.NotFound", lambda b: _nested(b.groups)),
    "sgr": Kind("security-group-rule", "InvalidSecurityGroupRuleId.NotFound", _rules),
    "snap": Kind("snapshot", "InvalidSnapshot.NotFound", lambda b: b.snapshots),
    "subnet": Kind("subnet", "InvalidSubnetID.NotFound", lambda b: _nested(b.subnets)),
    "vol": Kind("volume", "InvalidVolume.NotFound", lambda b: b.volumes),
    "vpc": Kind("vpc", "InvalidVpcID.NotFound", lambda b: b.vpcs),
}
_ID = re.compile(r"(.+)-[0-9a-f]+")


def kind_of(id_: str) -> Kind | None:
    found = _ID.fullmatch(id_)
    return KINDS.get(found[1]) if found else None


class TagActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    error_on_dryrun: Check
    _get_param: GetParam

    def create_tags(self) -> EmptyResult:
        ids = self._resources()
        given = {each["Key"]: each.get("Value") or "" for each in self._get_param("Tags", [])}
        self.error_on_dryrun()
        held = self.ec2_backend.tags
        for id_ in ids:
            if sum(not key.startswith(RESERVED) for key in {*held.get(id_, {}), *given}) > MOST:
                raise EC2ClientError(
                    "TagLimitExceeded", f"More than {MOST} tags specified for {id_}."
                )
        for id_ in ids:
            held[id_].update(given)
        return EmptyResult()

    def delete_tags(self) -> EmptyResult:
        """Without tags, all but those of the system; with a value, only where it is that one."""
        ids, given = self._resources(), self._get_param("Tags", [])
        self.error_on_dryrun()
        for id_ in ids:
            held = self.ec2_backend.tags[id_]
            own = [key for key in held if not key.startswith(RESERVED)]
            for each in given or [{"Key": key} for key in own]:
                if held.get(each["Key"]) == each.get("Value", held.get(each["Key"])):
                    held.pop(each["Key"], None)
        return EmptyResult()

    def describe_tags(self) -> ActionResult:
        """Of what is there; what was deleted has none any more."""
        backend, told = self.ec2_backend, []
        present = {kind.name: kind.ids(backend) for kind in KINDS.values()}
        for id_, tags in list(backend.tags.items()):
            kind = kind_of(id_)
            if kind and id_ in present[kind.name]:
                of_it = {"ResourceId": id_, "ResourceType": kind.name}
                told += [{**of_it, "Key": key, "Value": value} for key, value in tags.items()]
        return ActionResult({"Tags": told})

    def _resources(self) -> Sequence[str]:
        """The ids of the request. Raises EC2ClientError where one is not there."""
        ids: Sequence[str] = self._get_param("Resources", [])
        if not ids:
            raise EC2ClientError(
                "MissingParameter", "The request must contain the parameter resourceIdSet"
            )
        for id_ in ids:
            kind = kind_of(id_)
            if kind is None:
                raise EC2ClientError("InvalidID", f"The ID '{id_}' is not valid")
            if id_ not in kind.ids(self.ec2_backend):
                raise EC2ClientError(kind.missing, f"The {kind.name} ID '{id_}' does not exist")
        return ids
