"""The form that each service's errors have.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import functools
import json
from typing import Literal
from xml.sax.saxutils import escape

import botocore.session
from botocore.exceptions import DataNotFoundError, UnknownServiceError

from nitro.local.aws.api import answers
from nitro.local.aws.api.requests import UNPRINTABLE

Family = Literal["ec2", "s3", "query", "json"]
_QUERY = ("iam", "sts", "autoscaling")  # services that answer as AWS's query protocol has it
_XML = ("query", "rest-xml")  # protocols, with errors of one form


def family(service: str) -> Family:
    """How a service, by its name in signatures, writes its errors. "" is S3's form."""
    if service == "ec2":
        return "ec2"
    if service in ("s3", ""):
        return "s3"
    return "query" if service in _QUERY or _protocol(service) in _XML else "json"


@functools.cache
def _protocol(service: str) -> str:
    """Of a service that nobody serves here, by its name in signatures; "" for no service of AWS."""
    try:
        model = botocore.session.get_session().get_service_model(service)
    except (DataNotFoundError, UnknownServiceError):
        return ""
    return str(model.metadata["protocol"])


def error(service: str, code: str, message: str, request_id: str) -> tuple[str, str]:
    """Content type and body of an error answer."""
    form = family(service)
    message = UNPRINTABLE.sub("?", message)
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
        return "application/json", json.dumps({"__type": code, "message": message})
    return answers.CONTENT_TYPE, body
