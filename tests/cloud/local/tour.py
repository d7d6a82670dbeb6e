"""A tour of an account: each request, and all that the local Nitro answers to it, as a text."""

from __future__ import annotations

import difflib
import hashlib
import json
import pprint
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from tests.transcripts import Names

if TYPE_CHECKING:
    from tests.cloud.local.conftest import Account

WIDTH = 100
_LONGEST = 120  # characters of a text that is not cut by its digest
_DRAWN = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|A[A-Z]{3}[A-Z0-9]{16,17}"
    r"|(?=[a-z]*\d)[a-z0-9]{20})\b"
)
_SECRETS = frozenset(
    {
        *("BlockToken", "ETag", "FirstBlockToken", "KeyFingerprint", "KeyMaterial", "NextToken"),
        *("NextUploadIdMarker", "SecondBlockToken", "UploadId", "UploadIdMarker", "VersionId"),
        *("DeleteMarkerVersionId", "CopySourceVersionId", "VersionIdMarker", "nextToken"),
        *("NextVersionIdMarker", "RequestId", "HostId", "PacketId", "PublicKey"),
    }
)
_WITHOUT_ORDER = frozenset({"CreateVolumePermissions"})
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[0-9.]+)?(?:Z|\+00:00| GMT)?")
_TASK_NUMBER = re.compile(r"(?<=Task created on )[\d,]+")


class Notes:
    """`text` is what has been asked and answered."""

    def __init__(self) -> None:
        self.text = ""
        self._names, self._drawn = Names(), dict[str, str]()
        self._before: dict[str, list[str]] = {}

    def note(self, title: str, value: Any) -> None:
        """What something else than an AWS client says."""
        self._write(title, self._told(value).splitlines())

    def asked(self, operation: str, parameters: Mapping[str, Any]) -> str:
        """A request as the title of its answer."""
        return f"{operation} {self._told(parameters)}" if parameters else operation

    def _write(self, asked: str, answered: list[str]) -> None:
        """Of an answer to the same question, what has changed since the last one."""
        asked = self._names(asked)
        answered = [self._names(line) for line in answered]
        before = self._before.get(asked)
        self._before[asked] = answered
        if before is not None and len(answered) > 4:
            changed = difflib.unified_diff(before, answered, lineterm="", n=0)
            said = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
            answered = ["(as before)", *(f"{line[0]} {line[1:].strip()}" for line in said)]
        self.text += f"\n> {asked}\n" + "".join(f"{line}\n" for line in answered)

    def _told(self, value: Any) -> str:
        return pprint.pformat(self._plain(value), width=WIDTH, compact=True, sort_dicts=True)

    def _plain(self, value: Any, name: str = "") -> Any:
        if isinstance(value, datetime):
            return "<time>"
        if isinstance(value, Mapping):
            return {str(key): self._plain(each, str(key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            found = [self._plain(each, name) for each in value]
            return sorted(found, key=str) if name in _WITHOUT_ORDER else found
        if isinstance(value, set | frozenset):
            return sorted(map(self._names, map(str, value)))
        if isinstance(value, bytes) and len(value) > _LONGEST:
            return f"<{len(value)} bytes, {hashlib.sha256(value).hexdigest()[:12]}>"
        if isinstance(value, str):
            if name in _SECRETS and value:
                return self._number(value, name)
            return self._cut(value)
        if isinstance(value, bytes | int | float | bool) or value is None:
            return value
        return self._cut(str(value))

    def _cut(self, text: str) -> str:
        text = _DRAWN.sub(lambda found: self._number(found[0], "drawn"), text)
        text = _TASK_NUMBER.sub("<number>", _TIME.sub("<time>", text))
        text = self._names(text)
        if len(text) > 3 * _LONGEST:
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            return f"{text[:_LONGEST]}… <{len(text)} characters, {digest}>"
        return text

    def _number(self, value: str, name: str) -> str:
        """The same value has the same number throughout."""
        return self._drawn.setdefault(value, f"<{name} {len(self._drawn) + 1}>")


class Tour(Notes):
    """Of an account, whose clients ask; a call returns the answer itself."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account

    def __call__(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Ask for "SERVICE.METHOD"; what is refused is in the text, and the answer is empty."""
        service, _, method = operation.partition(".")
        asked = self.asked(operation, parameters)
        try:
            answer = getattr(getattr(self.account, service), method)(**parameters)
        except ClientError as error:
            answer, found = error.response, error.response["Error"]
            status = answer["ResponseMetadata"]["HTTPStatusCode"]
            said = [self._cut(f"{found['Code']} ({status}): {found.get('Message')}")]
            more = {k: v for k, v in answer.items() if k not in ("Error", "ResponseMetadata")}
            said += [self._told(more)] if more else []
            self._write(asked, said)
            return {}
        except ParamValidationError as error:
            self._write(asked, [str(error)])
            return {}
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        told = {
            name: each.read() if hasattr(each, "read") else each
            for name, each in answer.items()
            if name != "ResponseMetadata"
        }
        assert " object at 0x" not in str(told), f"{operation} tells of Python's own: {told}"
        self._write(asked, [f"{status}", *self._told(told).splitlines()])
        return told

    def each(self, operation: str, *given: Mapping[str, Any], **common: Any) -> None:
        """Ask once with each of these parameters, which count before the common ones."""
        for parameters in given:
            self(operation, **{**common, **parameters})

    def after(self, seconds: float) -> None:
        self.account.clock.advance(seconds)
        self.text += f"\n--- {seconds:g} s later\n"

    def guest(self, instance_id: str) -> None:
        """What the hypervisor was told last of an instance."""
        held = self.account.hypervisor.guests[instance_id]
        self.note(f"guest of {instance_id}", {**vars(held.guest), "plugged": held.plugged})


def filters(*given: tuple[str, str]) -> list[dict[str, Any]]:
    """Of names and values with commas between them."""
    return [{"Name": name, "Values": values.split(",")} for name, values in given]


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    """Tag specifications of one kind of resource."""
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


def policy(*statements: Mapping[str, Any]) -> str:
    """The text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
