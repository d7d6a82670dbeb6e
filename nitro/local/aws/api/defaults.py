"""Parameters that are taken with the value that they have here anyway, and with no other.

Clients send some of them with every request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: operation → parameter → its only value
ONLY: Mapping[str, Mapping[str, object]] = {
    "RunInstances": {
        "CapacityReservationSpecification.CapacityReservationPreference": "open",
        "EnclaveOptions.Enabled": False,
        "HibernationOptions.Configured": False,
        "MaintenanceOptions.AutoRecovery": "default",
        "NetworkInterfaces.InterfaceType": "interface",
        "NetworkInterfaces.NetworkCardIndex": 0,
        "Placement.Tenancy": "default",
        "NetworkPerformanceOptions.BandwidthWeighting": "default",
        "PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord": False,
        "PrivateDnsNameOptions.EnableResourceNameDnsARecord": False,
        "PrivateDnsNameOptions.HostnameType": "ip-name",
    },
    "ImportImage": {"LicenseType": "BYOL"},
    "CreateVolume": {"MultiAttachEnabled": False},
    "ModifyVolume": {"MultiAttachEnabled": False},
}


def others(operation: str, given: Iterable[tuple[str, object]]) -> list[str]:
    """What to say of each given parameter (an `A.B` path, its value) that has another value."""
    only = ONLY.get(operation, {})
    return sorted(
        {
            f"{_shown(value)} as {name}"
            for name, value in given
            if name in only and value != only[name]
        }
    )


def listed(operation: str) -> dict[str, str]:
    """The parameters of an operation, with their values as a request has them."""
    return {name: _shown(value) for name, value in ONLY.get(operation, {}).items()}


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
