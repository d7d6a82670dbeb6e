"""ImportImage: a task that reads disks, or an OVA of them, from S3 and ends as an image.

Unlike on AWS, the operating system on the disks is neither looked at nor changed.
https://docs.aws.amazon.com/vm-import/latest/userguide/import-vm-image.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

from nitro import arch
from nitro.errors import NitroError
from nitro.local import disk_formats, ova
from nitro.local.aws.images import Registration
from nitro.local.aws.imports import (
    UNFINISHED,
    ImportFailure,
    ImportTask,
    Order,
    unknown_task,
)
from nitro.local.aws.needs import Check, GetParam, GetTags

_FORMATS = ("OVA", "RAW", *disk_formats.FORMATS)
ROOT = "/dev/sda1"
_DEVICES = [ROOT, *(f"/dev/sd{letter}" for letter in "fghijklmnop")]


@dataclass
class ImageImportRequest:
    """What ImportImage was asked for beside its disks. `devices` are as asked for, "": any."""

    devices: list[str]
    architecture: str
    boot_mode: str | None
    platform: str
    description: str
    tags: dict[str, str] = field(default_factory=dict)


class ImageImportTask(ImportTask):
    """One import of an image."""

    id_prefix = "import-ami-"

    def __init__(self, backend: Any, orders: list[Order], request: ImageImportRequest) -> None:
        super().__init__(backend, orders[0])
        self.orders, self.request = orders, request
        self.image_id: str | None = None
        self._snapshots: list[dict[str, Any]] = []
        self.add_tags(request.tags)

    def describe(self) -> dict[str, Any]:
        """As an ImportImageTask of the model."""
        told = {
            "ImportTaskId": self.id,
            "Architecture": self.request.architecture,
            "Description": self.request.description,
            "Encrypted": self.order.encryption.key_arn is not None,
            "ImageId": self.image_id,
            "KmsKeyId": self.order.encryption.key_arn,
            "LicenseType": "BYOL",
            "Platform": self.request.platform,
            "Progress": str(self.progress) if self.status in UNFINISHED else None,
            "SnapshotDetails": self._snapshots or [_detail(each) for each in self.orders],
            "Status": "active" if self.status == "pending" else self.status,
            "StatusMessage": self.status_message or None,
            "Tags": self.tag_set,
        }
        return {name: value for name, value in told.items() if value is not None}

    def _object(self) -> Any:
        contents = [self.read(order) for order in self.orders]
        return SimpleNamespace(size=sum(each.size for each in contents), contents=contents)

    def _complete(self, disk: Any) -> None:
        backend, details = self.ec2_backend, []
        try:
            for device, content, order in self._disks(disk):
                kind = "VMDK" if order.format == "OVA" else order.format
                snapshot_id = self.keep(content, kind)
                more = {"DeviceName": device, "DiskImageSize": float(len(content))}
                details.append({**_detail(order), **more, "SnapshotId": snapshot_id})
                details[-1].update(Format=kind, Status="completed")
            self.image_id = self._register(details)
        except BaseException:
            for each in details:
                backend.delete_snapshot(each["SnapshotId"])
            raise
        self._snapshots, self.progress = details, 100
        self.status, self.status_message = "completed", ""

    def _disks(self, disk: Any) -> list[tuple[str, bytes | memoryview, Order]]:
        """Device, content and order of each disk. ImportFailure for a bad archive, or too many."""
        found: list[tuple[str, bytes | memoryview, Order]] = []
        parts: Sequence[bytes | memoryview]
        for order, content, wanted in zip(
            self.orders, disk.contents, self.request.devices, strict=True
        ):
            try:
                parts = ova.disks(content.value) if order.format == "OVA" else [content.value]
            except NitroError as error:
                raise ImportFailure(f"ClientError: {error.what}") from None
            found += [(wanted if n == 0 else "", part, order) for n, part in enumerate(parts)]
        free = iter([each for each in _DEVICES if each not in self.request.devices])
        try:
            return [(device or next(free), part, order) for device, part, order in found]
        except StopIteration:
            raise ImportFailure(f"ClientError: more than {len(_DEVICES)} disks") from None

    def _register(self, details: list[dict[str, Any]]) -> str:
        mappings = [
            {"DeviceName": each["DeviceName"], "Ebs": {"SnapshotId": each["SnapshotId"]}}
            for each in details
        ]
        registration = Registration(
            name=self.id,
            description=self.request.description or f"AWS-VMImport service: Linux - {self.id}",
            architecture=self.request.architecture,
            virtualization_type="hvm",
            root_device_name=details[0]["DeviceName"],
            boot_mode=self.request.boot_mode,
            ena_support=True,
            mappings=mappings,
        )
        return str(self.ec2_backend.register_local_image(registration, {}).id)


class ImageImportActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _parse_tag_specification: GetTags
    error_on_dryrun: Check

    def import_image(self) -> ActionResult:
        backend, containers = self.ec2_backend, self._get_param("DiskContainers", [])
        if not containers:
            raise EC2ClientError("MissingParameter", "The request needs DiskContainers.")
        orders = [self._order(container) for container in containers]
        if len(orders) > 1 and any(order.format == "OVA" for order in orders):
            raise EC2ClientError("InvalidParameter", "An OVA is the only disk container.")
        request = ImageImportRequest(
            devices=[container.get("DeviceName", "") for container in containers],
            architecture=self._get_param("Architecture", arch.X86_64.ec2),
            boot_mode=self._get_param("BootMode"),
            platform=self._get_param("Platform", "Linux"),
            description=self._get_param("Description", ""),
            tags=self._parse_tag_specification("import-image-task").get("import-image-task", {}),
        )
        named = [device for device in request.devices if device]
        if len(set(named)) < len(named):
            raise EC2ClientError("InvalidParameter", "Two disk containers have one device name.")
        if request.architecture not in ("i386", *arch.REGISTERED):
            raise EC2ClientError(
                "InvalidParameter", f"The architecture {request.architecture} is not supported."
            )
        if request.platform != "Linux":
            raise EC2ClientError(
                "UnsupportedOperation", "The local Nitro imports images of Linux only."
            )
        for order in orders:
            backend.check_order(order)
        task = ImageImportTask(backend, orders, request)
        backend.import_tasks[task.id] = task
        return ActionResult(task.describe())

    def describe_import_image_tasks(self) -> ActionResult:
        backend, named = self.ec2_backend, self._get_param("ImportTaskIds", [])
        known = {
            id_: task
            for id_, task in backend.import_tasks.items()
            if isinstance(task, ImageImportTask)
        }
        for id_ in named:
            if id_ not in known:
                raise unknown_task(id_)
        return ActionResult({"ImportImageTasks": [known[id_].describe() for id_ in named or known]})

    def _order(self, container: Mapping[str, Any]) -> Order:
        place = container.get("UserBucket", {})
        for name in ("S3Bucket", "S3Key"):
            if not place.get(name):
                raise EC2ClientError("InvalidParameter", f"DiskContainers.UserBucket lacks {name}.")
        kind = container.get("Format", "").upper()
        if kind not in _FORMATS:
            raise EC2ClientError(
                "InvalidParameter", f"The disk format {kind!r} is not one of {', '.join(_FORMATS)}."
            )
        return Order(
            bucket=place["S3Bucket"],
            key=place["S3Key"],
            format=kind,
            description=self._get_param("Description", ""),
            disk_description=container.get("Description", ""),
            role_name=self._get_param("RoleName", "vmimport"),
            encryption=self.ec2_backend.encryption(
                asked=self._get_param("Encrypted"), key_id=self._get_param("KmsKeyId")
            ),
        )


def _detail(order: Order) -> dict[str, Any]:
    """As a SnapshotDetail of the model."""
    told: dict[str, Any] = {
        "Format": order.format,
        "Status": "active",
        "UserBucket": {"S3Bucket": order.bucket, "S3Key": order.key},
    }
    return {**told, "Description": order.disk_description} if order.disk_description else told
