"""A dry run: the same code makes the same calls, and those that change something stop here.

`CallPlan` listens to botocore's events. A call's parameters have been validated and the request
has been built when the plan notes it; a mutating one is then answered with made-up ids
instead of being sent. Reads are made for real, but for those about made-up things, which
are answered as if all had gone well. There is no second description of the work that could
differ from it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from botocore.awsrequest import AWSResponse, HTTPHeaders

READS = ("Describe", "Get", "List", "Head", "Simulate")
MARK = "planned"
_BLOCK_SIZE = 524288  # bytes; the EBS direct API's

_CONTEXT = "nitro-params"


@dataclass(frozen=True)
class Call:
    """One call of the API. `params` are boto3's."""

    service: str
    operation: str
    params: dict[str, Any]
    changes: bool

    def __str__(self) -> str:
        named = ", ".join(f"{key}={_brief(value)}" for key, value in self.params.items())
        return f"{self.service}:{self.operation}({named})"


def changes_something(operation: str, params: dict[str, Any]) -> bool:
    """Anything not known to only read counts as a change."""
    return not operation.startswith(READS) and not params.get("DryRun")


def without_bodies(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the size in place of bytes: a list of calls is no place for a disk."""
    return {
        key: f"<{len(value)} bytes>" if isinstance(value, bytes) else value
        for key, value in params.items()
    }


def is_planned(identifier: str) -> bool:
    """Whether this is the id of something that a dry run only imagined."""
    return MARK in identifier


@dataclass
class Journal:
    """The calls that a session's clients make, in order, each when its request is complete."""

    calls: list[Call] = field(default_factory=list)

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.changes]

    def attach(self, events: Any) -> None:
        """Listen to a boto3 session's events, for clients made from now on."""
        events.register("provide-client-params", self._remember)
        events.register("before-call", self._note)

    def answer(self, call: Call) -> dict[str, Any] | None:
        """What to answer instead of sending the call; None to send it."""
        return None

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_CONTEXT] = without_bodies(params)

    def _note(
        self, model: Any, context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        params = context.get(_CONTEXT, {})
        changes = changes_something(model.name, params)
        call = Call(model.service_model.service_name, model.name, params, changes)
        self.calls.append(call)
        answer = self.answer(call)
        if answer is None:
            return None
        status = 404 if "Error" in answer else 200
        outcome = {"ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0}}
        return AWSResponse("", status, HTTPHeaders(), None), answer | outcome


@dataclass
class CallPlan(Journal):
    """The calls of a dry run; those that change something are held back."""

    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _buckets: set[str] = field(default_factory=set)
    _terminated: set[str] = field(default_factory=set)

    def answer(self, call: Call) -> dict[str, Any] | None:
        if call.changes:
            return self._change(call.operation, call.params)
        if self._is_about_planned(call.params):
            return _READ_ANSWERS[call.operation](self, call.params)
        return None

    def _change(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation == "CreateBucket":
            self._buckets.add(params["Bucket"])
        if operation == "TerminateInstances":
            self._terminated.update(params["InstanceIds"])
        answer = _CHANGE_ANSWERS.get(operation)
        return answer(f"{MARK}-{next(self._numbers)}") if answer else {}

    def _is_about_planned(self, params: dict[str, Any]) -> bool:
        if params.get("Bucket") in self._buckets:
            return True
        values = [params.get(key) for key in ("SnapshotId", "InstanceId")]
        for key in ("ImportTaskIds", "SnapshotIds", "ImageIds", "InstanceIds", "GroupIds"):
            values += params.get(key, [])
        return any(isinstance(value, str) and is_planned(value) for value in values)

    def _instance(self, params: dict[str, Any]) -> dict[str, Any]:
        instances = [
            {
                "InstanceId": id_,
                "InstanceType": "",
                "PrivateIpAddress": "",
                "State": {"Name": "terminated" if id_ in self._terminated else "running"},
            }
            for id_ in params["InstanceIds"]
        ]
        return {"Reservations": [{"Instances": instances}]}


_Answer = Callable[[str], dict[str, Any]]

# What the calls that make something answer, given a made-up id.
_CHANGE_ANSWERS: dict[str, _Answer] = {
    "CreateMultipartUpload": lambda id_: {"UploadId": id_},
    "UploadPart": lambda id_: {"ETag": id_},
    "ImportSnapshot": lambda id_: {
        "ImportTaskId": f"import-snap-{id_}",
        "SnapshotTaskDetail": {"Status": "pending"},
    },
    "RegisterImage": lambda id_: {"ImageId": f"ami-{id_}"},
    "CreateSecurityGroup": lambda id_: {"GroupId": f"sg-{id_}"},
    "RunInstances": lambda id_: {
        "Instances": [{"InstanceId": f"i-{id_}", "State": {"Name": "pending"}}]
    },
    "CreateRole": lambda id_: {"Role": {"Arn": id_, "RoleName": id_}},
}

# What reads about made-up things answer.
_READ_ANSWERS: dict[str, Callable[[CallPlan, dict[str, Any]], dict[str, Any]]] = {
    "DescribeImportSnapshotTasks": lambda _, params: {
        "ImportSnapshotTasks": [
            {
                "ImportTaskId": params["ImportTaskIds"][0],
                "SnapshotTaskDetail": {
                    "Status": "completed",
                    "SnapshotId": params["ImportTaskIds"][0].removeprefix("import-"),
                },
            }
        ]
    },
    "DescribeSnapshots": lambda _, params: {
        "Snapshots": [{"SnapshotId": params["SnapshotIds"][0], "State": "completed"}]
    },
    "DescribeImages": lambda _, params: {
        "Images": [{"ImageId": params["ImageIds"][0], "State": "available"}]
    },
    "DescribeInstances": lambda plan, params: plan._instance(params),
    "GetConsoleOutput": lambda _, params: {"InstanceId": params["InstanceId"], "Output": ""},
    "ListSnapshotBlocks": lambda *_: {
        "Blocks": [{"BlockIndex": 0, "BlockToken": MARK}],
        "BlockSize": _BLOCK_SIZE,
    },
    "GetSnapshotBlock": lambda *_: {"BlockData": io.BytesIO(bytes(_BLOCK_SIZE))},
    "HeadBucket": lambda *_: {},
    "HeadObject": lambda *_: {"Error": {"Code": "404", "Message": "Not Found"}},
    "ListObjectsV2": lambda *_: {"KeyCount": 0},
    "ListMultipartUploads": lambda *_: {},
}


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
