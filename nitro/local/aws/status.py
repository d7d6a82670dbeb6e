"""What EC2 says beside the description of a resource: states of volumes, credits, passwords."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.needs import GetParam

_BURSTABLE = ("t2.", "t3.", "t3a.", "t4g.")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode-concepts.html
_STANDARD = ("t2.",)  # the other families start as "unlimited"


class StatusActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def describe_volume_status(self) -> ActionResult:
        """Volumes are files here: they are well, or gone."""
        checks = ("io-enabled", "passed"), ("io-performance", "not-applicable")
        well = {
            "Status": "ok",
            "Details": [{"Name": name, "Status": status} for name, status in checks],
        }
        volumes = self.ec2_backend.describe_volumes(self._get_param("VolumeIds", []))
        records = [
            {
                "VolumeId": volume.id,
                "AvailabilityZone": volume.availability_zone,
                "Actions": [],
                "Events": [],
                "VolumeStatus": well,
            }
            for volume in volumes
        ]
        return ActionResult({"VolumeStatuses": records})

    def describe_instance_credit_specifications(self) -> ActionResult:
        """Of burstable instances; one of another type may not be named."""
        backend, named = self.ec2_backend, self._get_param("InstanceIds", [])
        found = backend.get_multi_instances_by_id(named) if named else backend.all_instances()
        burstable = [each for each in found if each.instance_type.startswith(_BURSTABLE)]
        for each in found:
            if named and each not in burstable:
                raise EC2ClientError(
                    "InstanceCreditSpecification.NotSupported",
                    f"The instance '{each.id}' is not burstable.",
                )
        records = [
            {
                "InstanceId": each.id,
                "CpuCredits": each.local_credits or _default_credits(each.instance_type),
            }
            for each in burstable
            if each.state != "terminated"
        ]
        return ActionResult({"InstanceCreditSpecifications": records})

    def modify_instance_credit_specification(self) -> ActionResult:
        """Those that cannot be changed are told, with why; the others are."""
        changed: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for each in self._get_param("InstanceCreditSpecifications", []):
            instance_id, wanted = each.get("InstanceId"), each.get("CpuCredits")
            (instance,) = self.ec2_backend.get_multi_instances_by_id([instance_id])
            if wanted not in ("standard", "unlimited"):
                raise EC2ClientError("InvalidParameterValue", f"Invalid CpuCredits '{wanted}'.")
            if instance.instance_type.startswith(_BURSTABLE):
                instance.local_credits = wanted
                changed.append({"InstanceId": instance_id})
            else:
                code, text = "InstanceCreditSpecification.NotSupported", "It is not burstable."
                failed.append({"InstanceId": instance_id, "Error": {"Code": code, "Message": text}})
        return ActionResult(
            {
                "SuccessfulInstanceCreditSpecifications": changed,
                "UnsuccessfulInstanceCreditSpecifications": failed,
            }
        )

    def describe_security_group_references(self) -> ActionResult:
        """None: networks have no peers here."""
        for group_id in self._get_param("GroupId", []):
            if self.ec2_backend.get_security_group_from_id(group_id) is None:
                raise EC2ClientError(
                    "InvalidGroup.NotFound", f"The security group '{group_id}' does not exist"
                )
        return ActionResult({"SecurityGroupReferenceSet": []})

    def describe_stale_security_groups(self) -> ActionResult:
        self.ec2_backend.get_vpc(self._get_param("VpcId"))
        return ActionResult({"StaleSecurityGroupSet": []})

    def get_default_credit_specification(self) -> ActionResult:
        family = self._get_param("InstanceFamily")
        told = {"InstanceFamily": family, "CpuCredits": _default_credits(f"{family}.")}
        return ActionResult({"InstanceFamilyCreditSpecification": told})

    def get_serial_console_access_status(self) -> ActionResult:
        return ActionResult({"SerialConsoleAccessEnabled": False, "ManagedBy": "account"})

    def get_instance_metadata_defaults(self) -> ActionResult:
        """None are set, and those of the image and of EC2 count."""
        return ActionResult({"AccountLevel": {"ManagedBy": "account"}})

    def get_allowed_images_settings(self) -> ActionResult:
        return ActionResult({"State": "disabled", "ImageCriteria": [], "ManagedBy": "account"})

    def get_password_data(self) -> ActionResult:
        """None: it is what Windows writes to its console."""
        (instance,) = self.ec2_backend.get_multi_instances_by_id([self._get_param("InstanceId")])
        return ActionResult(
            {"InstanceId": instance.id, "PasswordData": "", "Timestamp": instance.launch_time}
        )


def _default_credits(type_name: str) -> str:
    return "standard" if type_name.startswith(_STANDARD) else "unlimited"
