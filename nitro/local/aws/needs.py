"""What the extensions need of the moto classes that they are mixed into.

moto's own responses and backends provide all of this; each mixin declares the part that it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class GetParam(Protocol):
    """A parameter of the request by its path, as botocore's model types it."""

    def __call__(self, param_name: str, if_none: Any = None) -> Any: ...


class GetFlag(Protocol):
    """A boolean parameter of the request."""

    def __call__(self, param_name: str, if_none: bool) -> bool: ...


class GetTags(Protocol):
    """The tags that the request gives to resources, of one type or any: type → key → value."""

    def __call__(self, expected_type: str | None = None) -> dict[str, dict[str, str]]: ...


class GetFilters(Protocol):
    """The filters of the request: name → values."""

    def __call__(self) -> dict[str, Any]: ...


class Check(Protocol):
    """Raises the service's error when the request is not to be carried out."""

    def __call__(self) -> None: ...


class CreateTags(Protocol):
    """Sets tags (key → value) of resources."""

    def __call__(self, resource_ids: list[str], tags: dict[str, str]) -> bool: ...


class FindInstances(Protocol):
    """The instances of these ids; raises moto's error for an id that is unknown."""

    def __call__(self, instance_ids: list[str]) -> list[Any]: ...


class AllInstances(Protocol):
    """Every instance of the region, terminated ones too."""

    def __call__(self) -> list[Any]: ...


class DefaultSubnets(Protocol):
    """Availability zone → its default subnet."""

    def __call__(self) -> Mapping[str, Any]: ...


class FindSubnet(Protocol):
    """The subnet of this id; raises moto's error for an id that is unknown."""

    def __call__(self, subnet_id: str) -> Any: ...


class SnapshotById(Protocol):
    """Acts on the snapshot of this id and returns it; raises moto's error for an unknown one."""

    def __call__(self, snapshot_id: str) -> Any: ...
