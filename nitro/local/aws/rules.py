"""Rules of security groups that change in place.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
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
_WITH_PORTS = ("tcp", "udp", "6", "17")


class RuleActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

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
    protocol = str(target.get("IpProtocol") or "")
    if not protocol:
        raise invalid_value("Invalid value 'null' for protocol.")
    first, last = target.get("FromPort"), target.get("ToPort")
    if protocol in _WITH_PORTS and (
        first is None or last is None or not 0 <= first <= last <= 65535
    ):
        raise invalid_value("Invalid value for portRange. Must specify both ports with TCP/UDP.")
    ranges = {key: str(target[named[0]])}
    if "Description" in target:
        ranges["Description"] = str(target["Description"])
    return (protocol, first, last), ranges
