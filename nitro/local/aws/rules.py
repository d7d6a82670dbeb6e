"""Rules of security groups: what they can be, and those that change in place.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value, missing_parameter
from nitro.local.aws.needs import GetParam

#: parameter → what the rule has the range under, and its kind
_RANGES = {
    "CidrIpv4": ("CidrIp", ipaddress.IPv4Network),
    "CidrIpv6": ("CidrIpv6", ipaddress.IPv6Network),
}
_NAMES = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1"}
_WITH_PORTS = ("tcp", "udp")
_ICMP = ("icmp", "icmpv6")
_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{0,255}")
_SOURCES = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")


class RuleActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    params: dict[str, Any]
    _get_param: GetParam

    def delete_security_group(self) -> Any:
        """A name is that of a group in the default VPC; an id says more than a name."""
        name = self._get_param("GroupName")
        if self._get_param("GroupId"):
            self.params.pop("GroupName", None)
        elif name:
            default = self.ec2_backend.get_default_vpc()
            groups = self.ec2_backend.groups[default.id].values() if default else ()
            if not any(group.name == name for group in groups):
                raise EC2ClientError(
                    "InvalidGroup.NotFound",
                    f"The security group '{name}' does not exist in the default VPC",
                )
        return super().delete_security_group()  # type: ignore[misc]

    def authorize_security_group_ingress(self) -> Any:
        self._check_permissions()
        return super().authorize_security_group_ingress()  # type: ignore[misc]

    def authorize_security_group_egress(self) -> Any:
        self._check_permissions()
        return super().authorize_security_group_egress()  # type: ignore[misc]

    def revoke_security_group_ingress(self) -> Any:
        self._check_permissions()
        return super().revoke_security_group_ingress()  # type: ignore[misc]

    def revoke_security_group_egress(self) -> Any:
        self._check_permissions()
        return super().revoke_security_group_egress()  # type: ignore[misc]

    def update_security_group_rule_descriptions_ingress(self) -> Any:
        self._check_permissions()
        return super().update_security_group_rule_descriptions_ingress()  # type: ignore[misc]

    def update_security_group_rule_descriptions_egress(self) -> Any:
        self._check_permissions()
        return super().update_security_group_rule_descriptions_egress()  # type: ignore[misc]

    def _check_permissions(self) -> None:
        """Protocols become what EC2 calls them. Raises EC2ClientError for rules that cannot be."""
        self._check_descriptions()
        for each in [self.params, *self._get_param("IpPermissions", [])]:
            if each is not self.params or "IpProtocol" in each:
                names = ("IpProtocol", "FromPort", "ToPort")
                each.update(zip(names, ports(*map(each.get, names)), strict=True))

    def _check_descriptions(self) -> None:
        for permission in self._get_param("IpPermissions", []):
            for source in (each for name in _SOURCES for each in permission.get(name, [])):
                check_description(source.get("Description"))

    def modify_security_group_rules(self) -> ActionResult:
        """All of them, or none where one cannot be changed."""
        group_id = self._get_param("GroupId")
        group = self.ec2_backend.get_security_group_from_id(group_id)
        if group is None:
            raise EC2ClientError(
                "InvalidGroup.NotFound", f"The security group '{group_id}' does not exist"
            )
        changes = []
        for each in self._get_param("SecurityGroupRules", []):
            rule_id, target = each.get("SecurityGroupRuleId"), each.get("SecurityGroupRule")
            if not target:
                raise missing_parameter("SecurityGroupRule")
            rule = group.get_rule(rule_id)
            if rule is None:
                raise EC2ClientError(
                    "InvalidSecurityGroupRuleId.NotFound",
                    f"The security group rule ID '{rule_id}' does not exist",
                )
            changes.append((rule, *_checked(rule, target)))
        _check_unique(group, changes)
        for rule, ports, ranges in changes:
            rule.ip_protocol, rule.from_port, rule.to_port = ports
            rule.ip_range = {**rule.ip_range, **ranges}
        return ActionResult({"Return": True})


def _checked(
    rule: Any, target: Mapping[str, Any]
) -> tuple[tuple[str, int | None, int | None], dict[str, str]]:
    """Protocol and ports, and the range with its description. Raises EC2ClientError."""
    named = [name for name in _RANGES if target.get(name)]
    if len(named) != 1:
        raise missing_parameter("either cidrIpv4 or cidrIpv6")
    key, kind = _RANGES[named[0]]
    if key not in rule.ip_range:
        raise invalid_value(
            f"Invalid rule type for security group rule '{rule.id}'. You may not specify "
            f"{named[0]} for an existing rule of another type."
        )
    try:
        kind(target[named[0]])
    except ValueError:
        raise invalid_value(f"CIDR block {target[named[0]]} is malformed") from None
    found = ports(target.get("IpProtocol"), target.get("FromPort"), target.get("ToPort"))
    check_description(target.get("Description"))
    ranges = {key: str(target[named[0]])}
    if "Description" in target:
        ranges["Description"] = str(target["Description"])
    return found, ranges


def ports(
    protocol: str | None, first: int | None, last: int | None
) -> tuple[str, int | None, int | None]:
    """Protocol and ports, or types of ICMP, of a rule, as EC2 keeps them: -1 is all of them.

    Raises EC2ClientError for what no rule has.
    """
    name = str(protocol or "").lower()
    name = _NAMES.get(name, name)
    known = name in ("-1", *_WITH_PORTS, *_ICMP)
    if not known and not (name.isascii() and name.isdecimal() and int(name) <= 255):
        raise invalid_value(f"Invalid value '{protocol}' for IP protocol. Unknown protocol.")
    if name == "-1":
        return name, None, None
    if name in _WITH_PORTS:
        if first is None or last is None:
            raise invalid_value(
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."
            )
        if not 0 <= first <= last <= 65535:
            raise invalid_value(f"Invalid TCP/UDP port range ({first}:{last})")
        return name, first, last
    if name == "icmp" and (first is None or last is None):
        raise invalid_value(
            "Invalid value 'Must specify both from and to ports with ICMP.' for portRange."
        )
    if name not in _ICMP or first is None or last is None:
        return name, -1, -1
    if not (-1 <= first <= 255 and -1 <= last <= 255):
        raise invalid_value(f"Invalid ICMP type and code ({first}:{last})")
    return name, first, last


def check_description(text: str | None) -> None:
    """Raises EC2ClientError for what is no description of a rule."""
    if text is not None and not _DESCRIPTION.fullmatch(text):
        raise invalid_value(
            "Invalid rule description. Valid descriptions are strings less than 256 characters "
            "from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        )


def _check_unique(
    group: Any,
    changes: Sequence[tuple[Any, tuple[str, int | None, int | None], dict[str, str]]],
) -> None:
    """Raises EC2ClientError where two rules of a direction would be the same."""
    changed = {rule.id: (ports_, {**rule.ip_range, **ranges}) for rule, ports_, ranges in changes}
    for rules in (group.ingress_rules, group.egress_rules):
        seen = set()
        for rule in rules:
            kept = (rule.ip_protocol, rule.from_port, rule.to_port), rule.ip_range
            (protocol, *range_), ranges = changed.get(rule.id, kept)
            sources = ranges.get("CidrIp"), ranges.get("CidrIpv6"), rule.prefix_list_id
            same = (protocol, *range_, *sources, str(sorted(rule.source_group.items())))
            if same in seen:
                raise EC2ClientError(
                    "InvalidPermission.Duplicate", "the specified rule already exists"
                )
            seen.add(same)
