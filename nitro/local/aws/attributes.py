"""Who may use a snapshot or an image, and an image's description and metadata support.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/sharing-amis.html
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-public-access-to-amis.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws import quotas
from nitro.local.aws.needs import GetParam

_TARGETS = {
    "UserId": re.compile(r"\d{12}"),
    "Group": re.compile("all"),
    "OrganizationArn": re.compile(
        r"arn:aws[\w-]*:organizations::\d{12}:organization/o-[a-z0-9]{10,32}"
    ),
    "OrganizationalUnitArn": re.compile(
        r"arn:aws[\w-]*:organizations::\d{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}"
    ),
}
_EVERYONE = {"Group": "all"}


class AttributesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`. What AWS sets for a new account."""

    amis: dict[str, Any]
    snapshots: dict[str, Any]

    def __init__(self) -> None:
        self.image_public_access = "block-new-sharing"
        self.snapshot_public_access = "unblocked"

    def check_image_sharing(self, image: Any, added: list[dict[str, str]]) -> None:
        """Raises EC2ClientError for what AWS does not let an image be shared with."""
        disks = [self.snapshots[id_] for id_ in image.snapshot_ids if id_ in self.snapshots]
        if _EVERYONE in added:
            if self.image_public_access != "unblocked":
                raise EC2ClientError(
                    "OperationNotPermitted",
                    "You can't publicly share this image because block public access for AMIs is "
                    "enabled for this account. To publicly share the image, you must call the "
                    "DisableImageBlockPublicAccess API.",
                )
            if any(disk.encrypted for disk in disks):
                raise EC2ClientError(
                    "InvalidParameter", "An image with encrypted snapshots cannot be made public."
                )
            if _EVERYONE not in image.launch_permissions:
                public = (_EVERYONE in each.launch_permissions for each in self.amis.values())
                quotas.PUBLIC_IMAGES.check(sum(public))
        if added and any(self.is_default_ebs_key(disk.kms_key_id) for disk in disks):  # type: ignore[attr-defined]
            raise EC2ClientError(
                "InvalidParameter",
                "Snapshots encrypted with the AWS Managed CMK can't be shared. "
                "Specify another snapshot.",
            )

    def check_snapshot_sharing(self, snapshot: Any, added: list[dict[str, str]]) -> None:
        """Raises EC2ClientError for what AWS does not let a snapshot be shared with."""
        if _EVERYONE in added:
            if self.snapshot_public_access != "unblocked":
                raise EC2ClientError(
                    "OperationNotPermitted",
                    "You can't publicly share this snapshot because block public access for "
                    "snapshots is enabled for this account.",
                )
            if snapshot.encrypted:
                raise EC2ClientError(
                    "OperationNotPermitted", "Encrypted snapshots cannot be made public."
                )
        if added and self.is_default_ebs_key(snapshot.kms_key_id):  # type: ignore[attr-defined]
            raise EC2ClientError(
                "OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared"
            )


class AttributeActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def modify_snapshot_attribute(self) -> ActionResult:
        """Both forms: OperationType with users and groups, and CreateVolumePermission."""
        added, removed = self._changes(
            "CreateVolumePermission", {"UserIds": "UserId", "GroupNames": "Group"}
        )
        if not added and not removed:
            raise _nothing_given()
        snapshot = self.ec2_backend.get_snapshot(self._get_param("SnapshotId"))
        self.ec2_backend.check_snapshot_sharing(snapshot, added)
        users, groups = (
            snapshot.create_volume_permission_userids,
            snapshot.create_volume_permission_groups,
        )
        for name, held in (("UserId", users), ("Group", groups)):
            held.update(each[name] for each in added if name in each)
            held.difference_update(each[name] for each in removed if name in each)
        return EmptyResult()

    def modify_image_attribute(self) -> ActionResult:
        """A list of launch permissions in both forms, a description, or IMDS support."""
        image = self.ec2_backend.image(self._get_param("ImageId"))
        added, removed = self._changes(
            "LaunchPermission",
            {
                "UserIds": "UserId",
                "UserGroups": "Group",
                "OrganizationArns": "OrganizationArn",
                "OrganizationalUnitArns": "OrganizationalUnitArn",
            },
        )
        text, imds = self._value_of("Description"), self._value_of("ImdsSupport")
        if added or removed:
            self.ec2_backend.check_image_sharing(image, added)
            kept = [each for each in image.launch_permissions if each not in removed]
            shared = [*kept, *(each for each in added if each not in kept)]
            quotas.SHARES.check(0, len(shared))
            image.launch_permissions = shared
        elif text is not None:
            image.description = image.registration.description = text
        elif imds is not None:
            if imds != "v2.0":
                raise EC2ClientError("InvalidParameterValue", "ImdsSupport can be set to v2.0.")
            image.imds_support = image.imds = image.registration.imds_support = imds
        else:
            raise _nothing_given()
        return EmptyResult()

    def describe_image_attribute(self) -> ActionResult:
        """When an image was last launched is not kept; the mapping is told to nobody, as by EC2."""
        image, wanted = (
            self.ec2_backend.image(self._get_param("ImageId")),
            self._get_param("Attribute"),
        )
        if wanted == "blockDeviceMapping":
            raise EC2ClientError(
                "AuthFailure", "Unauthorized attempt to access restricted resource"
            )
        values = {
            "bootMode": image.boot_mode,
            "deregistrationProtection": image.deregistration_protection,
            "description": image.description,
            "imdsSupport": image.imds_support,
            "kernel": None,
            "lastLaunchedTime": None,
            "ramdisk": None,
            "sriovNetSupport": image.sriov_net_support,
            "tpmSupport": image.tpm_support,
            "uefiData": image.uefi,
        }
        told: dict[str, Any] = {"ImageId": image.id}
        if wanted == "launchPermission":
            told["LaunchPermissions"] = image.launch_permissions
        elif wanted == "productCodes":
            told["ProductCodes"] = []
        else:
            name = {"kernel": "KernelId", "ramdisk": "RamdiskId"}.get(wanted)
            value = values[wanted]
            told[name or wanted[0].upper() + wanted[1:]] = {"Value": value} if value else {}
        return ActionResult(told)

    def reset_image_attribute(self) -> ActionResult:
        self.ec2_backend.image(self._get_param("ImageId")).launch_permissions = []
        return EmptyResult()

    def reset_snapshot_attribute(self) -> ActionResult:
        snapshot = self.ec2_backend.get_snapshot(self._get_param("SnapshotId"))
        snapshot.create_volume_permission_userids.clear()
        snapshot.create_volume_permission_groups.clear()
        return EmptyResult()

    def get_image_block_public_access_state(self) -> ActionResult:
        state = self.ec2_backend.image_public_access
        return ActionResult({"ImageBlockPublicAccessState": state, "ManagedBy": "account"})

    def enable_image_block_public_access(self) -> ActionResult:
        return self._set_image_access(self._get_param("ImageBlockPublicAccessState"))

    def disable_image_block_public_access(self) -> ActionResult:
        return self._set_image_access("unblocked")

    def get_snapshot_block_public_access_state(self) -> ActionResult:
        state = self.ec2_backend.snapshot_public_access
        return ActionResult({"State": state, "ManagedBy": "account"})

    def enable_snapshot_block_public_access(self) -> ActionResult:
        state = self._get_param("State")
        if state == "unblocked":
            raise EC2ClientError(
                "InvalidParameterValue", "DisableSnapshotBlockPublicAccess unblocks."
            )
        return self._set_snapshot_access(state)

    def disable_snapshot_block_public_access(self) -> ActionResult:
        return self._set_snapshot_access("unblocked")

    def _set_image_access(self, state: str) -> ActionResult:
        self.ec2_backend.image_public_access = state
        return ActionResult({"ImageBlockPublicAccessState": state})

    def _set_snapshot_access(self, state: str) -> ActionResult:
        self.ec2_backend.snapshot_public_access = state
        return ActionResult({"State": state})

    def _changes(
        self, permission: str, flat: Mapping[str, str]
    ) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """What is added to and removed from a list, from both forms of the request.

        `flat`: the parameter that lists, beside OperationType, what the list has under a name.
        """
        given = self._get_param(permission, {})
        changes = {
            "add": [dict(each) for each in given.get("Add", [])],
            "remove": [dict(each) for each in given.get("Remove", [])],
        }
        listed = [
            {name: value}
            for parameter, name in flat.items()
            for value in self._get_param(parameter, [])
        ]
        if operation := self._get_param("OperationType"):
            changes[operation] += listed
        elif listed and not (changes["add"] or changes["remove"]):  # which say the same then
            raise EC2ClientError("MissingParameter", "OperationType is needed with this list.")
        for target in [*changes["add"], *changes["remove"]]:
            for name, value in target.items():
                if not _TARGETS[name].fullmatch(value):
                    raise EC2ClientError(
                        "InvalidAMIAttributeItemValue",
                        f'Invalid attribute item value "{value}" for {name} item type.',
                    )
        return changes["add"], changes["remove"]

    def _value_of(self, attribute: str) -> str | None:
        """An attribute given by its own parameter, or by Attribute and Value."""
        if str(self._get_param("Attribute")).lower() == attribute.lower():
            value: str | None = self._get_param("Value")
            if value is not None:
                return value
        given: str | None = self._get_param(attribute, {}).get("Value")
        return given


def _nothing_given() -> EC2ClientError:
    return EC2ClientError("InvalidParameterCombination", "No attributes specified.")
