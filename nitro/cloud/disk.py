"""All that the cloud side knows of an image: a raw disk and what a machine needs to boot it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nitro.arch import X86_64
from nitro.documents import AmiDocument, SnapshotDocument
from nitro.ports import Port

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import BlockDeviceMappingTypeDef

ROOT_DEVICE = "/dev/xvda"
BLOCK_SIZE = 512 * 1024  # bytes; the only size of the EBS direct API


@dataclass(frozen=True)
class DiskImage:
    """A raw disk on this machine. `digest` is `sha256:` and the hex digest of its bytes."""

    path: Path
    digest: str
    size_bytes: int
    name: str
    architecture: str = X86_64.ec2  # as EC2 says it: "x86_64" | "arm64"
    boot_mode: str = "legacy-bios"  # "legacy-bios" | "uefi" | "uefi-preferred"
    minimum_memory_mib: int = 0
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()  # that its programs listen on
    processors: int | None = None  # vCPUs that it is best run with, at most; None: all

    @property
    def blocks(self) -> int:
        """How many blocks of the EBS direct API the disk has, holes included."""
        return math.ceil(self.size_bytes / BLOCK_SIZE)

    @property
    def size_gib(self) -> int:
        """The size of the smallest volume that holds the disk, in GiB."""
        return max(1, math.ceil(self.size_bytes / 1024**3))


@dataclass(frozen=True)
class Volume:
    """A volume of an AMI's instances, made from a snapshot; it ends with its instance."""

    device_name: str  # as EC2 counts them: "/dev/xvda" is the root
    snapshot_id: str

    def mapping(self) -> BlockDeviceMappingTypeDef:
        """As RegisterImage and RunInstances take it."""
        return {
            "DeviceName": self.device_name,
            "Ebs": {
                "SnapshotId": self.snapshot_id,
                "VolumeType": "gp3",
                "DeleteOnTermination": True,
            },
        }


@dataclass(frozen=True)
class Published:
    """What `publish` made or found. `bytes_uploaded` is 0 when nothing had to be sent."""

    snapshot_id: str
    ami_id: str
    ami_name: str
    region: str
    bytes_uploaded: int
    reused: bool
    via: str = "s3-import"

    def snapshot_json(self) -> SnapshotDocument:
        return {"id": self.snapshot_id, "via": self.via, "bytes_uploaded": self.bytes_uploaded}

    def ami_json(self) -> AmiDocument:
        return {"id": self.ami_id, "name": self.ami_name, "region": self.region}
