"""Errors as answers to WSGI requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro.local.aws.api import forms


def error_answer(
    start_response: Any,
    service: str,
    code: str,
    status: int,
    message: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> list[bytes]:
    """Answer a WSGI request with an error; the connection ends with it."""
    kind, body = forms.error(service, code, message, request_id)
    sent = [
        ("Content-Type", kind),
        ("x-amzn-errortype", code),
        ("x-amz-request-id", request_id),
        ("Connection", "close"),  # a body may not have been read
        *(headers or {}).items(),
    ]
    start_response(f"{status} {code}", sent)
    return [body.encode()]
