"""What of an instance can be changed after its launch."""

from __future__ import annotations

import base64
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws import interfaces, launch, states
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.needs import GetParam
from nitro.local.aws.volumes import keep_volumes

_HARDWARE = {
    "EbsOptimized": "ebs_optimized",
    "EnaSupport": "ena_support",
    "SriovNetSupport": "sriov_net_support",
}
_FLAGS = {
    "DisableApiStop": "disable_api_stop",
    "DisableApiTermination": "disable_api_termination",
    "InstanceInitiatedShutdownBehavior": "instance_initiated_shutdown_behavior",
    "SourceDestCheck": "source_dest_check",
}
_BOOLEANS = (
    *("DisableApiStop", "DisableApiTermination", "EbsOptimized", "EnaSupport"),
    "SourceDestCheck",
)
_NAMED = (*_FLAGS, *_HARDWARE, "InstanceType", "UserData")
_METADATA_OPTIONS = {
    "HttpEndpoint": "http_endpoint",
    "HttpPutResponseHopLimit": "http_put_response_hop_limit",
    "HttpTokens": "http_tokens",
    "InstanceMetadataTags": "instance_metadata_tags",
}


class InstanceAttributeActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    params: dict[str, Any]
    _get_param: GetParam

    def modify_instance_attribute(self) -> EmptyResult:
        """A type is changed while the instance is stopped; groups at any time."""
        backend = self.ec2_backend
        (instance,) = backend.get_multi_instances_by_id([self._get_param("InstanceId")])
        self._take_named()
        if wanted := self._get_param("InstanceType", {}).get("Value"):
            states.require(instance, "stopped")
            launch.check_fit(instance.local_image, wanted)
            instance.instance_type = wanted
        elif ids := self._get_param("Groups", []):
            groups = interfaces.groups_of(backend, ids, instance.nics[0].subnet.vpc_id)
            instance.nics[0]._group_set = instance.security_groups = groups
        elif mappings := self._get_param("BlockDeviceMappings", []):
            keep_volumes(backend, instance, mappings)
        elif not self._set_hardware(instance) and not self._set_flag(instance):
            raise EC2ClientError("InvalidParameterCombination", "No attributes specified.")
        return EmptyResult()

    def _take_named(self) -> None:
        """An attribute that is given by its name and a value, as by its own parameter."""
        name, value = self._get_param("Attribute"), self._get_param("Value")
        if name is None:
            return
        member = name[:1].upper() + name[1:]
        if value is None or member not in _NAMED:
            raise invalid_value(f"Value ({name}) for parameter attribute is invalid.")
        if member in _BOOLEANS:
            if value.lower() not in ("true", "false"):
                raise invalid_value(f"Value ({value}) for parameter value is invalid.")
            value = value.lower() == "true"
        if member == "UserData":
            try:
                value = base64.b64decode(value, validate=True)
            except ValueError:
                raise invalid_value("Invalid BASE64 encoding of user data.") from None
        self.params[member] = {"Value": value}

    def _set_flag(self, instance: Any) -> bool:
        """Whether it is one of those that are changed at any time."""
        for name, attribute in _FLAGS.items():
            value = self._get_param(name, {}).get("Value")
            if value is None:
                continue
            if name == "InstanceInitiatedShutdownBehavior" and value not in ("stop", "terminate"):
                raise invalid_value(f"Value ({value}) for parameter {name} is invalid.")
            setattr(instance, attribute, value)
            if name == "SourceDestCheck":
                instance.nics[0].source_dest_check = value
            return True
        return False

    def _set_hardware(self, instance: Any) -> bool:
        """Whether it is one of those that are changed while the instance is stopped."""
        data = self._get_param("UserData", {}).get("Value")
        if data is not None:
            states.require(instance, "stopped")
            encoded = base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()
            launch.check_user_data(encoded)
            instance.user_data = encoded
            return True
        for name, attribute in _HARDWARE.items():
            value = self._get_param(name, {}).get("Value")
            if value is not None:
                states.require(instance, "stopped")
                setattr(instance, attribute, value)
                return True
        return False

    def monitor_instances(self) -> ActionResult:
        return self._monitor("enabled")

    def unmonitor_instances(self) -> ActionResult:
        return self._monitor("disabled")

    def _monitor(self, state: str) -> ActionResult:
        found = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds"))
        for instance in found:
            instance.monitoring_state = state
        records = [{"InstanceId": each.id, "Monitoring": {"State": state}} for each in found]
        return ActionResult({"InstanceMonitorings": records})

    def modify_instance_metadata_options(self) -> ActionResult:
        """What is given changes; moto would reset the rest."""
        backend = self.ec2_backend
        (instance,) = backend.get_multi_instances_by_id([self._get_param("InstanceId")])
        states.require(instance, "pending", "running", "stopping", "stopped")
        options = instance.metadata_options
        for name, attribute in _METADATA_OPTIONS.items():
            if (value := self._get_param(name)) is not None:
                setattr(options, attribute, value)
        return ActionResult({"InstanceId": instance.id, "InstanceMetadataOptions": options})

    def get_instance_uefi_data(self) -> EmptyResult:
        raise EC2ClientError("UnsupportedOperation", "The local Nitro keeps no UEFI data.")
