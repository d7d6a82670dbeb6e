"""Client tokens: a request that comes again is answered as the first time, and does nothing.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value

_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass
class Tokens:
    """The tokens of one region, with the answers to the requests that carried them."""

    _answers: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def find(self, operation: str, parameters: Mapping[str, Any]) -> str | None:
        """The body of the answer to the same request before.

        Raises EC2ClientError for a malformed token, and for a token that came with other
        parameters.
        """
        token = parameters.get("ClientToken")
        if token is None:
            return None
        if not _TOKEN.fullmatch(token):
            raise invalid_value("A client token has 1 to 64 ASCII characters, none of them a space")
        before = self._answers.get((operation, token))
        if before is None:
            return None
        if before[0] != _digest(parameters):
            raise EC2ClientError(
                "IdempotentParameterMismatch",
                f"The client token {token} was used with other parameters.",
            )
        return before[1]

    def remember(self, operation: str, parameters: Mapping[str, Any], body: str) -> None:
        if token := parameters.get("ClientToken"):
            self._answers[operation, token] = (_digest(parameters), body)


def _digest(parameters: Mapping[str, Any]) -> str:
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
