"""What a dry run answers in place of AWS, for each operation that `nitro.cloud` calls.

A call that changes something gets an id of a thing that is only imagined; a read about such a
thing is answered from the parameters of the call that would have made it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Params = Mapping[str, Any]
Answer = dict[str, Any]

BLOCK_SIZE = 524288  # bytes; the EBS direct API's
_NOT_FOUND: Answer = {"Error": {"Code": "404", "Message": "Not Found"}}


@dataclass
class Imagined:
    """What would have been made: id, or a bucket's name → parameters of the call that makes it."""

    things: dict[str, Params] = field(default_factory=dict)
    terminated: set[str] = field(default_factory=set)
    _count: int = 0

    def make(self, prefix: str, params: Params) -> str:
        self._count += 1
        id_ = f"{prefix}planned-{self._count}"
        self.things[id_] = params
        return id_

    def is_asked_for(self, value: object) -> bool:
        """Whether `value`, parameters or a part of them, names something imagined."""
        if isinstance(value, Mapping):
            return any(map(self.is_asked_for, value.values()))
        if isinstance(value, list | tuple):
            return any(map(self.is_asked_for, value))
        return isinstance(value, str) and value in self.things


def _nothing(imagined: Imagined, params: Params) -> Answer:
    return {}


def _create_bucket(imagined: Imagined, params: Params) -> Answer:
    imagined.things[params["Bucket"]] = params
    return {}


def _create_placement_group(imagined: Imagined, params: Params) -> Answer:
    imagined.things[params["GroupName"]] = params
    return {}


def _import_snapshot(imagined: Imagined, params: Params) -> Answer:
    snapshot_id = imagined.make("snap-", params)
    imagined.things[f"import-{snapshot_id}"] = params
    detail = {"Status": "pending"}
    return {"ImportTaskId": f"import-{snapshot_id}", "SnapshotTaskDetail": detail}


def _run_instances(imagined: Imagined, params: Params) -> Answer:
    instance = {"InstanceId": imagined.make("i-", params), "State": {"Name": "pending"}}
    return {"Instances": [instance]}


def _start_snapshot(imagined: Imagined, params: Params) -> Answer:
    snapshot_id = imagined.make("snap-", params)
    return {"SnapshotId": snapshot_id, "Status": "pending", "StartTime": datetime.now(UTC)}


def _terminate_instances(imagined: Imagined, params: Params) -> Answer:
    imagined.terminated.update(params["InstanceIds"])
    return {}


CHANGES: dict[str, Callable[[Imagined, Params], Answer]] = {
    "AbortMultipartUpload": _nothing,
    "AuthorizeSecurityGroupIngress": _nothing,
    "CancelImportTask": _nothing,
    "CompleteMultipartUpload": _nothing,
    "CompleteSnapshot": _nothing,
    "CreateBucket": _create_bucket,
    "CreateMultipartUpload": lambda imagined, params: {"UploadId": imagined.make("", params)},
    "CreatePlacementGroup": _create_placement_group,
    "CreateRole": _nothing,
    "CreateSecurityGroup": lambda imagined, params: {"GroupId": imagined.make("sg-", params)},
    "CreateTags": _nothing,
    "DeleteBucket": _nothing,
    "DeleteNetworkInterface": _nothing,
    "DeleteObject": _nothing,
    "DeletePlacementGroup": _nothing,
    "DeleteSecurityGroup": _nothing,
    "DeleteSnapshot": _nothing,
    "DeleteVolume": _nothing,
    "DeregisterImage": _nothing,
    "ImportSnapshot": _import_snapshot,
    "PutBucketEncryption": _nothing,
    "PutBucketLifecycleConfiguration": _nothing,
    "PutBucketTagging": _nothing,
    "PutPublicAccessBlock": _nothing,
    "PutRolePolicy": _nothing,
    "PutSnapshotBlock": _nothing,
    "RegisterImage": lambda imagined, params: {"ImageId": imagined.make("ami-", params)},
    "RunInstances": _run_instances,
    "StartSnapshot": _start_snapshot,
    "TerminateInstances": _terminate_instances,
    "UploadPart": lambda imagined, params: {"ETag": imagined.make("", params)},
}


def _import_tasks(imagined: Imagined, params: Params) -> Answer:
    task_id = params["ImportTaskIds"][0]
    detail = {"Status": "completed", "SnapshotId": task_id.removeprefix("import-")}
    return {"ImportSnapshotTasks": [{"ImportTaskId": task_id, "SnapshotTaskDetail": detail}]}


def _images(imagined: Imagined, params: Params) -> Answer:
    id_ = params["ImageIds"][0]
    made = imagined.things[id_]
    keys = "Name Architecture BootMode EnaSupport RootDeviceName BlockDeviceMappings"
    known = _copied(made, *keys.split())
    return {"Images": [known | {"ImageId": id_, "State": "available", "Tags": _tags(made)}]}


def _instances(imagined: Imagined, params: Params) -> Answer:
    instances = []
    for id_ in params["InstanceIds"]:
        made = imagined.things[id_]
        state = "terminated" if id_ in imagined.terminated else "running"
        copied = {key: made[key] for key in ("ImageId", "InstanceType", "SubnetId") if key in made}
        instances.append(
            copied | {"InstanceId": id_, "State": {"Name": state}, "Tags": _tags(made)}
        )
    return {"Reservations": [{"Instances": instances}]}


def _copied(made: Params, *keys: str) -> Answer:
    return {key: made[key] for key in keys if key in made}


def _tags(made: Params) -> list[dict[str, str]]:
    """The tags that a call gives to what it makes first."""
    return next((spec["Tags"] for spec in made.get("TagSpecifications", [])), [])


READS: dict[str, Callable[[Imagined, Params], Answer]] = {
    "DescribeImages": _images,
    "DescribeImportSnapshotTasks": _import_tasks,
    "DescribeInstances": _instances,
    "DescribePlacementGroups": lambda _, params: {
        "PlacementGroups": [{"GroupName": params["GroupNames"][0], "State": "available"}]
    },
    "DescribeSnapshots": lambda _, params: {
        "Snapshots": [{"SnapshotId": params["SnapshotIds"][0], "State": "completed"}]
    },
    "GetConsoleOutput": lambda _, params: {"InstanceId": params["InstanceId"], "Output": ""},
    "GetObject": lambda *_: _NOT_FOUND,
    "GetSnapshotBlock": lambda *_: {"BlockData": io.BytesIO(bytes(BLOCK_SIZE))},
    "HeadBucket": _nothing,
    "ListMultipartUploads": _nothing,
    "ListObjectsV2": lambda *_: {"KeyCount": 0},
    "ListSnapshotBlocks": lambda *_: {
        "Blocks": [{"BlockIndex": 0, "BlockToken": "planned"}],
        "BlockSize": BLOCK_SIZE,
    },
}
