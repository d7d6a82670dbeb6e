"""Volumes whose size, type or speed changes, and their other attributes.

The change has effect at once; its record goes through AWS's states as time passes.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modify-volume.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws import volume_types, volumes
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.needs import GetParam
from nitro.local.aws.snapshots import GIB

USUAL_IOPS = 3000  # of a volume that becomes io1 or io2
HOURS_BETWEEN = 6  # from the start of a change to that of the next one of the same volume
_MEMBERS = {"Size": "size", "VolumeType": "volume_type", "Iops": "iops", "Throughput": "throughput"}


class Change:
    """The last change of a volume. `began` and `lasts` are seconds of the site's clock."""

    def __init__(self, volume: Any, target: dict[str, Any], began: float, lasts: float) -> None:
        self.volume_id = volume.id
        self.original = {name: getattr(volume, member) for name, member in _MEMBERS.items()}
        self.target, self.began, self.lasts = target, began, lasts
        self.started = utcnow()

    def describe(self, now: float) -> dict[str, Any]:
        """As a VolumeModification of the model."""
        share = min(1.0, (now - self.began) / self.lasts) if self.lasts else 1.0
        state = "completed" if share == 1 else "optimizing" if share >= 0.5 else "modifying"
        told: dict[str, Any] = {
            "VolumeId": self.volume_id,
            "ModificationState": state,
            "Progress": int(share * 100),
            "StartTime": self.started,
        }
        for name in _MEMBERS:
            told[f"Original{name}"], told[f"Target{name}"] = self.original[name], self.target[name]
        if state == "completed":
            told["EndTime"] = self.started + timedelta(seconds=self.lasts)
        return {name: value for name, value in told.items() if value is not None}


class VolumeChangeActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def modify_volume(self) -> ActionResult:
        """A running guest sees a larger disk when it starts again: QEMU's NVMe does not grow."""
        backend, site = self.ec2_backend, self.ec2_backend.site
        volume = backend.get_volume(self._get_param("VolumeId"))
        self._check_pace(volume)
        target = self._target(volume)
        change = Change(volume, target, site.clock(), site.pace.modify_volume)
        if target["Size"] > volume.size:
            try:
                site.volumes.grow(volume.id, target["Size"] * GIB)
            except OSError as error:
                raise volumes.no_room(error) from None
        for name, member in _MEMBERS.items():
            setattr(volume, member, target[name])
        volume.local_change = change
        told = change.describe(site.clock())
        return ActionResult({"VolumeModification": told})

    def describe_volumes_modifications(self) -> ActionResult:
        now, changes = self.ec2_backend.site.clock(), dict(self._changed())
        named = self._get_param("VolumeIds", [])
        for volume_id in named:
            self.ec2_backend.get_volume(volume_id)
            if volume_id not in changes:
                raise EC2ClientError(
                    "InvalidVolumeModification.NotFound",
                    f"Modification for volume '{volume_id}' does not exist.",
                )
        chosen = [changes[id_] for id_ in named] or list(changes.values())
        return ActionResult({"VolumesModifications": [each.describe(now) for each in chosen]})

    def describe_volume_attribute(self) -> ActionResult:
        volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
        attribute = self._get_param("Attribute")
        told: dict[Any, dict[str, Any]] = {
            "autoEnableIO": {"AutoEnableIO": {"Value": getattr(volume, "local_auto_io", False)}},
            "productCodes": {"ProductCodes": []},
        }
        if attribute not in told:
            raise invalid_value(f"Value ({attribute}) for parameter attribute is invalid.")
        return ActionResult({"VolumeId": volume.id, **told[attribute]})

    def modify_volume_attribute(self) -> ActionResult:
        volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
        value = self._get_param("AutoEnableIO", {}).get("Value")
        if value is None:
            raise EC2ClientError("InvalidParameterCombination", "No attributes specified.")
        volume.local_auto_io = value
        return EmptyResult()

    def _changed(self) -> Iterator[tuple[str, Change]]:
        for volume in self.ec2_backend.volumes.values():
            if change := getattr(volume, "local_change", None):
                yield volume.id, change

    def _check_pace(self, volume: Any) -> None:
        """Raises EC2ClientError for a volume whose last change is too recent."""
        change, now = getattr(volume, "local_change", None), self.ec2_backend.site.clock()
        if change is None:
            return
        if change.describe(now)["ModificationState"] == "modifying":
            raise EC2ClientError(
                "IncorrectModificationState",
                f"Cannot modify volume '{volume.id}': it is being modified already.",
            )
        if now - change.began < HOURS_BETWEEN * 3600:
            raise EC2ClientError(
                "VolumeModificationRateExceeded",
                "You've reached the maximum modification rate per volume limit. Wait at least "
                f"{HOURS_BETWEEN} hours between modifications per EBS volume.",
            )

    def _target(self, volume: Any) -> dict[str, Any]:
        """What the volume is to be. Raises EC2ClientError for what none can be."""
        asked = {name: self._get_param(name) for name in _MEMBERS}
        if all(value is None for value in asked.values()):
            raise invalid_value("Must specify at least one of size, type, iops, throughput.")
        size = volume.size if asked["Size"] is None else asked["Size"]
        if size < volume.size:
            raise invalid_value("New size cannot be smaller than existing size")
        kind = asked["VolumeType"] or volume.volume_type
        given = {name: asked[name] for name in ("Iops", "Throughput")}
        if kind == volume.volume_type and kind not in ("gp2", "standard", "st1", "sc1"):
            given = {
                name: getattr(volume, _MEMBERS[name]) if value is None else value
                for name, value in given.items()
            }
        elif kind in ("io1", "io2") and given["Iops"] is None:
            given["Iops"] = USUAL_IOPS
        volume_types.check(kind, size, given["Iops"], given["Throughput"])
        speed = volume_types.speed(kind, size, given["Iops"], given["Throughput"])
        return {"Size": size, "VolumeType": kind, "Iops": speed[0], "Throughput": speed[1]}
