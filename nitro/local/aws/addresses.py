"""Elastic addresses: of 127.0.0.0/8 here, like all public ones, and an instance's as long as asked.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.utils import random_eip_association_id

from nitro.local.aws import states
from nitro.local.aws.needs import GetParam, GetTags
from nitro.local.aws.site import Site


class AddressesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    site: Site
    addresses: list[Any]

    def elastic_address_of(self, nic: Any) -> Any | None:
        """The one that an interface has."""
        return next((each for each in self.addresses if each.eni is nic), None)

    def give_public_address(self, instance: Any) -> None:
        """In the place of the one that moto has drawn, unless the instance has an elastic one."""
        nic = instance.nics[0]
        if elastic := self.elastic_address_of(nic):
            nic.public_ip = elastic.public_ip
        elif nic.public_ip:
            nic.public_ip = instance.local_public_ip = self.site.addresses.take()

    def give_back_address(self, instance: Any) -> None:
        """The one that is the instance's own, if it has one."""
        if address := getattr(instance, "local_public_ip", None):
            self.site.addresses.give_back(address)
            instance.local_public_ip = None

    def free_addresses(self, instance: Any) -> None:
        """End the associations of an instance that has been terminated."""
        for address in self.addresses:
            if address.instance is instance:
                address.instance = address.eni = address.association_id = None


class AddressActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _parse_tag_specification: GetTags

    def allocate_address(self) -> ActionResult:
        backend = self.ec2_backend
        tags = self._parse_tag_specification("elastic-ip").get("elastic-ip", {})
        address = ElasticAddress(backend, "vpc", backend.site.addresses.take(), tags)
        backend.addresses.append(address)
        told = {
            "PublicIp": address.public_ip,
            "Domain": "vpc",
            "AllocationId": address.allocation_id,
            "PublicIpv4Pool": "amazon",
            "NetworkBorderGroup": backend.region_name,
        }
        return ActionResult(told)

    def associate_address(self) -> ActionResult:
        """In the place of the public address that the instance has, if it has one."""
        backend, address = self.ec2_backend, self._address()
        nic = self._interface()
        if nic.instance is None:
            raise EC2ClientError(
                "UnsupportedOperation",
                "The local Nitro associates elastic addresses with instances only.",
            )
        instance = nic.instance
        states.require(instance, "pending", "running", "stopping", "stopped")
        held = backend.elastic_address_of(nic)
        if held is address:
            return ActionResult({"AssociationId": address.association_id})
        if address.eni is not None and address.eni is not nic:
            if not self._get_param("AllowReassociation", True):
                raise EC2ClientError(
                    "Resource.AlreadyAssociated",
                    f"resource {address.allocation_id} is already associated with associate-id "
                    f"{address.association_id}",
                )
            self._dissociate(address)
        if held is not None:
            held.instance = held.eni = held.association_id = None
        own = getattr(instance, "local_public_ip", None)
        if own:
            backend.site.addresses.give_back(own)
            instance.local_public_ip = None
        address.instance, address.eni = instance, nic
        address.association_id = random_eip_association_id()
        nic.public_ip = address.public_ip
        return ActionResult({"AssociationId": address.association_id})

    def disassociate_address(self) -> EmptyResult:
        wanted = self._get_param("AssociationId")
        for address in self.ec2_backend.addresses:
            if wanted and address.association_id == wanted:
                self._dissociate(address)
                return EmptyResult()
        if wanted:
            raise EC2ClientError(
                "InvalidAssociationID.NotFound", f"The association ID '{wanted}' does not exist"
            )
        self._dissociate(self._address())
        return EmptyResult()

    def release_address(self) -> EmptyResult:
        backend, address = self.ec2_backend, self._address()
        if address.eni is not None:
            raise EC2ClientError(
                "InvalidIPAddress.InUse", f"Address {address.public_ip} is in use."
            )
        backend.addresses.remove(address)
        backend.site.addresses.give_back(address.public_ip)
        return EmptyResult()

    def describe_addresses_attribute(self) -> ActionResult:
        """Their names, of which none has one of its own."""
        known = {each.allocation_id: each for each in self.ec2_backend.addresses}
        named = self._get_param("AllocationIds", [])
        for id_ in named:
            if id_ not in known:
                raise _unknown(id_)
        records = [
            {"PublicIp": known[id_].public_ip, "AllocationId": id_} for id_ in named or known
        ]
        return ActionResult({"Addresses": records})

    def _dissociate(self, address: Any) -> None:
        """The instance gets a public address of its own again if it was launched to have one."""
        nic, instance = address.eni, address.instance
        address.instance = address.eni = address.association_id = None
        if nic is not None:
            nic.public_ip = None
            if instance is not None and instance.state in ("pending", "running"):
                nic.check_auto_public_ip()
                self.ec2_backend.give_public_address(instance)

    def _address(self) -> Any:
        """The one that the request names by its allocation, or by itself."""
        allocation, ip = self._get_param("AllocationId"), self._get_param("PublicIp")
        if not allocation and not ip:
            raise EC2ClientError(
                "MissingParameter", "Either public IP or allocation id must be specified"
            )
        if allocation and ip:
            raise EC2ClientError(
                "InvalidParameterCombination",
                "You may specify public IP or allocation id, but not both in the same call",
            )
        for address in self.ec2_backend.addresses:
            if allocation and address.allocation_id == allocation:
                return address
            if not allocation and address.public_ip == ip:
                return address
        if allocation:
            raise _unknown(allocation)
        raise EC2ClientError("InvalidAddress.NotFound", f"Address '{ip}' not found.")

    def _interface(self) -> Any:
        backend = self.ec2_backend
        if interface_id := self._get_param("NetworkInterfaceId"):
            return backend.get_network_interface(interface_id)
        if instance_id := self._get_param("InstanceId"):
            (instance,) = backend.get_multi_instances_by_id([instance_id])
            return instance.nics[0]
        raise EC2ClientError(
            "MissingParameter", "Either instance ID or network interface ID needed"
        )


def _unknown(allocation_id: str) -> EC2ClientError:
    return EC2ClientError(
        "InvalidAllocationID.NotFound", f"The allocation ID '{allocation_id}' does not exist"
    )
