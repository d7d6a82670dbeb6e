"""Filters of Describe operations, applied to the XML records of an answer.

EC2 names a filter after the element that it looks at: `network-interface.subnet-id` is
`networkInterfaceSet/item/subnetId`. That rule resolves most names from the service model; what it
cannot is in `_ALIASES`. A name that neither resolves is refused, as EC2 refuses it.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from botocore.model import ListShape, Shape, StructureShape

from nitro.local.aws.api.errors import invalid_value

MAX_VALUES = 200  # values of all filters of a request; EC2's limit

_Path = tuple[str, ...]

#: filter → the element it looks at, where the name does not say so; `..` is the list around
_ALIASES: Mapping[str, Mapping[str, str]] = {
    "DescribeInstances": {
        "owner-id": "../ownerId",
        "requester-id": "../requesterId",
        "reservation-id": "../reservationId",
        "instance.group-id": "groupSet/groupId",
        "instance.group-name": "groupSet/groupName",
        "launch-index": "amiLaunchIndex",
    },
    "DescribeInstanceStatus": {
        "instance-status.reachability": "instanceStatus/details/status",
        "system-status.reachability": "systemStatus/details/status",
    },
    "DescribeImages": {
        "owner-id": "imageOwnerId",
        "owner-alias": "imageOwnerAlias",
        "state": "imageState",
        "manifest-location": "imageLocation",
    },
    "DescribeSecurityGroups": {
        "description": "groupDescription",
        "ip-permission.cidr": "ipPermissions/ipRanges/cidrIp",
        "ip-permission.ipv6-cidr": "ipPermissions/ipv6Ranges/cidrIpv6",
        "ip-permission.protocol": "ipPermissions/ipProtocol",
        "egress.ip-permission.cidr": "ipPermissionsEgress/ipRanges/cidrIp",
        "egress.ip-permission.ipv6-cidr": "ipPermissionsEgress/ipv6Ranges/cidrIpv6",
        "egress.ip-permission.protocol": "ipPermissionsEgress/ipProtocol",
        "egress.ip-permission.from-port": "ipPermissionsEgress/fromPort",
        "egress.ip-permission.to-port": "ipPermissionsEgress/toPort",
        "egress.ip-permission.group-id": "ipPermissionsEgress/groups/groupId",
        "egress.ip-permission.group-name": "ipPermissionsEgress/groups/groupName",
        "egress.ip-permission.user-id": "ipPermissionsEgress/groups/userId",
        "egress.ip-permission.prefix-list-id": "ipPermissionsEgress/prefixListIds/prefixListId",
    },
    "DescribeRegions": {"endpoint": "regionEndpoint"},
    "DescribeAvailabilityZones": {"state": "zoneState"},
    "DescribeNetworkInterfaces": {
        "addresses.association.owner-id": "privateIpAddressesSet/association/ipOwnerId",
    },
    "DescribeVpcs": {"cidr": "cidrBlock", "isDefault": "isDefault"},
    "DescribeSubnets": {
        "cidr": "cidrBlock",
        "availabilityZone": "availabilityZone",
        "availabilityZoneId": "availabilityZoneId",
        "cidrBlock": "cidrBlock",
        "defaultForAz": "defaultForAz",
    },
    "DescribeLaunchTemplateVersions": {
        "is-default-version": "defaultVersion",
        "iam-instance-profile": "launchTemplateData/iamInstanceProfile/arn",
    },
    "DescribeImportImageTasks": {"task-state": "status"},
    "DescribeKeyPairs": {"fingerprint": "keyFingerprint"},
}


@dataclass(frozen=True)
class Filter:
    """One filter of a request: `path` leads from a record to the elements that it looks at.

    `path` None: a filter on tags, by `tag_key` (a given key, or None for the keys themselves).
    """

    path: _Path | None
    patterns: tuple[re.Pattern[str], ...]
    tag_key: str | None = None

    def matches(self, record: Element, around: Element) -> bool:
        """Whether one of the values that the filter looks at is one of those asked for.

        `around` is the element that the record is listed in.
        """
        if self.path is None:
            found = self._tag_values(record)
        elif self.path[0] == "..":
            found = _texts(around, self.path[1:])
        else:
            found = _texts(record, self.path)
        return any(map(self.accepts, found))

    def accepts(self, text: str) -> bool:
        """Whether a value is one of those asked for."""
        return any(pattern.fullmatch(text) for pattern in self.patterns)

    def _tag_values(self, record: Element) -> Iterator[str]:
        for tag in record.iterfind("tagSet/item"):
            key, value = tag.findtext("key", ""), tag.findtext("value", "")
            if self.tag_key is None:
                yield key
            elif self.tag_key == key:
                yield value


def parse(operation: str, record: Shape, given: Sequence[Mapping[str, Any]]) -> list[Filter]:
    """The filters of a request to `operation`, whose answer lists records of that shape.

    Raises EC2ClientError for a name that the operation does not have, for a filter without
    values, and for more than 200 values.
    """
    filters, values = [], 0
    for one in given:
        name, wanted = one.get("Name"), one.get("Values")
        if not name:
            raise invalid_value("The filter 'null' is invalid")
        if not wanted:
            raise invalid_value(f"The filter '{name}' must have at least one value")
        values += len(wanted)
        patterns = tuple(wildcard(str(value)) for value in wanted)
        if name.startswith("tag:") and operation != "DescribeTags":
            filters.append(Filter(None, patterns, name.removeprefix("tag:")))
        elif name == "tag-key":
            filters.append(Filter(None, patterns))
        else:
            path = _ALIASES.get(operation, {}).get(name)
            found = tuple(path.split("/")) if path else _resolve(record, name)
            if found is None:
                raise invalid_value(f"The filter '{name}' is invalid")
            filters.append(Filter(found, patterns))
    if values > MAX_VALUES:
        raise invalid_value(f"The request has {values} filter values; the limit is {MAX_VALUES}")
    return filters


def wildcard(text: str) -> re.Pattern[str]:
    """EC2's patterns: `*` any characters, `?` one, a backslash takes the next one as it is."""
    parts = re.findall(r"\\.|.", text, re.S)
    meaning = {"*": ".*", "?": "."}
    escaped = (meaning.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile("".join(escaped), re.S)


@functools.cache
def _resolve(record: Shape, name: str) -> _Path | None:
    """The shortest path into the record whose element names spell the filter's name.

    Elements may be passed over, `placement` for `availability-zone`; the last may not.
    """
    name = re.sub(r"(^|\.)addresses\.", r"\1private-ip-addresses.", name)
    wanted = re.sub("[.-]", "", name)
    found = [path for path in _leaves(record) if path and _spell(path, wanted)]
    return min(found, key=lambda path: (len(path), path), default=None)


def _spell(path: _Path, wanted: str) -> bool:
    """Whether the last element and some of those before it, in order, spell `wanted`."""
    *outer, last = path
    ends = [form for form in _forms(last) if wanted.endswith(form)]
    return any(_spell_some(outer, wanted.removesuffix(form)) for form in ends)


def _spell_some(elements: Sequence[str], wanted: str) -> bool:
    if not wanted:
        return True
    return any(
        wanted.startswith(form) and _spell_some(elements[index + 1 :], wanted.removeprefix(form))
        for index, element in enumerate(elements)
        for form in _forms(element)
    )


def _forms(element: str) -> set[str]:
    """How filters write an element: `networkInterfaceSet` as networkinterface."""
    whole = element.lower()
    bare = whole.removesuffix("set") or whole
    return {whole, bare, bare.removesuffix("s"), bare.removesuffix("es")}


def _leaves(shape: Shape, depth: int = 0) -> Iterator[_Path]:
    if depth > 6:
        return
    if isinstance(shape, ListShape):
        yield from _leaves(shape.member, depth)
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            element = member.serialization.get("name", name)
            for rest in _leaves(member, depth + 1):
                yield (element, *rest)
    else:
        yield ()


def _texts(element: Element, path: _Path) -> Iterator[str]:
    if not path:
        yield element.text or ""
        return
    for child in element.iterfind(path[0]):
        items = child.findall("item")
        for each in items or [child]:
            yield from _texts(each, path[1:])
