"""Images that keep what they are registered with: tags, architecture, boot mode, own snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami
from moto.ec2.utils import random_ami_id

from nitro.local.aws.image_life import ImageLifeBackend, Protection
from nitro.local.aws.needs import Check, GetFlag, GetParam, GetTags, SnapshotById
from nitro.local.aws.site import Site

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")


def check_name(name: str) -> None:
    """Raises EC2ClientError for a name that no AMI may have."""
    if not NAME.fullmatch(name):
        raise EC2ClientError(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, "
            "numbers, '(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'",
        )


@dataclass
class Registration:
    """What RegisterImage was told. The defaults are EC2's."""

    name: str
    description: str = ""
    architecture: str = "i386"
    virtualization_type: str = "paravirtual"
    root_device_name: str = "/dev/sda1"
    boot_mode: str | None = None
    ena_support: bool = False
    imds_support: str | None = None
    tpm_support: str | None = None
    uefi_data: str | None = None
    sriov_net_support: str | None = None
    mappings: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class LocalImage(Ami):  # type: ignore[misc]
    """An image of this account. moto's own constructor would invent a 15 GiB snapshot."""

    def __init__(
        self,
        backend: Any,
        image_id: str,
        registration: Registration,
        *,
        available_at: float = 0.0,
        created: datetime | None = None,
        source: tuple[str, str] | None = None,
    ) -> None:
        """`source` is the image that this one is a copy of, and its region."""
        self.ec2_backend = backend
        self.id = image_id
        self.registration = registration
        self._available_at = available_at
        self._disabled = False
        self.name = registration.name
        self.description = registration.description
        self.architecture = registration.architecture
        self.virtualization_type = registration.virtualization_type
        self.root_device_name = registration.root_device_name
        self.boot_mode = registration.boot_mode
        self.ena_support = registration.ena_support
        self.imds_support = self.imds = registration.imds_support
        self.tpm_support = self.tmp = registration.tpm_support
        self.uefi = registration.uefi_data
        self.sriov_net_support = self.sriov = registration.sriov_net_support
        self.creation_date = created or utcnow()
        self.owner_id = backend.account_id
        self.owner_alias = None
        self.image_location = f"{backend.account_id}/{registration.name}"
        self.source_image_id = source and source[0]
        self.source_image_region = source and source[1]
        self.image_type = "machine"
        self.root_device_type = "ebs"
        self.hypervisor = "xen"  # EC2 says xen of every image, Nitro or not
        self.platform_details = "Linux/UNIX"
        self.usage_operation = "RunInstances"
        self.kernel_id = self.ramdisk = self.platform = self.instance_id = None
        self.product_codes: set[str] = set()
        self.launch_permissions: list[dict[str, str]] = []
        self.protection = Protection()
        self.deprecated_at: datetime | None = None

    @property
    def state(self) -> str:
        if self._disabled:
            return "disabled"
        known = self.ec2_backend.snapshots
        disks = {known[id_].status for id_ in self.snapshot_ids if id_ in known}
        if "error" in disks:
            return "failed"
        ready = "pending" not in disks and self.ec2_backend.site.clock() >= self._available_at
        return "available" if ready else "pending"

    @state.setter
    def state(self, value: str) -> None:
        self._disabled = value == "disabled"

    @property
    def state_reason(self) -> dict[str, str] | None:
        if self.state != "failed":
            return None
        known = self.ec2_backend.snapshots
        messages = {known[id_].state_message for id_ in self.snapshot_ids if id_ in known}
        return {"Code": "Client.InvalidParameterValue", "Message": " ".join(filter(None, messages))}

    @property
    def deprecation_time(self) -> str | None:
        return f"{self.deprecated_at.isoformat()}.000Z" if self.deprecated_at else None

    @property
    def deregistration_protection(self) -> str:
        return self.protection.state(self.ec2_backend.site.clock())

    @property
    def public(self) -> bool:
        return bool(self.is_public)

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return self.registration.mappings

    @property
    def snapshot_ids(self) -> list[str]:
        return [
            mapping["Ebs"]["SnapshotId"]
            for mapping in self.registration.mappings
            if mapping.get("Ebs", {}).get("SnapshotId")
        ]

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        if filter_name == "block-device-mapping.snapshot-id":
            return self.snapshot_ids
        if filter_name == "ena-support":
            return str(self.ena_support).lower()
        return super().get_filter_value(filter_name, method_name)


class ImagesBackend(ImageLifeBackend):
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    site: Site
    amis: dict[str, LocalImage]
    deleted_amis: list[str]
    get_snapshot: SnapshotById
    delete_snapshot: SnapshotById

    def _load_amis(self) -> None:
        """Amazon's images have no bytes here: there are none."""

    def register_local_image(
        self, registration: Registration, tags: Mapping[str, str]
    ) -> LocalImage:
        self._check(registration)
        for mapping in registration.mappings:
            if "Ebs" in mapping or not {"VirtualName", "NoDevice"} & mapping.keys():
                self._fill_in(mapping.setdefault("Ebs", {}))
        available_at = self.site.clock() + self.site.pace.register_image
        image = LocalImage(self, random_ami_id(), registration, available_at=available_at)
        image.add_tags(dict(tags))
        self.amis[image.id] = image
        return image

    def deregister_local_image(self, image_id: str, *, with_snapshots: bool) -> list[str]:
        """Returns the snapshots that went with it."""
        image = self.image(image_id)
        if image.deregistration_protection != "disabled":
            raise EC2ClientError(
                "OperationNotPermitted", f"The AMI {image_id} is protected from deregistration."
            )
        self.amis.pop(image_id)
        self.deleted_amis.append(image_id)
        if not with_snapshots:
            return []
        shared = {id_ for other in self.amis.values() for id_ in other.snapshot_ids}
        unshared = [id_ for id_ in image.snapshot_ids if id_ not in shared]
        for snapshot_id in unshared:
            self.delete_snapshot(snapshot_id)
        return unshared

    def check_image_name(self, name: str) -> None:
        """Raises EC2ClientError for a name that no image may have, or that one has."""
        check_name(name)
        for image in self.amis.values():
            if image.name == name:
                raise EC2ClientError(
                    "InvalidAMIName.Duplicate",
                    f"AMI name {name} is already in use by AMI {image.id}",
                )

    def _check(self, registration: Registration) -> None:
        self.check_image_name(registration.name)
        root = registration.root_device_name
        roots = [m for m in registration.mappings if m.get("DeviceName") == root]
        if not any(mapping.get("Ebs", {}).get("SnapshotId") for mapping in roots):
            raise EC2ClientError(
                "InvalidBlockDeviceMapping", f"No block device mapping for the root device {root}"
            )

    def _fill_in(self, ebs: dict[str, Any]) -> None:
        ebs.setdefault("VolumeType", "gp2")
        ebs.setdefault("DeleteOnTermination", True)
        if "SnapshotId" not in ebs:
            if "VolumeSize" not in ebs:
                raise EC2ClientError(
                    "MissingParameter", "A block device mapping lacks SnapshotId and VolumeSize"
                )
            ebs.setdefault("Encrypted", False)
            return
        if "Encrypted" in ebs:
            raise EC2ClientError(
                "InvalidParameterCombination", "Encrypted cannot be given with a snapshot"
            )
        snapshot = self.get_snapshot(ebs["SnapshotId"])
        if snapshot.status != "completed":
            raise EC2ClientError("IncorrectState", f"Snapshot {snapshot.id} is not completed")
        ebs.setdefault("VolumeSize", snapshot.volume_size)
        if ebs["VolumeSize"] < snapshot.volume_size:
            raise EC2ClientError(
                "InvalidBlockDeviceMapping",
                f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{snapshot.id}', "
                f"expect size >= {snapshot.volume_size}GB",
            )
        ebs["Encrypted"] = snapshot.encrypted


class ImageActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _get_bool_param: GetFlag
    _parse_tag_specification: GetTags
    error_on_dryrun: Check

    def register_image(self) -> ActionResult:
        if self._get_param("ImageLocation"):
            raise EC2ClientError("UnsupportedOperation", "Images kept in S3 are not supported.")
        registration = Registration(
            name=self._get_param("Name", ""),
            description=self._get_param("Description", ""),
            architecture=self._get_param("Architecture", "i386"),
            virtualization_type=self._get_param("VirtualizationType", "paravirtual"),
            root_device_name=self._get_param("RootDeviceName", "/dev/sda1"),
            boot_mode=self._get_param("BootMode"),
            ena_support=self._get_bool_param("EnaSupport", False),
            imds_support=self._get_param("ImdsSupport"),
            tpm_support=self._get_param("TpmSupport"),
            uefi_data=self._get_param("UefiData"),
            sriov_net_support=self._get_param("SriovNetSupport"),
            mappings=plain(self._get_param("BlockDeviceMappings", [])),
        )
        tags = self._parse_tag_specification("image").get("image", {})
        self.error_on_dryrun()
        image = self.ec2_backend.register_local_image(registration, tags)
        return ActionResult({"ImageId": image.id})

    def describe_images(self) -> ActionResult:
        """Disabled images only when they are asked for."""
        images = self.ec2_backend.describe_images(
            ami_ids=self._get_param("ImageIds", []),
            exec_users=self._get_param("ExecutableUsers", []),
            owners=self._get_param("Owners", []),
        )
        if not self._get_bool_param("IncludeDisabled", False):
            images = [image for image in images if image.state != "disabled"]
        return ActionResult({"Images": images})

    def deregister_image(self) -> ActionResult:
        with_snapshots = self._get_bool_param("DeleteAssociatedSnapshots", False)
        self.error_on_dryrun()
        deleted = self.ec2_backend.deregister_local_image(
            self._get_param("ImageId"), with_snapshots=with_snapshots
        )
        return ActionResult(
            {
                "Return": True,
                "DeleteSnapshotResults": [
                    {"SnapshotId": snapshot_id, "ReturnCode": "success"} for snapshot_id in deleted
                ],
            }
        )


def plain(value: Any) -> Any:
    """The parser's own kinds of dictionary and list, as plain ones that JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
