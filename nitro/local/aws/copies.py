"""CopySnapshot and CopyImage, from a region to another or to itself.

A copy has the bytes of its source from the start, and shows them when it completes. What does not
follow is what AWS documents: sharing, deprecation, protection, and tags unless they are asked for.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-copy-snapshot.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-ami-copy-works.html
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import random_ami_id, random_snapshot_id

from nitro.local.aws import launch, quotas, regions
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.encryption import Encryption
from nitro.local.aws.images import LocalImage, check_name
from nitro.local.aws.needs import GetParam, GetTags
from nitro.local.aws.site import Site
from nitro.local.aws.snapshots import DiskSnapshot


class CopiesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    site: Site
    account_id: str
    region_name: str
    snapshots: dict[str, Any]
    amis: dict[str, Any]

    def copy_disk(
        self,
        source: DiskSnapshot,
        description: str,
        encryption: Encryption,
        tags: Mapping[str, str],
    ) -> DiskSnapshot:
        """A pending copy here of a completed snapshot of any region."""
        under_way = [s for s in self.snapshots.values() if s.copied and s.status == "pending"]
        quotas.COPIES.check(len(under_way))
        snapshot = DiskSnapshot(
            self,
            random_snapshot_id(),
            size_gib=source.volume_size,
            description=description,
            completes_at=self.site.clock() + self.site.pace.copy_snapshot,
            encryption=encryption,
        )
        snapshot.copied = True
        snapshot.written = set(source.written)
        snapshot.add_tags(dict(tags))
        self.site.store.link(source.id, snapshot.id)
        self.snapshots[snapshot.id] = snapshot
        return snapshot


class CopyActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _parse_tag_specification: GetTags

    def source_backend(self) -> Any:
        """The region that a copy is made from; None for any other request."""
        name = self._get_param("SourceRegion")
        backend = self.ec2_backend
        return name and regions.backend_of(backend.account_id, name, backend.region_name)

    def copy_snapshot(self) -> ActionResult:
        source = self.source_backend().get_snapshot(self._get_param("SourceSnapshotId"))
        if source.status != "completed":
            raise EC2ClientError("IncorrectState", f"Snapshot {source.id} is {source.status}")
        snapshot = self.ec2_backend.copy_disk(
            source,
            self._get_param("Description", ""),
            self._encryption(inherited=source.encrypted),
            self._parse_tag_specification("snapshot").get("snapshot", {}),
        )
        return ActionResult({"SnapshotId": snapshot.id, "Tags": snapshot.tag_set})

    def copy_image(self) -> ActionResult:
        """A name that is taken is no hindrance, unlike at RegisterImage."""
        backend, origin = self.ec2_backend, self.source_backend()
        source = launch.usable_image(origin, self._get_param("SourceImageId"))
        check_name(self._get_param("Name"))
        image_id = random_ami_id()
        tags = self._parse_tag_specification()
        for kind in tags.keys() - {"image", "snapshot"}:
            raise invalid_value(f"'{kind}' is not a valid taggable resource type here.")
        mappings = copy.deepcopy(source.registration.mappings)
        for mapping in mappings:
            if snapshot_id := mapping.get("Ebs", {}).get("SnapshotId"):
                disk = origin.get_snapshot(snapshot_id)
                encryption = self._encryption(inherited=disk.encrypted)
                description = (
                    f"Copied for DestinationAmi {image_id} from SourceAmi {source.id} for "
                    f"SourceSnapshot {disk.id}. Task created on {time.time_ns() // 10**6:,}."
                )
                copied = backend.copy_disk(disk, description, encryption, tags.get("snapshot", {}))
                mapping["Ebs"]["SnapshotId"] = copied.id
                mapping["Ebs"]["Encrypted"] = copied.encrypted
        image = LocalImage(
            backend,
            image_id,
            replace(
                source.registration,
                name=self._get_param("Name"),
                description=self._get_param("Description", source.description),
                mappings=mappings,
            ),
            source=(source.id, origin.region_name),
        )
        followed = origin.tags.get(source.id, {}) if self._get_param("CopyImageTags") else {}
        kept = {key: value for key, value in followed.items() if not key.startswith("aws:")}
        image.add_tags({**kept, **tags.get("image", {})})
        backend.amis[image.id] = image
        return ActionResult({"ImageId": image.id})

    def _encryption(self, *, inherited: bool) -> Encryption:
        encryption: Encryption = self.ec2_backend.encryption(
            asked=self._get_param("Encrypted"),
            key_id=self._get_param("KmsKeyId"),
            inherited=inherited,
        )
        return encryption
