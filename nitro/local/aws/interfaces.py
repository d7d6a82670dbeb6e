"""Network interfaces whose addresses have the names of their region."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import elastic_network_interfaces

from nitro.local import host_names


class NetworkInterface(elastic_network_interfaces.NetworkInterface):  # type: ignore[misc]
    """moto's, which names every address as in us-east-1. It is serialised by this name, too."""

    def __init__(self, backend: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(backend, *arguments, **options)
        for each in self.private_ip_addresses:
            if "PrivateDnsName" in each:
                name = host_names.private_name(each["PrivateIpAddress"], backend.region_name)
                self.private_dns_name = each["PrivateDnsName"] = name

    @property
    def association(self) -> dict[str, Any]:
        found = dict(super().association)
        if self.public_ip:
            region = self.ec2_backend.region_name
            found["publicDnsName"] = host_names.public_name(self.public_ip, region)
        return found


class InterfacesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    enis: dict[str, Any]

    def create_network_interface(
        self,
        subnet: Any,
        private_ip_address: Any,
        private_ip_addresses: Any = None,
        group_ids: list[str] | None = None,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        delete_on_termination: bool | None = False,
        **options: Any,
    ) -> Any:
        """moto's method takes by position what the interface itself does not."""
        interface = NetworkInterface(
            self,
            subnet,
            private_ip_address,
            private_ip_addresses,
            group_ids=group_ids,
            description=description,
            tags=tags,
            delete_on_termination=delete_on_termination,
            **options,
        )
        self.enis[interface.id] = interface
        return interface
