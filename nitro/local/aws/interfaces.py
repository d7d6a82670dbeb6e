"""Network interfaces: the names of their addresses, and what of them can be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.responses import EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import elastic_network_interfaces

from nitro.local import host_names
from nitro.local.aws import private_addresses
from nitro.local.aws.needs import Check, GetParam
from nitro.local.link import mac_of


class NetworkInterface(elastic_network_interfaces.NetworkInterface):  # type: ignore[misc]
    """moto's, which names every address as in us-east-1. It is serialised by this name, too."""

    def __init__(self, backend: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(backend, *arguments, **options)
        for each in self.private_ip_addresses:
            if "PrivateDnsName" in each:
                name = host_names.private_name(each["PrivateIpAddress"], backend.region_name)
                self.private_dns_name = each["PrivateDnsName"] = name

    @property
    def association(self) -> dict[str, Any] | None:
        """With a public address; there is none without."""
        if not self.public_ip:
            return None
        region = self.ec2_backend.region_name
        name = host_names.public_name(self.public_ip, region)
        return {**super().association, "publicDnsName": name}


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

    def delete_network_interface(self, eni_id: str) -> None:
        interface = self.enis.get(eni_id)
        super().delete_network_interface(eni_id)  # type: ignore[misc]
        if interface:
            interface.subnet.del_subnet_ip(interface.private_ip_address)


def set_up(instance: Any, asked: Sequence[Mapping[str, Any]]) -> None:
    """Give the interfaces of a new instance what its launch has asked for, and their MACs."""
    wanted = {int(each.get("DeviceIndex", 0)): each for each in asked}
    for index, nic in instance.nics.items():
        given = wanted.get(index, {})
        nic.delete_on_termination = given.get("DeleteOnTermination", True)
        nic.description = given.get("Description", nic.description)
        nic.mac_address = mac_of(nic.private_ip_address)


def let_go(instance: Any) -> None:
    """Free the interfaces that outlive an instance that has ended."""
    for nic in instance.nics.values():
        if not nic.delete_on_termination:
            nic.instance = nic.attachment_id = nic.attach_time = nic.device_index = None
            nic.public_ip, nic.status = None, "available"


def groups_of(backend: Any, ids: Sequence[str], vpc_id: str) -> list[Any]:
    """The security groups, which an interface of the VPC is to have. Raises EC2ClientError."""
    groups = [backend.get_security_group_from_id(id_) for id_ in ids]
    for id_, group in zip(ids, groups, strict=True):
        if group is None:
            raise EC2ClientError(
                "InvalidGroup.NotFound", f"The security group '{id_}' does not exist"
            )
        if group.vpc_id != vpc_id:
            raise EC2ClientError(
                "InvalidGroup.NotFound",
                "You have specified two resources that belong to different networks.",
            )
    return groups


class InterfaceActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    error_on_dryrun: Check
    params: dict[str, Any]
    _get_param: GetParam

    def create_network_interface(self) -> Any:
        """With an address that is free, the one that is asked for."""
        subnet = self.ec2_backend.get_subnet(self._get_param("SubnetId"))
        asked = self._get_param("PrivateIpAddress")
        groups_of(self.ec2_backend, self._get_param("Groups", []), subnet.vpc_id)
        private_addresses.check_room(subnet, 1)
        if asked:
            private_addresses.check(subnet, asked)
        address = self.params["PrivateIpAddress"] = private_addresses.take(subnet, asked)
        try:
            return super().create_network_interface()  # type: ignore[misc]
        except BaseException:
            subnet.del_subnet_ip(address)
            raise

    def modify_network_interface_attribute(self) -> EmptyResult:
        """What is given changes. That a source is not checked is noted, and nothing is dropped."""
        backend = self.ec2_backend
        nic = backend.get_network_interface(self._get_param("NetworkInterfaceId"))
        ids = self._get_param("Groups", [])
        groups = groups_of(backend, ids, nic.subnet.vpc_id)
        text = self._get_param("Description", {}).get("Value")
        checked = self._get_param("SourceDestCheck", {}).get("Value")
        if not groups and text is None and checked is None:
            raise EC2ClientError("InvalidParameterCombination", "No attributes specified.")
        if groups:
            nic._group_set = groups
            if nic.instance:
                nic.instance.security_groups = groups
        if text is not None:
            nic.description = text
        if checked is not None:
            nic.source_dest_check = checked
            if nic.instance:
                nic.instance.source_dest_check = checked
        return EmptyResult()
