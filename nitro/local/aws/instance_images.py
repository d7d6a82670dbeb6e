"""CreateImage: an image of an instance, with snapshots of its volumes.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import random_ami_id

from nitro.local.aws import launch, states, volume_types
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.images import LocalImage, plain
from nitro.local.aws.needs import GetFlag, GetParam, GetTags

_TAGGED = ("image", "snapshot")


class InstanceImageActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _get_bool_param: GetFlag
    _parse_tag_specification: GetTags

    def create_image(self) -> ActionResult:
        """A running instance is restarted for it, unless NoReboot says otherwise."""
        backend = self.ec2_backend
        (instance,) = backend.get_multi_instances_by_id([self._get_param("InstanceId")])
        states.require(instance, "running", "stopped")
        name = self._get_param("Name", "")
        backend.check_image_name(name)
        tags = self._parse_tag_specification()
        for kind in tags.keys() - set(_TAGGED):
            raise invalid_value(f"'{kind}' is not a valid taggable resource type here.")
        kept = {
            device: _mapping_of(backend.volumes[block.volume_id], block)
            for device, block in instance.block_device_mapping.items()
        }
        root = instance.local_image.root_device_name
        if root not in kept:
            raise EC2ClientError(
                "IncorrectState", f"The instance '{instance.id}' has no volume attached at {root}."
            )
        image_id = random_ami_id()
        mappings = _merged(kept, plain(self._get_param("BlockDeviceMappings", [])), root)
        description = f"Created by CreateImage({instance.id}) for {image_id}"
        taken = []
        for device, ebs in mappings.items():
            if device in kept:
                volume = backend.volumes[instance.block_device_mapping[device].volume_id]
                snapshot = backend.open_snapshot(volume, description, tags.get("snapshot", {}))
                ebs.update(SnapshotId=snapshot.id, Encrypted=snapshot.encrypted)
                taken.append(snapshot)
        registration = replace(
            instance.local_image.registration,
            name=name,
            ena_support=instance.ena_support,
            description=self._get_param("Description", ""),
            mappings=[{"DeviceName": device, "Ebs": ebs} for device, ebs in mappings.items()],
        )
        available_at = backend.site.clock() + backend.site.pace.register_image
        image = LocalImage(backend, image_id, registration, available_at=available_at)
        image.instance_id = instance.id  # as moto calls the source
        image.add_tags(tags.get("image", {}))
        backend.amis[image.id] = image
        fill = partial(backend.fill_snapshots, taken)
        hypervisor = backend.site.hypervisor
        if instance.state == "running" and not self._get_bool_param("NoReboot", False):
            hypervisor.reboot(instance.id, fill)
        else:
            with hypervisor.paused(instance.id):
                fill()
        return ActionResult({"ImageId": image.id})


def _mapping_of(volume: Any, block: Any) -> dict[str, Any]:
    ebs = {
        "VolumeSize": volume.size,
        "VolumeType": volume.volume_type,
        "DeleteOnTermination": block.delete_on_termination,
        **volume_types.asked_speed(volume.volume_type, volume.iops, volume.throughput),
    }
    return {name: value for name, value in ebs.items() if value is not None}


def _merged(
    kept: Mapping[str, dict[str, Any]], asked: list[dict[str, Any]], root: str
) -> dict[str, dict[str, Any]]:
    """The instance's mappings with those of the request: device name → Ebs.

    Raises EC2ClientError for what the image could not be launched with.
    """
    merged = dict(kept)
    for mapping in asked:
        name = mapping["DeviceName"]
        if "NoDevice" in mapping:
            if name == root:
                raise invalid_value(f"The root device {name} cannot be left out of an image.")
            merged.pop(name, None)
        elif "Ebs" in mapping:
            if name in kept and "SnapshotId" in mapping["Ebs"]:
                raise EC2ClientError(
                    "InvalidBlockDeviceMapping",
                    f"The snapshot of {name} is taken from the instance, and cannot be given.",
                )
            defaults = {"VolumeType": "gp2", "DeleteOnTermination": True, "Encrypted": False}
            ebs = volume_types.merged(merged.get(name, defaults), mapping["Ebs"])
            launch.check_size(name, ebs, kept.get(name, {}).get("VolumeSize"))
            merged[name] = ebs
    return merged
