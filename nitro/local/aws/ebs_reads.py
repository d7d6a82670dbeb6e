"""Reading snapshots through EBS direct: blocks, their lists, and what changed between two."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow

from nitro.local.aws.needs import Check, GetParam
from nitro.local.aws.snapshots import GIB
from nitro.local.store import BLOCK_SIZE

MOST_RESULTS = 10_000
TOKENS_LAST = timedelta(days=7)


class EBSError(ServiceException):  # type: ignore[misc]
    """An error of the model, with the `Reason` that the model gives it."""

    def __init__(self, code: str, message: str, reason: str | None = None) -> None:
        super().__init__(code, message)
        self.reason = reason


def invalid(message: str, reason: str) -> EBSError:
    return EBSError("ValidationException", message, reason)


class BlockReads:
    """Part of the EBS responses; see `nitro.local.aws.ebs`."""

    ebs_backend: Any
    _get_param: GetParam
    _check: Check

    def list_snapshot_blocks(self) -> ActionResult:
        self._check()
        snapshot = self.ebs_backend.readable(self._get_param("SnapshotId"))

        def describe(index: int) -> dict[str, Any]:
            return {"BlockIndex": index, "BlockToken": _token(snapshot, index)}

        return self._page(snapshot, "Blocks", self._stored(snapshot), describe)

    def list_changed_blocks(self) -> ActionResult:
        """Without a first snapshot, every block of the second one counts as changed."""
        self._check()
        second = self.ebs_backend.readable(self._get_param("SecondSnapshotId"))
        first_id = self._get_param("FirstSnapshotId")
        first = self.ebs_backend.readable(first_id) if first_id else None
        if first and first.id not in (second.id, second.parent_id):
            raise invalid("The snapshots have no common lineage.", "UNRELATED_SNAPSHOTS")
        store = self.ebs_backend.site.store
        before = set(self._stored(first)) if first else set()
        after = set(self._stored(second))
        changed = [
            index
            for index in sorted(before | after)
            if first is None or store.read(first.id, index) != store.read(second.id, index)
        ]

        def describe(index: int) -> dict[str, Any]:
            found: dict[str, Any] = {"BlockIndex": index}
            if first and index in before:
                found["FirstBlockToken"] = _token(first, index)
            if index in after:
                found["SecondBlockToken"] = _token(second, index)
            return found

        return self._page(second, "ChangedBlocks", changed, describe)

    def get_snapshot_block(self) -> ActionResult:
        self._check()
        snapshot = self.ebs_backend.readable(self._get_param("SnapshotId"))
        index = self._index(snapshot)
        if self._get_param("BlockToken") != _token(snapshot, index):
            raise invalid("The block token is not of this block.", "INVALID_BLOCK_TOKEN")
        block = self.ebs_backend.site.store.read(snapshot.id, index)
        return ActionResult(
            {
                "DataLength": len(block),
                "BlockData": block,
                "Checksum": checksum_of(block),
                "ChecksumAlgorithm": "SHA256",
            }
        )

    def _stored(self, snapshot: Any) -> list[int]:
        """The blocks that the snapshot lists: those with data, and those written as zeros."""
        return sorted({*self.ebs_backend.site.store.used(snapshot.id), *snapshot.written})

    def _page(
        self,
        snapshot: Any,
        name: str,
        indices: Sequence[int],
        describe: Callable[[int], dict[str, Any]],
    ) -> ActionResult:
        token = self._get_param("NextToken")
        first = _page_start(snapshot, token) if token else self._get_param("StartingBlockIndex", 0)
        rest = [index for index in indices if index >= first]
        size = self._get_param("MaxResults") or MOST_RESULTS
        return ActionResult(
            {
                name: [describe(index) for index in rest[:size]],
                "ExpiryTime": utcnow() + TOKENS_LAST,
                "VolumeSize": snapshot.volume_size,
                "BlockSize": BLOCK_SIZE,
                "NextToken": _page_token(snapshot, rest[size]) if len(rest) > size else None,
            }
        )

    def _index(self, snapshot: Any) -> int:
        index: int = self._get_param("BlockIndex")
        if not 0 <= index < math.ceil(snapshot.volume_size * GIB / BLOCK_SIZE):
            raise invalid(f"Block {index} is outside the volume.", "INVALID_PARAMETER_VALUE")
        return index


def checksum_of(block: bytes) -> str:
    """The SHA-256 of a block, in base64 as EBS direct takes and gives it."""
    return base64.b64encode(hashlib.sha256(block).digest()).decode()


def _token(snapshot: Any, index: int) -> str:
    """Names a block of a snapshot and no other; the same each time."""
    return checksum_of(f"{snapshot.id}:{index}".encode())


def _page_token(snapshot: Any, index: int) -> str:
    return base64.b64encode(f"{snapshot.id}:{index}".encode()).decode()


def _page_start(snapshot: Any, token: str) -> int:
    try:
        made_for, _, index = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:
        made_for, index = "", ""
    if made_for != snapshot.id or not index.isdecimal():
        raise invalid("The page token is not of this snapshot.", "INVALID_PAGE_TOKEN")
    return int(index)
