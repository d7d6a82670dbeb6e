"""EBS direct: the bytes of snapshots in blocks of 512 KiB, read and written as EBS does.

Facts: botocore's `ebs` model and
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html
Not here: the expiry of tokens and of snapshots that are not completed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import uuid
from types import SimpleNamespace
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.ebs import urls
from moto.ebs.models import EBSBackend
from moto.ebs.responses import EBSResponse
from moto.ec2.utils import random_snapshot_id

from nitro.local.aws import archive
from nitro.local.aws.api import constraints, faults
from nitro.local.aws.ebs_reads import BlockReads, EBSError, checksum_of, invalid
from nitro.local.aws.encryption import Encryption
from nitro.local.aws.snapshots import DiskSnapshot
from nitro.local.store import BLOCK_SIZE

MAX_VOLUME_GIB = 65_536
MAX_TAGS = 50

_log = logging.getLogger(__name__)


class LocalEBSBackend(EBSBackend):  # type: ignore[misc]
    """One region of one account. The snapshots themselves are EC2's."""

    def __init__(self, region_name: str, account_id: str, site: Any) -> None:
        super().__init__(region_name, account_id)
        self.site = site
        self.tokens: dict[str, tuple[dict[str, Any], str]] = {}

    def reset(self) -> None:
        self.__init__(self.region_name, self.account_id, self.site)  # type: ignore[misc]

    @property
    def _url_module(self) -> Any:
        paths = dict.fromkeys(urls.url_paths, LocalEBSResponse.dispatch)
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)

    def readable(self, snapshot_id: str) -> Any:
        snapshot = self._snapshot(snapshot_id)
        if snapshot.status != "completed":
            raise EBSError(
                "ResourceNotFoundException", f"The snapshot '{snapshot_id}' is not completed.",
                "SNAPSHOT_NOT_FOUND",
            )  # fmt: skip
        return snapshot

    def writable(self, snapshot_id: str) -> Any:
        snapshot = self._snapshot(snapshot_id)
        if not snapshot.open_for_writing:
            raise invalid(f"The snapshot '{snapshot_id}' is completed.", "INVALID_SNAPSHOT_ID")
        return snapshot

    def _snapshot(self, snapshot_id: str) -> Any:
        snapshot = self.ec2_backend.snapshots.get(snapshot_id)
        if snapshot is None:
            raise EBSError(
                "ResourceNotFoundException", f"The snapshot '{snapshot_id}' does not exist.",
                "SNAPSHOT_NOT_FOUND",
            )  # fmt: skip
        return snapshot


class LocalEBSResponse(BlockReads, EBSResponse):  # type: ignore[misc]
    """One request."""

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        request_id = str(uuid.uuid4())
        try:
            return super()._dispatch(request, full_url, headers)
        except Exception as error:
            _log.exception("request %s, %s", request_id, request.path)
            code, status, message = "InternalServerException", 500, "An internal error has occurred"
            if faults.of_input(error):
                code, status, message = "ValidationException", 400, "A parameter cannot be read."
            sent = {"x-amzn-errortype": code, "x-amzn-requestid": request_id}
            return status, sent, json.dumps({"Message": message})

    def call_action(self) -> Any:
        ec2 = self.ebs_backend.ec2_backend
        with ec2.lock:
            ec2.settle()
            try:
                return super().call_action()
            finally:
                archive.save(ec2)

    def _check(self) -> None:
        """Hold the parameters against the service model."""
        operation = get_service_model("ebs").operation_model(self._get_action())
        given = {name: value for name, value in self.params.items() if value is not None}
        for reason in constraints.violations(operation.input_shape, given):
            raise invalid(reason, "INVALID_PARAMETER_VALUE")

    def start_snapshot(self) -> ActionResult:
        self._check()
        backend, ec2 = self.ebs_backend, self.ebs_backend.ec2_backend
        names = (
            *("VolumeSize", "Description", "Tags", "ParentSnapshotId"),
            *("Encrypted", "KmsKeyArn", "Timeout"),
        )
        asked = {name: str(self._get_param(name)) for name in names}
        token = self._get_param("ClientToken")
        if token in backend.tokens:
            before, snapshot_id = backend.tokens[token]
            if snapshot_id in ec2.snapshots:
                if before != asked:
                    raise EBSError("ConflictException", "The client token was used before.")
                return ActionResult(_described(ec2.snapshots[snapshot_id]))
        size = self._get_param("VolumeSize")
        if size > MAX_VOLUME_GIB:
            raise invalid(f"VolumeSize {size} is out of range.", "INVALID_VOLUME_SIZE")
        tags = _tags(self._get_param("Tags", []))
        parent = self._parent(size)
        snapshot = DiskSnapshot(
            ec2,
            random_snapshot_id(),
            size_gib=size,
            description=self._get_param("Description", ""),
            encryption=self._encryption(parent),
        )
        snapshot.open_for_writing = True
        snapshot.add_tags(tags)
        backend.site.store.create(snapshot.id)
        if parent:
            backend.site.store.copy(parent.id, snapshot.id)
            snapshot.parent_id = parent.id
        ec2.add_snapshot(snapshot)
        if token:
            backend.tokens[token] = (asked, snapshot.id)
        return ActionResult(_described(snapshot))

    def _parent(self, size_gib: int) -> Any:
        """The snapshot whose blocks the new one begins with; None without one."""
        parent_id = self._get_param("ParentSnapshotId")
        if not parent_id:
            return None
        parent = self.ebs_backend.readable(parent_id)
        if size_gib < parent.volume_size:
            raise invalid(
                f"VolumeSize {size_gib} is smaller than the parent's {parent.volume_size}.",
                "INVALID_VOLUME_SIZE",
            )
        return parent

    def _encryption(self, parent: Any) -> Encryption:
        """https://docs.aws.amazon.com/ebs/latest/userguide/ebsapis-using-encryption.html"""
        asked, key = self._get_param("Encrypted"), self._get_param("KmsKeyArn")
        if (parent and (asked is not None or key)) or (key and not asked):
            raise invalid(
                "KmsKeyArn needs Encrypted, and neither goes with ParentSnapshotId.",
                "INVALID_PARAMETER_VALUE",
            )
        ec2 = self.ebs_backend.ec2_backend
        if parent:
            if ec2.ebs_encryption_by_default and not parent.kms_key_id:
                raise invalid("The parent is not encrypted.", "INVALID_SNAPSHOT_ID")
            return Encryption(parent.kms_key_id)
        encryption: Encryption = ec2.encryption(asked=asked, key_id=key)
        if encryption.failure:
            raise EBSError(
                "ResourceNotFoundException", encryption.failure, "DEPENDENCY_RESOURCE_NOT_FOUND"
            )
        return encryption

    def put_snapshot_block(self) -> ActionResult:
        self._check()
        snapshot = self.ebs_backend.writable(self._get_param("SnapshotId"))
        index = self._index(snapshot)
        block, checksum = self._get_param("BlockData"), self._get_param("Checksum")
        if len(block) != BLOCK_SIZE or int(self._get_param("DataLength")) != BLOCK_SIZE:
            raise invalid(f"A block has {BLOCK_SIZE} bytes.", "INVALID_PARAMETER_VALUE")
        if checksum != checksum_of(block):
            raise invalid("The checksum does not match the block.", "INVALID_PARAMETER_VALUE")
        self.ebs_backend.site.store.write(snapshot.id, index, block)
        snapshot.written.add(index)
        return ActionResult({"Checksum": checksum, "ChecksumAlgorithm": "SHA256"})

    def complete_snapshot(self) -> ActionResult:
        self._check()
        site = self.ebs_backend.site
        snapshot = self.ebs_backend.writable(self._get_param("SnapshotId"))
        count = int(self._get_param("ChangedBlocksCount"))
        if count != len(snapshot.written):
            raise invalid(
                f"{len(snapshot.written)} blocks were written, not {count}.",
                "INVALID_PARAMETER_VALUE",
            )
        wanted = self._get_param("Checksum")
        if wanted:
            digest = hashlib.sha256()
            for index in sorted(snapshot.written):
                digest.update(hashlib.sha256(site.store.read(snapshot.id, index)).digest())
            if wanted != base64.b64encode(digest.digest()).decode():
                raise invalid("The aggregate checksum differs.", "INVALID_PARAMETER_VALUE")
        snapshot.complete_at(site.clock() + site.pace.complete_snapshot)
        return ActionResult({"Status": snapshot.status})


def _described(snapshot: Any) -> dict[str, Any]:
    return {
        "SnapshotId": snapshot.id,
        "OwnerId": snapshot.owner_id,
        "Status": snapshot.status,
        "StartTime": snapshot.start_time,
        "VolumeSize": snapshot.volume_size,
        "BlockSize": BLOCK_SIZE,
        "Description": snapshot.description,
        "ParentSnapshotId": snapshot.parent_id,
        "KmsKeyArn": snapshot.kms_key_id,
        "SseType": "sse-kms" if snapshot.encrypted else "none",
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in snapshot.get_tags()],
    }


def _tags(given: list[dict[str, str]]) -> dict[str, str]:
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in given}
    if len(given) > MAX_TAGS or len(tags) < len(given):
        raise invalid(f"At most {MAX_TAGS} tags, each key once.", "INVALID_TAG")
    for key in tags:
        if not key or key.lower().startswith("aws:"):
            raise invalid(f"The tag key '{key}' is not allowed.", "INVALID_TAG")
    return tags
