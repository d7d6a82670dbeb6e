"""Who may use an AMI and its snapshot: read, compared with what is wanted, and made so.

A snapshot can be shared with accounts or with everybody; organisations and their units reach it
through the AMI alone.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitro.cloud import Cloud
from nitro.publish.settings import Share

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import CreateVolumePermissionTypeDef, LaunchPermissionTypeDef

EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Access:
    """Account ids and ARNs of organisations and units, and EVERYBODY."""

    accounts: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def without(self, other: Access) -> Access:
        return Access(
            self.accounts - other.accounts,
            self.organizations - other.organizations,
            self.units - other.units,
            self.groups - other.groups,
        )

    @property
    def of_snapshot(self) -> Access:
        """The part that a snapshot can have."""
        return Access(accounts=self.accounts, groups=self.groups)

    def __bool__(self) -> bool:
        return bool(self.accounts or self.organizations or self.units or self.groups)

    def __str__(self) -> str:
        named = self.accounts | self.organizations | self.units
        return ", ".join([*sorted(named), *(["everybody"] if self.groups else [])])

    def launch_permissions(self) -> list[LaunchPermissionTypeDef]:
        found: list[LaunchPermissionTypeDef] = []
        found += [{"UserId": each} for each in sorted(self.accounts)]
        found += [{"OrganizationArn": each} for each in sorted(self.organizations)]
        found += [{"OrganizationalUnitArn": each} for each in sorted(self.units)]
        found += [{"Group": "all"} for _ in self.groups]
        return found

    def volume_permissions(self) -> list[CreateVolumePermissionTypeDef]:
        found: list[CreateVolumePermissionTypeDef] = []
        found += [{"UserId": each} for each in sorted(self.accounts)]
        found += [{"Group": "all"} for _ in self.groups]
        return found


def wanted(share: Share) -> Access:
    return Access(
        frozenset(share.accounts),
        frozenset(share.organizations),
        frozenset(share.units),
        frozenset({EVERYBODY} if share.public else ()),
    )


def of_image(cloud: Cloud, image_id: str) -> Access:
    answer = cloud.ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
    listed = answer.get("LaunchPermissions", [])
    return Access(
        frozenset(each["UserId"] for each in listed if each.get("UserId")),
        frozenset(each["OrganizationArn"] for each in listed if each.get("OrganizationArn")),
        frozenset(
            each["OrganizationalUnitArn"] for each in listed if each.get("OrganizationalUnitArn")
        ),
        frozenset(each["Group"] for each in listed if each.get("Group")),
    )


def of_snapshot(cloud: Cloud, snapshot_id: str) -> Access:
    answer = cloud.ec2.describe_snapshot_attribute(
        SnapshotId=snapshot_id, Attribute="createVolumePermission"
    )
    listed = answer.get("CreateVolumePermissions", [])
    return Access(
        accounts=frozenset(each["UserId"] for each in listed if each.get("UserId")),
        groups=frozenset(each["Group"] for each in listed if each.get("Group")),
    )


def change_image(cloud: Cloud, image_id: str, *, add: Access, remove: Access) -> None:
    """One call, if there is anything to change."""
    if add or remove:
        cloud.ec2.modify_image_attribute(
            ImageId=image_id,
            LaunchPermission={
                "Add": add.launch_permissions(),
                "Remove": remove.launch_permissions(),
            },
        )


def change_snapshot(cloud: Cloud, snapshot_id: str, *, add: Access, remove: Access) -> None:
    """One call, if there is anything to change."""
    if add or remove:
        cloud.ec2.modify_snapshot_attribute(
            SnapshotId=snapshot_id,
            Attribute="createVolumePermission",
            CreateVolumePermission={
                "Add": add.volume_permissions(),
                "Remove": remove.volume_permissions(),
            },
        )
