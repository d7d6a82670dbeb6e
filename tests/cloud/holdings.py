"""What an account holds, as far as IAM asks: the tags of resources, and what belongs to what."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends

from nitro.cloud import Cloud, tags

_processes_of_moto: set[int] = set()


class Holdings(Protocol):
    """One region of the account."""

    @property
    def region(self) -> str: ...

    def elsewhere(self, region: str) -> Holdings: ...

    def has(self, resource: str) -> bool:
        """False for an instance or a placement group that is not there.

        Whether AWS then says that it is not there or that one may not is not documented.
        """

    def tags(self, resource: str) -> Mapping[str, str]:
        """Of a resource by its id; none for what is not there."""

    def group_tags(self, name: str) -> Mapping[str, str]:
        """Of a placement group by its name."""

    def snapshots_of(self, image_id: str) -> list[str]: ...

    def key(self, name: str) -> str | None:
        """The ARN of a KMS key by its id, ARN or alias; None where there is none."""


def are_here() -> None:
    """Tests' accounts are moto's in this process, whatever addresses they are served at."""
    _processes_of_moto.add(os.getpid())


def holdings_of(cloud: Cloud, region: str) -> Holdings:
    """Read from moto in its own process, asked for by calls in another one, such as a fork."""
    if os.getpid() in _processes_of_moto or not cloud.endpoint_url:
        return InMoto(region)
    credentials = cloud.session.get_credentials()
    assert credentials
    key = (str(credentials.access_key), str(credentials.secret_key))
    return AtEndpoint(region, cloud.endpoint_url, key)


@dataclass(frozen=True)
class InMoto:
    """Of moto in this process."""

    region: str

    @property
    def _backend(self) -> Any:
        return ec2_backends[DEFAULT_ACCOUNT_ID][self.region]

    def elsewhere(self, region: str) -> Self:
        return replace(self, region=region)

    def has(self, resource: str) -> bool:
        kind, _, name = resource.rpartition("/")
        if kind.endswith(":placement-group") and name != "*":
            return name in self._backend.placement_groups
        if not name.startswith("i-"):
            return True
        return any(each.id == name for each in self._backend.all_instances())

    def tags(self, resource: str) -> Mapping[str, str]:
        return dict(self._backend.tags.get(resource, {}))

    def group_tags(self, name: str) -> Mapping[str, str]:
        group = self._backend.placement_groups.get(name)
        return self.tags(group.id) if group else {}

    def snapshots_of(self, image_id: str) -> list[str]:
        image = self._backend.amis.get(image_id)
        return list(image.snapshot_ids) if image else []

    def key(self, name: str) -> str | None:
        backend = kms_backends[DEFAULT_ACCOUNT_ID][self.region]
        alias = name.rpartition(":")[2]
        if alias.startswith("alias/") and not backend.alias_exists(alias):
            return None
        found = backend.keys.get(backend.any_id_to_key_id(name))
        return str(found.arn) if found else None


@dataclass(frozen=True)
class AtEndpoint:
    """Of an endpoint in another process, which is asked as an administrator would ask it."""

    region: str
    url: str
    key_pair: tuple[str, str]

    @property
    def _ec2(self) -> Any:
        return _client("ec2", self.region, self.url, self.key_pair)

    def elsewhere(self, region: str) -> Self:
        return replace(self, region=region)

    def has(self, resource: str) -> bool:
        kind, _, name = resource.rpartition("/")
        if kind.endswith(":placement-group") and name != "*":
            asked = [{"Name": "group-name", "Values": [name]}]
            return bool(self._ec2.describe_placement_groups(Filters=asked)["PlacementGroups"])
        if not name.startswith("i-"):
            return True
        asked = [{"Name": "instance-id", "Values": [name]}]
        return bool(self._ec2.describe_instances(Filters=asked)["Reservations"])

    def tags(self, resource: str) -> Mapping[str, str]:
        asked = [{"Name": "resource-id", "Values": [resource]}]
        return tags.from_list(self._ec2.describe_tags(Filters=asked)["Tags"])

    def group_tags(self, name: str) -> Mapping[str, str]:
        asked = [{"Name": "group-name", "Values": [name]}]
        groups = self._ec2.describe_placement_groups(Filters=asked)["PlacementGroups"]
        return tags.from_list(groups[0].get("Tags")) if groups else {}

    def snapshots_of(self, image_id: str) -> list[str]:
        asked = [{"Name": "image-id", "Values": [image_id]}]
        images = self._ec2.describe_images(Filters=asked)["Images"]
        mappings = [each for image in images for each in image["BlockDeviceMappings"]]
        return [
            each["Ebs"]["SnapshotId"] for each in mappings if "SnapshotId" in each.get("Ebs", {})
        ]

    def key(self, name: str) -> str | None:
        kms = _client("kms", self.region, self.url, self.key_pair)
        try:
            return str(kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"])
        except kms.exceptions.NotFoundException:
            return None


@functools.cache
def _client(service: str, region: str, url: str, key: tuple[str, str]) -> Any:
    connect: Any = boto3.client
    return connect(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
    )
