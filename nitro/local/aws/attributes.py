"""Attributes of snapshots and images that are changed after they are made: who may use them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.needs import GetParam


class AttributeActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def modify_snapshot_attribute(self) -> ActionResult:
        """Both forms: OperationType with users and groups, and CreateVolumePermission."""
        snapshot_id = self._get_param("SnapshotId")
        permission = self._get_param("CreateVolumePermission", {})
        changes = {"add": permission.get("Add", []), "remove": permission.get("Remove", [])}
        operation = self._get_param("OperationType")
        if operation:
            changes[operation] = [
                *changes[operation],
                *({"UserId": user} for user in self._get_param("UserIds", [])),
                *({"Group": group} for group in self._get_param("GroupNames", [])),
            ]
        if not any(changes.values()):
            raise EC2ClientError("InvalidParameterCombination", "No attributes specified.")
        for change, apply in (
            ("add", self.ec2_backend.add_create_volume_permission),
            ("remove", self.ec2_backend.remove_create_volume_permission),
        ):
            users = [each["UserId"] for each in changes[change] if "UserId" in each]
            groups = [each["Group"] for each in changes[change] if "Group" in each]
            if users or groups:
                apply(snapshot_id, user_ids=users, groups=groups)
        return EmptyResult()

    def modify_image_attribute(self) -> ActionResult:
        image_id = self._get_param("ImageId")
        text = self._get_param("Description", {}).get("Value")
        if self._get_param("Attribute") == "description":
            text = self._get_param("Value")
        if text is not None:
            (image,) = self.ec2_backend.describe_images(ami_ids=[image_id])
            image.description = image.registration.description = text
            return EmptyResult()
        return super().modify_image_attribute()  # type: ignore[misc]
