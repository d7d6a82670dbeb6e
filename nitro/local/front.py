"""The doors of the endpoint: which services there are, and for whom.

The one for the host answers requests signed with the endpoint's key. A web page has no key, and
is told nothing besides: what comes with an Origin, or for a name that is not this machine's, is
refused before anything looks at it. The one for guests takes presigned S3 URLs only.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from nitro.local import signature
from nitro.local.aws.api import forms
from nitro.local.aws.api.forms import Family, family
from nitro.local.error_answer import App, error_answer, in_form
from nitro.local.s3_names import elsewhere
from nitro.local.signature import Key, Refused
from nitro.local.weather.gate import AnswerLost, Gate

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
    "kms": "kms",
    "autoscaling": "autoscaling",
}
LARGEST_UPLOAD = 64 * 1024**2  # bytes of a guest's object

# What AWS calls each refusal, with the status.
_CODES: dict[str, dict[Family, tuple[str, int]]] = {
    signature.UNSIGNED: {
        "s3": ("AccessDenied", 403),
        "ec2": ("MissingAuthenticationToken", 403),
        "query": ("MissingAuthenticationToken", 403),
        "json": ("MissingAuthenticationTokenException", 403),
    },
    signature.UNKNOWN_KEY: {
        "s3": ("InvalidAccessKeyId", 403),
        "ec2": ("AuthFailure", 401),
        "query": ("InvalidClientTokenId", 403),
        "json": ("UnrecognizedClientException", 403),
    },
    signature.WRONG: {
        "s3": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "query": ("SignatureDoesNotMatch", 403),
        "json": ("InvalidSignatureException", 403),
    },
    signature.LATE: {
        "s3": ("RequestTimeTooSkewed", 403),
        "ec2": ("RequestExpired", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "json": ("InvalidSignatureException", 403),
    },
}


class Door:
    """A WSGI application. `app_of` makes the one of a service, once; `own` are those of services
    that moto has no part in; `gate` adds its faults."""

    def __init__(
        self,
        key: Key,
        app_of: Callable[[str], App],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        gate: Gate | None = None,
        own: Mapping[str, App] | None = None,
    ) -> None:
        self._key, self._app_of, self._clock = key, app_of, clock
        self._gate, self._own = gate, dict(own or {})
        self._apps: dict[str, App] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        service, request_id = "", str(uuid.uuid4())
        try:
            if problem := self.refusal(environ):
                return error_answer(start_response, "", problem, 403, "Refused.", request_id)
            service = signature.verify(environ, self._key, self._clock())
            if service not in SERVICES and service not in self._own:
                message = f"The local Nitro does not serve {service}."
                return error_answer(
                    start_response, service, "UnknownService", 400, message, request_id
                )
            return self._app(service)(environ, start_response)
        except Refused as refused:
            service = refused.service or ("ec2" if environ["RAW_URI"] == "/" else "s3")
            code, status = _CODES[refused.reason][family(service)]
            return error_answer(start_response, service, code, status, refused.message, request_id)
        except AnswerLost:
            raise
        except Exception:
            _log.exception("request %s, %s", request_id, service)
            message = "An internal error has occurred"
            return error_answer(start_response, service, "InternalError", 500, message, request_id)

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
                made = self._own.get(service) or self._app_of(SERVICES[service])
                app = in_form(made, service)
                self._apps[service] = self._gate.wrap(service, app) if self._gate else app
            return self._apps[service]


class GuestDoor(Door):
    """S3 as instances see it: the one object that a presigned URL names, in its region.

    `home_of` knows a bucket's region, and when it was made.
    """

    def __init__(
        self,
        *arguments: Any,
        home_of: Callable[[str], tuple[str, datetime] | None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._home_of = home_of

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        host, target = str(environ.get("HTTP_HOST", "")), str(environ["RAW_URI"])
        moved = elsewhere(host, target, self._home_of, self._clock())
        if moved is None or self.refusal(environ):
            return super().__call__(environ, start_response)
        request_id = str(uuid.uuid4())
        kind, body = forms.error("s3", moved.code, moved.message, request_id)
        headers = [
            ("Content-Type", kind),
            ("x-amz-request-id", request_id),
            ("x-amz-bucket-region", moved.region),
            ("Connection", "close"),  # a body was not read
            *([("Location", moved.location)] if moved.location else ()),
        ]
        start_response(f"{moved.status} {moved.code}", headers)
        return [moved.amend(body).encode()]

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
