"""Errors in the form that the clients of each service read.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from xml.sax.saxutils import escape

from nitro.local.aws.api import answers

Family = Literal["ec2", "s3", "query", "json"]
_QUERY = ("iam", "sts")  # services that answer as AWS's query protocol has it


def family(service: str) -> Family:
    """How a service, by its name in signatures, writes its errors. "" is S3's form."""
    if service == "ec2":
        return "ec2"
    if service in ("s3", ""):
        return "s3"
    return "query" if service in _QUERY else "json"


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
    kind = answers.CONTENT_TYPE
    form = family(service)
    content = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if form == "ec2":
        body = answers.error_body(code, message, request_id)
    elif form == "query":
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type>{content}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    elif form == "s3":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error>{content}<RequestId>{request_id}</RequestId></Error>"
        )
    else:
        kind = "application/json"
        body = json.dumps({"__type": code, "message": message})
    sent = [
        ("Content-Type", kind),
        ("x-amzn-errortype", code),
        ("x-amz-request-id", request_id),
        ("Connection", "close"),  # a body may not have been read
        *(headers or {}).items(),
    ]
    start_response(f"{status} {code}", sent)
    return [body.encode()]
