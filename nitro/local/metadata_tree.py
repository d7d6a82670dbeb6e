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

# Of the paths: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-versions.html
VERSIONS = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01"),
    *("2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25"),
    *("2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28"),
    *("2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23"),
    *("2021-07-15", "2022-09-24", "2024-04-11", "latest"),
)
CREDENTIALS_LAST = timedelta(hours=6)

Leaf = str | bytes | Callable[[], bytes] | None  # None: what this guest has not


class Keys(dict[str, Any]):
    """The public keys, which are listed as `0=NAME` and read as `0/openssh-key`."""

    def __init__(self, named: Sequence[tuple[str, str]]) -> None:
        super().__init__({str(n): {"openssh-key": key} for n, (_, key) in enumerate(named)})
        self.names = [name for name, _ in named]


def tree(guest: Guest) -> dict[str, Any]:
    """All that a guest can read, as folders (dictionaries) and leaves (`Leaf`)."""
    metadata: dict[str, Any] = {
        "ami-id": guest.image_id,
        "ami-launch-index": str(guest.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _block_devices(guest),
        "events": {"maintenance": {"history": "[]", "scheduled": "[]"}},
        "hostname": _hostname(guest),
        "iam": _iam(guest),
        "instance-action": "none",
        "instance-id": guest.instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": guest.instance_type,
        "local-hostname": _hostname(guest),
        "local-ipv4": guest.private_ip,
        "mac": guest.mac,
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
    return dict.fromkeys(VERSIONS, latest)


def find(folder: Any, path: list[str]) -> bytes | None:
    """The leaf at `path`, or the listing of a folder; None when there is neither."""
    for part in path:
        if not isinstance(folder, dict):
            return None
        folder = folder.get(part)
    if isinstance(folder, dict):
        return "\n".join(_listing(folder)).encode()
    if callable(folder):
        return bytes(folder())
    return folder.encode() if isinstance(folder, str) else folder


def _listing(folder: dict[str, Any]) -> list[str]:
    if isinstance(folder, Keys):
        return [f"{number}={name}" for number, name in enumerate(folder.names)]
    return [
        f"{name}/" if isinstance(entry, dict) else name
        for name, entry in folder.items()
        if entry is not None
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
    now = datetime.now(UTC)
    updated = {"Code": "Success", "LastUpdated": _time(now)}
    info = {**updated, "InstanceProfileArn": profile.arn, "InstanceProfileId": profile.id}
    digest = hashlib.sha256(guest.instance_id.encode()).hexdigest()
    credentials = {
        **updated,
        "Type": "AWS-HMAC",
        "AccessKeyId": f"ASIA{digest[:16].upper()}",
        "SecretAccessKey": digest[16:56],
        "Token": digest,
        "Expiration": _time(now + CREDENTIALS_LAST),
    }
    roles = {profile.role: json.dumps(credentials, indent=2)} if profile.role else {}
    return {"info": json.dumps(info, indent=2), "security-credentials": roles}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _block_devices(guest: Guest) -> dict[str, str]:
    root, *others = (disk.device_name for disk in guest.disks)
    numbered = {f"ebs{number}": name for number, name in enumerate(others, 1)}
    return {"ami": root, **numbered, "root": root}
