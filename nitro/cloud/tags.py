"""The tags that make a resource ours. What does not carry them is never touched.

What outlives a deployment (object, import task, snapshot, AMI) carries the digest of its
disk; what does not (instance, volume, network interface, security group) the deployment's id.
"""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlencode

from nitro.errors import InputError
from nitro.ports import Port

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import ResourceTypeType
    from mypy_boto3_ec2.type_defs import FilterTypeDef, TagSpecificationTypeDef, TagTypeDef

OWNER = "nitro:owner"
OWNER_VALUE = "nitro"
DIGEST = "nitro:digest"
DEPLOYMENT = "nitro:deployment"
ROLE = "nitro:role"
EXPIRES = "nitro:expires"
MEMORY = "nitro:memory-mib"
PROCESSORS = "nitro:processors"  # that the image is best run with, at most
RUN = "nitro:run"
EPHEMERAL = "nitro:ephemeral"
WRITE = "nitro:write"  # of a direct snapshot: the token under which it was started
BLOCKS = "nitro:blocks-"  # and a number: see `nitro.cloud.parent`
PORTS = "nitro:ports"  # of the recipe: see `ports_tag`
STAGE = "nitro:stage"  # of a release's image and snapshot: see `Stage`
RELEASE = "nitro:release"  # the name of its AMIs, the same in every region
VERSION = "nitro:version"
REVISION = "nitro:revision"  # of the recipe's source
BUILDER = "nitro:builder"  # which nitro built the image
BILL = "nitro:bill-of-materials"  # its SHA-256

Tags = dict[str, str]


class Stage(enum.StrEnum):
    """How far a release's image or snapshot has come."""

    UNFINISHED = "unfinished"
    PUBLISHED = "published"
    RETIRED = "retired"  # about to be removed


class Tag(TypedDict):
    """A tag as S3 and IAM have it."""

    Key: str
    Value: str


@dataclass(frozen=True)
class Run:
    """One run of `publish`, among others at the same time that may publish the same disk.

    `id` tells what it makes from what the others make. What an `ephemeral` run makes is removed
    at its end, so no other run uses it.
    """

    id: str = field(default_factory=lambda: secrets.token_hex(4))
    ephemeral: bool = False

    @property
    def tags(self) -> Tags:
        """What is added to the tags of the disk."""
        return {RUN: self.id} | ({EPHEMERAL: "true"} if self.ephemeral else {})


def image_tags(name: str, digest: str, extra: Mapping[str, str] | None = None) -> Tags:
    """Tags of what is made once for each disk, however often it is deployed."""
    return {**(extra or {}), "Name": name, OWNER: OWNER_VALUE, DIGEST: digest}


def deployment_tags(
    name: str, deployment: str, role: str, expires: datetime | None, extra: Mapping[str, str]
) -> Tags:
    """Tags of what lives as long as a deployment."""
    tags = {**extra, "Name": name, OWNER: OWNER_VALUE, DEPLOYMENT: deployment, ROLE: role}
    if expires:
        tags[EXPIRES] = timestamp(expires)
    return tags


def new_deployment() -> str:
    """An id for one deployment: `d-20260131-1f2e3d4c`."""
    return f"d-{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(4)}"


def expiry(ttl: timedelta) -> datetime:
    return datetime.now(UTC) + ttl


def timestamp(moment: datetime) -> str:
    """As in EXPIRES: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ports_tag(ports: Iterable[Port]) -> Tags:
    """The tag that remembers a recipe's ports, for measuring its instance again."""
    return {PORTS: " ".join(map(str, ports))}


def ports_from(tags: Mapping[str, str]) -> tuple[Port, ...]:
    """The ports that `ports_tag` wrote; none without the tag.

    Raises InputError when somebody else has changed it to something else.
    """
    try:
        return tuple(map(Port.parse, tags.get(PORTS, "").split()))
    except InputError as error:
        raise InputError(
            f"the tag {PORTS} does not list ports: {error.what}", hint="such as 80 udp:53"
        ) from None


def processors_from(tags: Mapping[str, str]) -> int | None:
    """The number of an image's tag PROCESSORS; None without one, or where it is no number."""
    number = tags.get(PROCESSORS, "")
    return int(number) if re.fullmatch("[1-9][0-9]{0,3}", number) else None


def as_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    """As EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def as_tag_set(tags: Mapping[str, str]) -> list[Tag]:
    """As S3 and IAM take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def as_specification(
    resource_types: Iterable[ResourceTypeType], tags: Mapping[str, str]
) -> list[TagSpecificationTypeDef]:
    """The `TagSpecifications` of a call that makes resources of `resource_types`."""
    return [{"ResourceType": type_, "Tags": as_list(tags)} for type_ in resource_types]


def as_query(tags: Mapping[str, str]) -> str:
    """As S3 takes them when an object is made."""
    return urlencode(tags)


def from_list(listed: Iterable[Mapping[str, object]] | None) -> Tags:
    return {str(tag["Key"]): str(tag["Value"]) for tag in listed or ()}


def ours(tags: Mapping[str, str]) -> bool:
    return tags.get(OWNER) == OWNER_VALUE


def by(**wanted: str) -> list[FilterTypeDef]:
    """EC2 filters for resources of ours: `by(digest="sha256:…")`."""
    keys = {
        "digest": DIGEST,
        "deployment": DEPLOYMENT,
        "role": ROLE,
        "name": "Name",
        "release": RELEASE,
    }
    pairs = {OWNER: OWNER_VALUE} | {keys[name]: value for name, value in wanted.items()}
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in pairs.items()]


def short(digest: str) -> str:
    """The first 12 hex digits of `sha256:…`."""
    return digest.partition(":")[2][:12]


def ami_name(recipe: str, digest: str, boot_mode: str) -> str:
    """`bench-0123456789ab-uefi-preferred`: what the AMI is called, 3 to 128 plain characters.

    The boot mode is part of it because the same disk may be registered for either.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", recipe)[:90]
    return f"{plain}-{short(digest)}-{boot_mode}"
