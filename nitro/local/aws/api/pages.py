"""MaxResults and NextToken, the same for every operation that the service model pages.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.model import OperationModel
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value

T = TypeVar("T")

LEAST, MOST = 5, 1000  # results of a page, where the model says nothing else


@dataclass(frozen=True)
class Page:
    """Which results a request asks for: `size` of them from `start` on (None: all)."""

    request: str  # what a token belongs to: the operation and all other parameters, as a hash
    start: int = 0
    size: int | None = None

    def of(self, results: Sequence[T]) -> tuple[Sequence[T], str | None]:
        """The results on this page, and the token of the next one."""
        if self.size is None:
            return results[self.start :], None
        end = self.start + self.size
        token = _encode(self.request, end) if end < len(results) else None
        return results[self.start : end], token


def parse(operation: str, parameters: Mapping[str, Any], least: int, most: int) -> Page:
    """The page that a request asks for.

    Raises EC2ClientError for a size outside `least` to `most`, and for a token that no answer to
    the same request held.
    """
    size, token = parameters.get("MaxResults"), parameters.get("NextToken")
    if size is not None and not least <= size <= most:
        raise invalid_value(
            f"Value ( {size} ) for parameter maxResults is invalid. "
            f"Expecting a value between {least} and {most}."
        )
    rest = {k: v for k, v in parameters.items() if k not in ("MaxResults", "NextToken", "DryRun")}
    text = json.dumps([operation, rest], sort_keys=True, default=str)
    request = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Page(request, _decode(request, token) if token else 0, size)


def bounds(model: OperationModel) -> tuple[int, int]:
    """The least and the greatest MaxResults of an operation."""
    members = model.input_shape.members if model.input_shape else {}
    limits = members["MaxResults"].metadata if "MaxResults" in members else {}
    return limits.get("min", LEAST), limits.get("max", MOST)


def _encode(request: str, start: int) -> str:
    return base64.urlsafe_b64encode(f"{request}:{start}".encode()).decode()


def _decode(request: str, token: str) -> int:
    try:
        made_for, _, start = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    except ValueError:
        made_for, start = "", ""
    if made_for != request or not start.isdecimal():
        raise EC2ClientError("InvalidNextToken", f"The token '{token[:100]}' is invalid.")
    return int(start)
