"""What an instance reads from its metadata service: folders, and leaves of text.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html#instancedata-data-categories
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nitro.local import host_names, identity
from nitro.local.hypervisor import Guest
from nitro.local.metadata_versions import VERSIONS, existed

CREDENTIALS_LAST = timedelta(hours=6)

Leaf = str | bytes | Callable[[], bytes] | None  # None: what this guest has not


class Keys(dict[str, Any]):
    """The public keys, which are listed as `0=NAME` and read as `0/openssh-key`."""

    def __init__(self, named: Sequence[tuple[str, str]]) -> None:
        super().__init__({str(n): {"openssh-key": key} for n, (_, key) in enumerate(named)})
        self.names = [name for name, _ in named]


def tree(guest: Guest) -> dict[str, Any]:
    """All that a guest can read today: folders (dictionaries) and leaves (`Leaf`)."""
    metadata: dict[str, Any] = {
        "ami-id": guest.image_id,
        "ami-launch-index": str(guest.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _block_devices(guest),
        "events": {"maintenance": {"history": "[]", "scheduled": "[]"}},
        "hostname": _hostname(guest),
        "iam": _iam(guest),
        "identity-credentials": {"ec2": _identity_credentials(guest)},
        "instance-action": "none",
        "instance-id": guest.instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": guest.instance_type,
        "local-hostname": _hostname(guest),
        "local-ipv4": guest.private_ip,
        "mac": guest.mac,
        "metrics": {"vhostmd": '<?xml version="1.0" encoding="UTF-8"?>'},
        "network": {"interfaces": {"macs": {guest.mac: _interface(guest)}}},
        "placement": {
            "availability-zone": guest.availability_zone,
            "availability-zone-id": guest.zone_id or None,
            "group-name": guest.placement_group or None,
            "region": guest.region,
        },
        "profile": "default-hvm",
        "public-hostname": _public_hostname(guest),
        "public-ipv4": guest.public_ip,
        "public-keys": _public_keys(guest),
        "reservation-id": guest.reservation_id,
        "security-groups": "\n".join(guest.security_groups),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
        "system": "nitro",
    }
    if guest.metadata_tags is not None:
        metadata["tags"] = {"instance": dict(guest.metadata_tags)}
    document = identity.document(guest)
    latest: dict[str, Any] = {
        "meta-data": metadata,
        "dynamic": {
            "fws": {"instance-monitoring": "disabled"},
            "instance-identity": {
                "document": document,
                "pkcs7": functools.partial(identity.pkcs7_signature, document),
                "rsa2048": functools.partial(identity.pkcs7_signature, document),
                "signature": functools.partial(identity.signature, document),
            },
        },
        "user-data": guest.user_data,
    }
    return latest


def find(guest: Guest, path: Sequence[str]) -> bytes | None:
    """What `guest` reads at `path`, whose first part is a version: a leaf, or a folder's listing.

    None when there is neither, or was not in that version.
    """
    if not path:
        return "\n".join(VERSIONS).encode()
    version, *below = path
    if version not in VERSIONS:
        return None
    folder: Any = tree(guest)
    for depth, part in enumerate(below, 1):
        if not isinstance(folder, dict) or not existed(below[:depth], version):
            return None
        folder = folder.get(part)
    if isinstance(folder, dict):
        names = [name for name in folder if existed((*below, name), version)]
        return "\n".join(_listing(folder, names, top=not below)).encode()
    if callable(folder):
        return bytes(folder())
    return folder.encode() if isinstance(folder, str) else folder


def _listing(folder: dict[str, Any], names: list[str], *, top: bool) -> list[str]:
    """The names in a folder. Other folders in it have a slash, except the three of a version."""
    if isinstance(folder, Keys):
        return [f"{number}={name}" for number, name in enumerate(folder.names)]
    return [
        f"{name}/" if isinstance(folder[name], dict) and not top else name
        for name in sorted(names)
        if folder[name] is not None
    ]


def _interface(guest: Guest) -> dict[str, Any]:
    found: dict[str, Any] = {
        "device-number": "0",
        "interface-id": guest.interface_id or None,
        "local-hostname": _hostname(guest),
        "local-ipv4s": guest.private_ip,
        "mac": guest.mac,
        "owner-id": guest.account_id,
        "public-hostname": _public_hostname(guest),
        "public-ipv4s": guest.public_ip,
        "security-group-ids": "\n".join(guest.security_group_ids) or None,
        "security-groups": "\n".join(guest.security_groups),
        "subnet-id": guest.network.subnet_id,
        "subnet-ipv4-cidr-block": guest.network.cidr,
        "vpc-id": guest.network.vpc_id,
        "vpc-ipv4-cidr-block": guest.network.vpc_cidr or None,
        "vpc-ipv4-cidr-blocks": guest.network.vpc_cidr or None,
    }
    if guest.public_ip:
        found["ipv4-associations"] = {guest.public_ip: guest.private_ip}
    return found


def _hostname(guest: Guest) -> str:
    return host_names.private_name(guest.private_ip, guest.region)


def _public_hostname(guest: Guest) -> str | None:
    return host_names.public_name(guest.public_ip, guest.region) if guest.public_ip else None


def _public_keys(guest: Guest) -> Keys | None:
    return Keys([(guest.key_name, guest.public_key)]) if guest.key_name else None


def _iam(guest: Guest) -> dict[str, Any] | None:
    """The role's credentials open nothing here: the endpoint has one key."""
    profile = guest.profile
    if profile is None:
        return None
    info = {
        "Code": "Success",
        "LastUpdated": _time(datetime.now(UTC)),
        "InstanceProfileArn": profile.arn,
        "InstanceProfileId": profile.id,
    }
    roles = {profile.role: _credentials(guest, profile.role)} if profile.role else {}
    return {"info": json.dumps(info, indent=2), "security-credentials": roles}


def _identity_credentials(guest: Guest) -> dict[str, Any]:
    """What every instance has, for AWS's own agents; it opens nothing here, either."""
    info = {
        "Code": "Success",
        "LastUpdated": _time(datetime.now(UTC)),
        "AccountId": guest.account_id,
    }
    return {
        "info": json.dumps(info, indent=2),
        "security-credentials": {"ec2-instance": _credentials(guest, "ec2-instance")},
    }


def _credentials(guest: Guest, role: str) -> str:
    now = datetime.now(UTC)
    digest = hashlib.sha256(f"{guest.instance_id} {role}".encode()).hexdigest()
    found = {
        "Code": "Success",
        "LastUpdated": _time(now),
        "Type": "AWS-HMAC",
        "AccessKeyId": f"ASIA{digest[:16].upper()}",
        "SecretAccessKey": digest[16:56],
        "Token": digest,
        "Expiration": _time(now + CREDENTIALS_LAST),
    }
    return json.dumps(found, indent=2)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _block_devices(guest: Guest) -> dict[str, str]:
    root, *others = (disk.device_name for disk in guest.disks)
    numbered = {f"ebs{number}": name for number, name in enumerate(others, 1)}
    return {"ami": root, **numbered, "root": root}
