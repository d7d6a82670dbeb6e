"""Volumes: made, attached to instances, detached, and kept as snapshots.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-attaching-volume.html
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-create-snapshot.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import random_snapshot_id

from nitro.errors import NitroError
from nitro.local.aws import states, volume_types
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.encryption import Encryption
from nitro.local.aws.launch import disk_of
from nitro.local.aws.needs import FindInstances, GetFlag, GetParam, GetTags
from nitro.local.aws.site import Site
from nitro.local.aws.snapshots import DiskSnapshot

_log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
_DEVICE = re.compile(r"/dev/(sd[a-z][0-9]{0,2}|xvd[a-z]{1,2}[0-9]{0,2}|hd[a-z])")
_ATTACHABLE = ("running", "stopped")  # states of an instance


class VolumesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    site: Site
    volumes: dict[str, Any]
    snapshots: dict[str, Any]
    get_multi_instances_by_id: FindInstances

    def create_volume(
        self,
        size: int | None,
        zone_name: str,
        snapshot_id: str | None = None,
        encrypted: bool = False,
        kms_key_id: str | None = None,
        **options: Any,
    ) -> Any:
        """Encrypted as it is asked for, as its snapshot is, or as the region does by default."""
        inherited = False
        if snapshot_id:
            source = self.get_snapshot(snapshot_id)  # type: ignore[attr-defined]
            inherited = source.encrypted
            if kms_key_id is None and inherited:
                encrypted, kms_key_id = True, source.kms_key_id
        encryption = self.encryption(  # type: ignore[attr-defined]
            asked=encrypted, key_id=kms_key_id, inherited=inherited
        )
        if encryption.failure:
            raise EC2ClientError(
                "InvalidKmsKey.NotFound", f"The key {encryption.key_arn} cannot be used."
            )
        if options.get("volume_type") in ("io1", "io2"):
            # moto's launch gives no speed: `set_speed`
            options["iops"] = options.get("iops") or 100
        volume = super().create_volume(size, zone_name, snapshot_id, **options)  # type: ignore[misc]
        volume.encrypted = encryption.key_arn is not None
        volume.kms_key_id = encryption.key_arn
        volume.multi_attach_enabled = False
        set_speed(volume, {"Iops": volume.iops, "Throughput": volume.throughput})
        return volume

    def attach_volume(
        self, volume_id: str, instance_id: str, device_path: str, delete: bool = False
    ) -> Any:
        attachment = super().attach_volume(  # type: ignore[misc]
            volume_id, instance_id, device_path, delete
        )
        attachment.delete_on_termination = delete
        return attachment

    def delete_volume(self, volume_id: str) -> Any:
        volume = super().delete_volume(volume_id)  # type: ignore[misc]
        self.site.volumes.delete(volume_id)
        return volume

    def attach_local_volume(self, volume_id: str, instance_id: str, device: str) -> Any:
        """Returns the attachment. Raises EC2ClientError where EC2 does not attach."""
        volume = self.get_volume(volume_id)  # type: ignore[attr-defined]
        (instance,) = self.get_multi_instances_by_id([instance_id])
        if volume.attachment:
            raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
        if instance.state not in _ATTACHABLE:
            raise EC2ClientError("IncorrectState", f"Instance '{instance_id}' is not 'running'.")
        if volume.availability_zone != instance.nics[0].subnet.availability_zone:
            raise EC2ClientError(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume_id}' is not in the same availability zone as instance "
                f"'{instance_id}'",
            )
        if not _DEVICE.fullmatch(device):
            raise invalid_value(
                f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS "
                "device name."
            )
        if device in instance.block_device_mapping:
            raise invalid_value(
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already "
                "in use"
            )
        if instance.state == "running":
            try:
                self.site.hypervisor.attach(instance_id, disk_of(volume, device))
            except NitroError as error:
                raise EC2ClientError("AttachmentLimitExceeded", error.what) from None
        return self.attach_volume(volume_id, instance_id, device)

    def detach_local_volume(
        self, volume_id: str, instance_id: str | None, device: str | None
    ) -> Any:
        """Returns the attachment, which ends when the guest has let go."""
        volume = self.get_volume(volume_id)  # type: ignore[attr-defined]
        attachment = volume.attachment
        if attachment is None:
            raise EC2ClientError(
                "IncorrectState", f"Volume '{volume_id}' is in the 'available' state."
            )
        instance = attachment.instance
        if (instance_id or instance.id, device or attachment.device) != (
            instance.id,
            attachment.device,
        ):
            raise EC2ClientError(
                "InvalidAttachment.NotFound",
                f"The volume '{volume_id}' is not attached to instance '{instance_id}' as device "
                f"'{device or attachment.device}'.",
            )
        if instance.state == "stopped":
            return super().detach_volume(  # type: ignore[misc]
                volume_id, instance.id, attachment.device
            )
        if attachment.device == instance.local_image.root_device_name:
            raise EC2ClientError(
                "OperationNotPermitted",
                f"Unable to detach root volume '{attachment.device}' from instance '{instance.id}'",
            )
        try:
            self.site.hypervisor.detach(instance.id, volume_id)
        except NitroError as error:
            raise EC2ClientError("IncorrectState", error.what) from None
        attachment.status = "detaching"
        return attachment

    def settle_volumes(self) -> None:
        """End the attachments that guests have let go of."""
        for volume in self.volumes.values():
            attachment = volume.attachment
            if attachment is None or attachment.status != "detaching":
                continue
            if volume.id not in self.site.hypervisor.attached(attachment.instance.id):
                super().detach_volume(  # type: ignore[misc]
                    volume.id, attachment.instance.id, attachment.device
                )

    def snapshot_volumes(
        self, volumes: Iterable[Any], description: str, tags: dict[str, str]
    ) -> list[DiskSnapshot]:
        """What the volumes hold now, all at the same moment, as pending snapshots."""
        volumes = list(volumes)
        attached = {volume.attachment.instance.id for volume in volumes if volume.attachment}
        assert len(attached) <= 1, "the volumes are of one instance"
        made = [self.open_snapshot(volume, description, tags) for volume in volumes]
        with self.site.hypervisor.paused(attached.pop()) if attached else nullcontext():
            self.fill_snapshots(made)
        return made

    def open_snapshot(self, volume: Any, description: str, tags: dict[str, str]) -> DiskSnapshot:
        """A snapshot of the volume that is pending until `fill_snapshots` has its content."""
        snapshot = DiskSnapshot(
            self,
            random_snapshot_id(),
            size_gib=volume.size,
            description=description,
            encryption=Encryption(volume.kms_key_id),
            volume_id=volume.id,
        )
        snapshot.open_for_writing = True
        snapshot.add_tags(tags)
        self.snapshots[snapshot.id] = snapshot
        return snapshot

    def fill_snapshots(self, snapshots: Iterable[DiskSnapshot]) -> None:
        """Give open snapshots the present content of their volumes, which nothing is to change."""
        for snapshot in snapshots:
            try:
                volume = self.get_volume(snapshot.volume_id)  # type: ignore[attr-defined]
                content = self.site.volumes.make(disk_of(volume))
                self.site.store.take(snapshot.id, content)
            except (EC2ClientError, OSError) as error:  # above all, a full disk
                _log.exception("%s of %s", snapshot.id, snapshot.volume_id)
                snapshot.failure = f"The volume {snapshot.volume_id} could not be read: {error}"
            snapshot.complete_at(self.site.clock() + self.site.pace.complete_snapshot)


def no_room(error: OSError) -> EC2ClientError:
    """For a volume whose file the local Nitro's disk does not take."""
    return EC2ClientError("InsufficientVolumeCapacity", f"The local Nitro's disk: {error.strerror}")


def set_speed(volume: Any, ebs: Mapping[str, Any]) -> None:
    """What EC2 says of the volume's speed where a request does not."""
    volume.iops, volume.throughput = volume_types.speed(
        volume.volume_type, volume.size, ebs.get("Iops"), ebs.get("Throughput")
    )


def keep_volumes(backend: Any, instance: Any, mappings: Iterable[Mapping[str, Any]]) -> None:
    """Set for the named devices whether their volumes go with the instance.

    Raises EC2ClientError for a device that the instance does not have.
    """
    for mapping in mappings:
        block = instance.block_device_mapping.get(mapping["DeviceName"])
        if block is None:
            raise EC2ClientError(
                "InvalidInstanceAttributeValue",
                f"No device is currently mapped at {mapping['DeviceName']}",
            )
        delete = mapping.get("Ebs", {}).get("DeleteOnTermination")
        if delete is not None:
            block.delete_on_termination = delete
            backend.volumes[block.volume_id].attachment.delete_on_termination = delete


class VolumeActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _get_bool_param: GetFlag
    _parse_tag_specification: GetTags

    def create_volume(self) -> ActionResult:
        """Its content is there from now on: the snapshot may go."""
        backend, snapshot_id = self.ec2_backend, self._get_param("SnapshotId")
        size = self._get_param("Size")
        if snapshot_id:
            snapshot = backend.get_snapshot(snapshot_id)
            if snapshot.status != "completed":
                raise EC2ClientError("IncorrectState", f"Snapshot {snapshot_id} is not completed")
            if size is not None and size < snapshot.volume_size:
                raise invalid_value(
                    f"Volume size {size} is smaller than snapshot '{snapshot_id}', expect size "
                    f">= {snapshot.volume_size}"
                )
        zones = [zone.name for zone in backend.describe_availability_zones()]
        if self._get_param("AvailabilityZone") not in zones:
            raise EC2ClientError(
                "InvalidZone.NotFound",
                f"The zone '{self._get_param('AvailabilityZone')}' does not exist.",
            )
        if snapshot_id and size is None:
            size = snapshot.volume_size
        if size is not None:
            asked = map(self._get_param, ("Iops", "Throughput"))
            volume_types.check(self._get_param("VolumeType"), size, *asked)
        result: ActionResult = super().create_volume()  # type: ignore[misc]
        if snapshot_id:
            volume = result.result
            try:
                backend.site.volumes.make(disk_of(volume))
            except OSError as error:
                del backend.volumes[volume.id]
                raise no_room(error) from None
        return result

    def attach_volume(self) -> ActionResult:
        attachment = self.ec2_backend.attach_local_volume(
            self._get_param("VolumeId"), self._get_param("InstanceId"), self._get_param("Device")
        )
        return ActionResult(_attachment(attachment, "attaching"))

    def detach_volume(self) -> ActionResult:
        attachment = self.ec2_backend.detach_local_volume(
            self._get_param("VolumeId"), self._get_param("InstanceId"), self._get_param("Device")
        )
        return ActionResult(_attachment(attachment, "detaching"))

    def create_snapshot(self) -> ActionResult:
        volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
        tags = self._parse_tag_specification("snapshot").get("snapshot", {})
        description = self._get_param("Description", "")
        (snapshot,) = self.ec2_backend.snapshot_volumes([volume], description, tags)
        return ActionResult(snapshot)

    def create_snapshots(self) -> ActionResult:
        """Of all volumes of an instance at the same moment."""
        backend, wanted = self.ec2_backend, self._get_param("InstanceSpecification", {})
        (instance,) = backend.get_multi_instances_by_id([wanted.get("InstanceId")])
        states.require(instance, "pending", "running", "stopping", "stopped")
        root = instance.local_image.root_device_name
        excluded = set(wanted.get("ExcludeDataVolumeIds", []))
        chosen = {
            block.volume_id: backend.volumes[block.volume_id]
            for name, block in instance.block_device_mapping.items()
            if not (name == root and wanted.get("ExcludeBootVolume"))
        }
        for volume_id in excluded - chosen.keys():
            raise invalid_value(f"The volume '{volume_id}' is not attached to '{instance.id}'.")
        tags = self._parse_tag_specification("snapshot").get("snapshot", {})
        made = backend.snapshot_volumes(
            [volume for id_, volume in chosen.items() if id_ not in excluded],
            self._get_param("Description", ""),
            tags,
        )
        if self._get_param("CopyTagsFromSource") == "volume":
            for snapshot in made:
                followed = backend.tags.get(snapshot.volume_id, {})
                kept = {key: value for key, value in followed.items() if key[:4] != "aws:"}
                snapshot.add_tags({**kept, **tags})
        return ActionResult({"Snapshots": [_info(snapshot) for snapshot in made]})


def _attachment(attachment: Any, state: str) -> dict[str, Any]:
    return {
        "VolumeId": attachment.volume.id,
        "InstanceId": attachment.instance.id,
        "Device": attachment.device,
        "State": state,
        "AttachTime": attachment.attach_time,
    }


def _info(snapshot: DiskSnapshot) -> dict[str, Any]:
    """As CreateSnapshots tells of a snapshot; the names are not DescribeSnapshots'."""
    return {
        "Description": snapshot.description,
        "Tags": snapshot.tag_set,
        "Encrypted": snapshot.encrypted,
        "VolumeId": snapshot.volume_id,
        "State": snapshot.status,
        "VolumeSize": snapshot.volume_size,
        "StartTime": snapshot.start_time,
        "Progress": snapshot.progress,
        "OwnerId": snapshot.owner_id,
        "SnapshotId": snapshot.id,
    }
