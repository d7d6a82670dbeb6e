"""ImportSnapshot: a task that reads a disk from S3 and ends as a snapshot, or `deleted`.

States follow the clock: pending, then active with progress, then completed. The object is
looked at when the task becomes active and read when it completes, as late as on AWS: what
was changed in between is what gets imported.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import generic_filter, random_resource_id, random_snapshot_id
from moto.s3.models import s3_backends

from nitro.errors import NitroError
from nitro.local import disk_formats
from nitro.local.aws import vmimport
from nitro.local.aws.encryption import Encryption
from nitro.local.aws.needs import Check, GetFilters, GetParam, GetTags
from nitro.local.aws.snapshots import GIB, DiskSnapshot
from nitro.local.store import BLOCK_SIZE

_log = logging.getLogger(__name__)

WAITING = 0.2  # the part of an import's time for which it stays pending
UNFINISHED = ("pending", "active")


@dataclass
class Order:
    """What ImportSnapshot was asked for."""

    bucket: str
    key: str
    format: str
    description: str
    disk_description: str
    role_name: str
    encryption: Encryption
    tags: dict[str, str] = field(default_factory=dict)


class ImportFailure(Exception):
    """Why a task ends as `deleted`: its StatusMessage."""


class ImportTask(TaggedEC2Resource):  # type: ignore[misc]
    """One import. `advance` moves it to the state that it has reached by now."""

    id_prefix = "import-snap-"

    def __init__(self, backend: Any, order: Order) -> None:
        self.ec2_backend = backend
        self.id = f"{self.id_prefix}{random_resource_id(17)}"
        self.order = order
        self.status = "pending"
        self.status_message = "pending"
        self.progress = 0
        self.size_bytes = 0
        self.snapshot_id: str | None = None
        self._started = backend.site.clock()
        self._failure = backend.site.forecast.import_failure()
        self.add_tags(order.tags)

    def advance(self) -> None:
        if self.status not in UNFINISHED:
            return
        site = self.ec2_backend.site
        seconds = site.pace.import_snapshot * site.forecast.conditions.import_factor
        elapsed = site.clock() - self._started
        done = elapsed / seconds if seconds else 1.0
        if done < WAITING:
            return
        try:
            disk = self._object()
            self.status, self.status_message = "active", "downloading/converting"
            self.size_bytes = disk.size
            self.progress = min(int(done * 100), 99)
            if self._failure and done > 0.5:
                raise ImportFailure(self._failure)
            if done >= 1:
                self._complete(disk)
        except ImportFailure as failure:
            self.status, self.status_message = "deleted", str(failure)
        except OSError as error:  # above all, a full disk
            self.status = "deleted"
            self.status_message = f"ServerError: the local Nitro's disk: {error.strerror}"
        except Exception as error:  # which every later call of the region would meet again
            _log.exception("%s", self.id)
            self.status = "deleted"
            self.status_message = f"ServerError: the local Nitro failed: {type(error).__name__}"

    def cancel(self) -> str:
        """Returns the state before. IncorrectState when the task has ended."""
        before = self.status
        if before not in UNFINISHED:
            raise EC2ClientError("IncorrectState", f"The import task {self.id} is {before}.")
        self.status, self.status_message = "cancelled", "The task was cancelled"
        return before

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        if filter_name == "task-state":
            return self.status
        return super().get_filter_value(filter_name, "DescribeImportSnapshotTasks")

    def describe(self) -> dict[str, Any]:
        """The task as an ImportSnapshotTask of the model."""
        detail: dict[str, Any] = {
            "Description": self.order.disk_description,
            "Format": self.order.format,
            "Encrypted": self.order.encryption.key_arn is not None,
            "Status": self.status,
            "UserBucket": {"S3Bucket": self.order.bucket, "S3Key": self.order.key},
        }
        if self.order.encryption.key_arn:
            detail["KmsKeyId"] = self.order.encryption.key_arn
        if self.size_bytes:
            detail["DiskImageSize"] = float(self.size_bytes)
        if self.status in UNFINISHED:
            detail["Progress"] = str(self.progress)
        if self.status != "completed":
            detail["StatusMessage"] = self.status_message
        if self.snapshot_id:
            detail["SnapshotId"] = self.snapshot_id
        return {
            "ImportTaskId": self.id,
            "Description": self.order.description,
            "SnapshotTaskDetail": detail,
            "Tags": self.tag_set,
        }

    def _object(self) -> Any:
        """What is to be imported; it has a size. ImportFailure when it cannot be."""
        return self.read(self.order)

    def read(self, order: Order) -> Any:
        """The object of S3 that an order names. ImportFailure when there is none to import."""
        backend = self.ec2_backend
        arn = f"arn:{backend.partition}:s3:::{order.bucket}/{order.key}"
        role = (backend.account_id, backend.partition, order.role_name)
        if not vmimport.may(*role, "s3:GetObject", arn):
            raise ImportFailure(f"ClientError: The role {order.role_name} may not read {arn}")
        buckets = s3_backends[backend.account_id][backend.partition].buckets
        disk = order.bucket in buckets and buckets[order.bucket].keys.get(order.key)
        if not disk or not hasattr(disk, "value"):  # a delete marker has none
            raise ImportFailure(f"ClientError: No object s3://{order.bucket}/{order.key}")
        if not disk.size:
            raise ImportFailure(f"ClientError: s3://{order.bucket}/{order.key} is empty")
        if order.encryption.failure:
            raise ImportFailure(f"ClientError: {order.encryption.failure}")
        return disk

    def _complete(self, disk: Any) -> None:
        self.snapshot_id, self.progress = self.keep(disk.value, self.order.format), 100
        self.status, self.status_message = "completed", ""

    def keep(self, content: bytes | memoryview, kind: str) -> str:
        """The id of a new snapshot with a disk of this format. ImportFailure for what is none."""
        backend = self.ec2_backend
        snapshot_id = str(random_snapshot_id())
        size = self._store(snapshot_id, content, kind)
        backend.add_snapshot(
            DiskSnapshot(
                backend,
                snapshot_id,
                size_gib=math.ceil(size / GIB),
                description=f"Created by AWS-VMImport service for {self.id}",
                encryption=self.order.encryption,
            )
        )
        return snapshot_id

    def _store(self, snapshot_id: str, content: bytes | memoryview, kind: str) -> int:
        """Keep the disk as a raw one; returns its bytes. ImportFailure when it is not of `kind`."""
        site = self.ec2_backend.site
        if kind == "RAW":
            view = memoryview(content)
            pieces = (view[at : at + BLOCK_SIZE] for at in range(0, len(view), BLOCK_SIZE))
            return int(site.store.create(snapshot_id, map(bytes, pieces)))
        with TemporaryDirectory(dir=site.store.folder) as folder:
            source, raw = Path(folder) / "source", Path(folder) / "raw"
            source.write_bytes(content)
            try:
                disk_formats.to_raw(site.qemu_img, source, kind, raw)
            except NitroError as error:
                raise ImportFailure(f"ClientError: {error.what}") from None
            source.unlink()
            # Of the holes in it, which may be terabytes, nothing is read.
            site.store.take(snapshot_id, raw)
            return raw.stat().st_size


class ImportsBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    account_id: str
    partition: str
    region_name: str

    def __init__(self) -> None:
        self.import_tasks: dict[str, ImportTask] = {}
        self._import_tokens: dict[str, tuple[Order, ImportTask]] = {}

    def import_snapshot(self, order: Order, token: str | None) -> ImportTask:
        """Begin an import; the same token and order give the same task."""
        if token and token in self._import_tokens:
            earlier, task = self._import_tokens[token]
            if earlier != order:
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    f"The client token {token} was used with other parameters.",
                )
            return task
        self.check_order(order)
        task = ImportTask(self, order)
        self.import_tasks[task.id] = task
        if token:
            self._import_tokens[token] = (order, task)
        return task

    def check_order(self, order: Order) -> None:
        """Before a task exists, as EC2 does; what the role may do shows only later.

        Raises EC2ClientError.
        """
        if not vmimport.usable(self.account_id, self.partition, order.role_name):
            raise EC2ClientError(
                "InvalidParameter",
                f"The service role {order.role_name} provided does not exist or does not have "
                "sufficient permissions",
            )
        buckets = s3_backends[self.account_id][self.partition].buckets
        if order.bucket in buckets and buckets[order.bucket].region_name != self.region_name:
            raise EC2ClientError(
                "InvalidParameter", "The given S3 object is not local to the region"
            )

    def advance_imports(self) -> None:
        for task in self.import_tasks.values():
            task.advance()

    def describe_import_snapshot_tasks(
        self, task_ids: list[str], filters: dict[str, list[str]]
    ) -> list[ImportTask]:
        known = {id_: each for id_, each in self.import_tasks.items() if type(each) is ImportTask}
        for id_ in task_ids:
            if id_ not in known:
                raise unknown_task(id_)
        return list(generic_filter(filters, [known[id_] for id_ in task_ids or known]))

    def get_import_task(self, task_id: str) -> ImportTask:
        if task_id not in self.import_tasks:
            raise unknown_task(task_id)
        return self.import_tasks[task_id]


def unknown_task(task_id: str) -> EC2ClientError:
    return EC2ClientError(
        "InvalidConversionTaskId.Malformed", f"The import task id {task_id} is not known."
    )


class ImportActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _parse_tag_specification: GetTags
    _filters_from_querystring: GetFilters
    error_on_dryrun: Check

    def import_snapshot(self) -> ActionResult:
        container = self._get_param("DiskContainer", {})
        bucket = container.get("UserBucket", {})
        for name in ("S3Bucket", "S3Key"):
            if not bucket.get(name):
                raise EC2ClientError("InvalidParameter", f"DiskContainer.UserBucket lacks {name}.")
        order = Order(
            bucket=bucket["S3Bucket"],
            key=bucket["S3Key"],
            format=container.get("Format", "RAW").upper(),
            description=self._get_param("Description", ""),
            disk_description=container.get("Description", ""),
            role_name=self._get_param("RoleName", "vmimport"),
            encryption=self.ec2_backend.encryption(
                asked=self._get_param("Encrypted"), key_id=self._get_param("KmsKeyId")
            ),
            tags=self._parse_tag_specification("import-snapshot-task").get(
                "import-snapshot-task", {}
            ),
        )
        if order.format not in ("RAW", *disk_formats.FORMATS):
            hint = " ImportImage takes it." if order.format == "OVA" else ""
            raise EC2ClientError(
                "InvalidParameter",
                f"The disk format {order.format} is not VHD, VHDX, VMDK or RAW.{hint}",
            )
        self.error_on_dryrun()
        task = self.ec2_backend.import_snapshot(order, self._get_param("ClientToken"))
        return ActionResult(task.describe())

    def describe_import_snapshot_tasks(self) -> ActionResult:
        self.error_on_dryrun()
        tasks = self.ec2_backend.describe_import_snapshot_tasks(
            self._get_param("ImportTaskIds", []), self._filters_from_querystring()
        )
        return ActionResult({"ImportSnapshotTasks": [task.describe() for task in tasks]})

    def cancel_import_task(self) -> ActionResult:
        self.error_on_dryrun()
        task = self.ec2_backend.get_import_task(self._get_param("ImportTaskId"))
        before = task.cancel()
        return ActionResult(
            {"ImportTaskId": task.id, "PreviousState": before, "State": task.status}
        )
