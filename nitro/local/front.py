"""The doors of the endpoint: which services there are, and for whom.

The one for the host answers requests signed with the endpoint's key. A web page has no key, and
is told nothing besides: what comes with an Origin, or for a name that is not this machine's, is
refused before anything looks at it. The one for guests takes presigned S3 URLs only.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from nitro.local import signature
from nitro.local.aws.api import answers
from nitro.local.signature import Key, Refused

_log = logging.getLogger(__name__)

# Of moto's services those that nitro and publishers of AMIs use, by the name in signatures.
SERVICES = {
    "ec2": "ec2",
    "ebs": "ebs",
    "s3": "s3",
    "iam": "iam",
    "sts": "sts",
    "ssm": "ssm",
    "servicequotas": "service-quotas",
}
LARGEST_UPLOAD = 64 * 1024**2  # bytes of a guest's object

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
_QUERY = ("iam", "sts")  # services that answer as AWS's query protocol has it

# What AWS calls each refusal, with the status: S3, EC2, the query protocol, JSON.
_CODES = {
    signature.UNSIGNED: (
        ("AccessDenied", 403),
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationTokenException", 403),
    ),
    signature.UNKNOWN_KEY: (
        ("InvalidAccessKeyId", 403),
        ("AuthFailure", 401),
        ("InvalidClientTokenId", 403),
        ("UnrecognizedClientException", 403),
    ),
    signature.WRONG: (
        ("SignatureDoesNotMatch", 403),
        ("AuthFailure", 401),
        ("SignatureDoesNotMatch", 403),
        ("InvalidSignatureException", 403),
    ),
    signature.LATE: (
        ("RequestTimeTooSkewed", 403),
        ("RequestExpired", 400),
        ("SignatureDoesNotMatch", 403),
        ("InvalidSignatureException", 403),
    ),
}


class Door:
    """A WSGI application. `app_of` makes the one of a service, once."""

    def __init__(
        self,
        key: Key,
        app_of: Callable[[str], App],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._key, self._app_of, self._clock = key, app_of, clock
        self._apps: dict[str, App] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        service, request_id = "", str(uuid.uuid4())
        try:
            if problem := self.refusal(environ):
                return _answer(start_response, "", problem, 403, "Refused.", request_id)
            service = signature.verify(environ, self._key, self._clock())
            if service not in SERVICES:
                message = f"The local Nitro does not serve {service}."
                return _answer(start_response, "", "UnknownService", 400, message, request_id)
            return self._app(service)(environ, start_response)
        except Refused as refused:
            service = refused.service or ("ec2" if environ["RAW_URI"] == "/" else "s3")
            code, status = _CODES[refused.reason][_family(service)]
            return _answer(start_response, service, code, status, refused.message, request_id)
        except Exception:
            _log.exception("request %s, %s", request_id, service)
            message = "An internal error has occurred"
            return _answer(start_response, service, "InternalError", 500, message, request_id)

    def refusal(self, environ: dict[str, Any]) -> str | None:
        """Why a request is not even looked at; None when it is."""
        if "HTTP_ORIGIN" in environ:
            return "OriginNotAllowed"
        name = str(environ.get("HTTP_HOST", "")).rpartition(":")[0] or environ.get("HTTP_HOST", "")
        names = ("127.0.0.1", "localhost")
        if name in names or name.endswith((".localhost", ".amazonaws.com")):
            return None
        return "HostNotAllowed"

    def _app(self, service: str) -> App:
        with self._lock:
            if service not in self._apps:
                self._apps[service] = self._app_of(SERVICES[service])
            return self._apps[service]


class GuestDoor(Door):
    """S3 as instances see it: the one object that a presigned URL names."""

    def refusal(self, environ: dict[str, Any]) -> str | None:
        if "HTTP_AUTHORIZATION" in environ or environ["REQUEST_METHOD"] not in ("GET", "PUT"):
            return "AccessDenied"
        if environ["REQUEST_METHOD"] == "PUT":
            length = str(environ.get("CONTENT_LENGTH", ""))
            if not length.isdecimal():
                return "MissingContentLength"
            if int(length) > LARGEST_UPLOAD:
                return "EntityTooLarge"
        return None


def _family(service: str) -> int:
    if service in ("s3", "ec2"):
        return ("s3", "ec2").index(service)
    return 2 if service in _QUERY else 3


def _answer(
    start_response: Any, service: str, code: str, status: int, message: str, request_id: str
) -> list[bytes]:
    """An error in the form that clients of the service read."""
    kind = "text/xml;charset=UTF-8"
    if service == "ec2":
        body = answers.error_body(code, message, request_id)
    elif service in _QUERY:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId>"
            "</ErrorResponse>"
        )
    elif service in ("s3", ""):
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{message}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
    else:
        kind = "application/json"
        body = json.dumps({"__type": code, "message": message})
    headers = [
        ("Content-Type", kind),
        ("x-amzn-errortype", code),
        ("x-amz-request-id", request_id),
        ("Connection", "close"),  # a body may not have been read
    ]
    start_response(f"{status} {code}", headers)
    return [body.encode()]
