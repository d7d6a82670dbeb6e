"""What EC2 tells of every instance, whether or not it was asked for at the launch.

Clients read these without looking whether they are there.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidKeyPairFormatError
from moto.ec2.models import instances
from moto.ec2.models.instance_types import INSTANCE_TYPES

from nitro.local.aws.needs import GetParam

_ALWAYS: Mapping[str, Any] = {
    "capacity_reservation_specification": {"CapacityReservationPreference": "open"},
    "enclave_options": {"Enabled": False},
    "hibernation_options": {"Configured": False},
    "maintenance_options": {"AutoRecovery": "default", "RebootMigration": "default"},
    "network_performance_options": {"BandwidthWeighting": "default"},
    "operator": {"Managed": False},
    "platform_details": "Linux/UNIX",
    "private_dns_name_options": {
        "HostnameType": "ip-name",
        "EnableResourceNameDnsARecord": False,
        "EnableResourceNameDnsAAAARecord": False,
    },
    "usage_operation": "RunInstances",
}


class Instance(instances.Instance):  # type: ignore[misc]
    """moto's, which becomes one of these. It is serialised by this name, too."""

    local_cores: Mapping[str, int]  # the CpuOptions of the launch

    @property
    def cpu_options(self) -> Mapping[str, int]:
        facts = INSTANCE_TYPES[self.instance_type]["VCpuInfo"]
        threads = int(facts.get("DefaultThreadsPerCore", 1))
        cores = int(facts.get("DefaultCores", facts["DefaultVCpus"] // threads))
        return self.local_cores or {"CoreCount": cores, "ThreadsPerCore": threads}

    @property
    def private_ip_address(self) -> str | None:
        """None of an instance that has ended: its interface is gone."""
        address: str | None = super().private_ip_address
        return None if self.state == "terminated" else address

    @property
    def private_dns_name(self) -> str:
        return super().private_dns_name if self.private_ip_address else ""

    @property
    def network_interfaces(self) -> list[Any]:
        return [] if self.state == "terminated" else list(super().network_interfaces)

    @property
    def block_device_mappings(self) -> list[Any]:
        return [] if self.state == "terminated" else list(super().block_device_mappings)

    @property
    def public_dns_name(self) -> str:
        return super().public_dns_name or ""


def adopt(instance: Any, cores: Mapping[str, int]) -> None:
    """Have EC2 tell the rest of an instance that was launched with the CpuOptions `cores`."""
    instance.__class__ = Instance
    instance.local_cores = cores
    vars(instance).update(_ALWAYS)
    instance.usage_operation_update_time = instance.launch_time


class KeyPairActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    params: dict[str, Any]
    _get_param: GetParam

    def create_key_pair(self) -> ActionResult:
        """RSA where nothing else is asked for."""
        self.params["KeyType"] = self._get_param("KeyType") or "rsa"
        return super().create_key_pair()  # type: ignore[misc]

    def import_key_pair(self) -> ActionResult:
        """moto lets through what its library says of a kind of key that it does not know."""
        try:
            return super().import_key_pair()  # type: ignore[misc]
        except UnsupportedAlgorithm:
            raise InvalidKeyPairFormatError from None
