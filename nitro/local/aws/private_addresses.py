"""Private addresses that are asked for: in their subnet, free, and none of AWS's own.

https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value, unsupported

_FIRST = 4  # of each subnet, which AWS keeps; it keeps the last one, too


def check(subnet: Any, address: str) -> None:
    """Raises EC2ClientError for an address that an interface in the subnet cannot have."""
    try:
        asked = ipaddress.IPv4Address(address)
    except ValueError:
        raise invalid_value(
            f"Value ({address}) for parameter privateIpAddress is invalid."
        ) from None
    network = ipaddress.IPv4Network(subnet.cidr_block)
    if asked not in network:
        raise invalid_value(f"Address {asked} does not fall within the subnet's address range")
    if int(asked) - int(network[0]) < _FIRST or asked == network[-1]:
        raise invalid_value(f"Address {asked} is in subnet's reserved address range")
    if str(asked) in subnet._subnet_ips:
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {asked} is in use.")


def check_launch(backend: Any, options: Mapping[str, Any], count: int) -> None:
    """Raises EC2ClientError for the addresses, or for too many instances, of a launch.

    An address in a list of one is the interface's first, whether it says so or not.
    """
    nics = options.get("nics") or [{"PrivateIpAddress": options.get("private_ip")}]
    for nic in nics:
        subnet_id = nic.get("SubnetId") or options.get("subnet_id")
        subnet = backend.get_subnet(subnet_id) if subnet_id else None
        asked = list(_asked(nic))
        if asked and count > 1:
            raise EC2ClientError(
                "InvalidParameterCombination",
                "A private IP address may be specified for one instance only.",
            )
        if subnet:
            check_room(subnet, count)
            for address in asked:
                check(subnet, address)


def _asked(nic: Mapping[str, Any]) -> Iterator[str]:
    listed = nic.get("PrivateIpAddresses", [])
    if len(listed) > 1:
        raise unsupported("The local Nitro does not support secondary private addresses.")
    for each in listed:
        each["Primary"] = True
    yield from filter(None, [nic.get("PrivateIpAddress")])
    yield from (each["PrivateIpAddress"] for each in listed)


def check_room(subnet: Any, count: int) -> None:
    """Raises EC2ClientError where the subnet has fewer free addresses."""
    if subnet.available_ip_address_count < count:
        raise EC2ClientError(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the "
            "requested number of instances.",
        )


def take(subnet: Any, address: str | None) -> str:
    """An address, the one that is asked for, that nothing else in the subnet gets from now on."""
    if address is None:
        return str(subnet.get_available_subnet_ip(None))
    subnet.request_ip(address, None)
    return address
