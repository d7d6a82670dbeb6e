"""A WSGI application in front of a service's: what happens to calls on such a day."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from socket import SHUT_RDWR
from typing import Any

from nitro.local.aws.api.forms import Family, family
from nitro.local.error_answer import error_answer
from nitro.local.weather import calls
from nitro.local.weather.calls import ApiCall
from nitro.local.weather.forecast import Forecast
from nitro.local.weather.visibility import Visibility

App = Callable[[dict[str, Any], Any], Iterable[bytes]]

# What each service answers to too many calls, when it stumbles, and to expired credentials.
_THROTTLED: dict[Family, tuple[str, int]] = {
    "ec2": ("RequestLimitExceeded", 503),
    "s3": ("SlowDown", 503),
    "query": ("Throttling", 400),
    "json": ("ThrottlingException", 400),
}
_UNAVAILABLE: dict[Family, tuple[str, int]] = {
    "ec2": ("Unavailable", 503),
    "s3": ("InternalError", 500),
    "query": ("ServiceUnavailable", 503),
    "json": ("InternalServerError", 500),
}
_EXPIRED: dict[Family, tuple[str, int]] = {
    "ec2": ("RequestExpired", 400),
    "s3": ("ExpiredToken", 400),
    "query": ("ExpiredToken", 403),
    "json": ("ExpiredTokenException", 400),
}
# What the EBS direct APIs say of too many calls, unlike the others with JSON errors.
_EBS_THROTTLED = ("RequestThrottledException", 400)
_BUCKET = re.compile(r"/([^/?]+)/?$")
_GLOBAL_S3 = re.compile(r"(?:(.+)\.)?s3\.amazonaws\.com$")


class AnswerLost(ConnectionError):
    """The call has had effect; its connection ends without an answer."""


class Gate:
    """The faults of calls. `wrap` puts it in front of a service; all share what has happened."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast
        self._visibility = Visibility(forecast)
        self._buckets: dict[str, tuple[float, str]] = {}  # since when, and in which region
        self._calls = count(1)

    def wrap(self, service: str, app: App) -> App:
        """The application of a service, by its name in signatures, in this weather."""

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            call = calls.read(service, environ)
            refusal = self._refusal(call)
            if refusal:
                code, status, message, headers = refusal
                request_id = str(uuid.uuid4())
                return error_answer(
                    start_response, service, code, status, message, request_id, headers
                )
            return self._pass(call, app, environ, start_response)

        return answer

    def _pass(
        self, call: ApiCall, app: App, environ: dict[str, Any], start_response: Any
    ) -> Iterable[bytes]:
        started: list[Any] = []
        body: Iterable[bytes] = app(environ, lambda *given: started.extend(given[:2]))
        if call.service == "ec2":
            text = b"".join(body).decode()
            self._visibility.note_created(call, text)
            body = [self._visibility.without_hidden(call, text).encode()]
            started[1] = [each for each in started[1] if each[0].lower() != "content-length"]
            started[1].append(("Content-Length", str(len(body[0]))))
        if call.api == "s3:PUT" and (bucket := _BUCKET.match(call.path)):
            self._buckets.setdefault(bucket[1], (self._forecast.clock(), call.region))
        if self._forecast.happens("answer lost", self._forecast.conditions.answers_lost, call.api):
            with suppress(KeyError, OSError):
                environ["werkzeug.socket"].shutdown(SHUT_RDWR)
            raise AnswerLost(call.api)
        start_response(*started)
        return body

    def _refusal(self, call: ApiCall) -> tuple[str, int, str, dict[str, str]] | None:
        """The code, status, message and headers with which a call is refused."""
        day, form = self._forecast.conditions, family(call.service)
        if self._expired(next(self._calls)):
            self._forecast.note("credentials expired", call.api)
            return (*_EXPIRED[form], "The provided token has expired.", {})
        share = day.throttled_apis.get(call.api, day.throttled)
        if self._forecast.happens("throttled", share, call.api):
            refused = _EBS_THROTTLED if call.service == "ebs" else _THROTTLED[form]
            return (*refused, "Request limit exceeded.", {})
        if self._forecast.happens("unavailable", day.unavailable, call.api):
            return (*_UNAVAILABLE[form], "The service is unavailable. Please try again.", {})
        if hidden := self._visibility.hides(call):
            resource, code = hidden
            return code, 400, f"The ID '{resource}' does not exist", {}
        return self._redirect(call)

    def _expired(self, nth: int) -> bool:
        day = self._forecast.conditions
        first = day.credentials_expire_after
        return first is not None and 0 < nth - first <= day.credentials_renewed_after

    def _redirect(self, call: ApiCall) -> tuple[str, int, str, dict[str, str]] | None:
        """S3's global name does not know a new bucket's region yet.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
        """
        named = _GLOBAL_S3.match(call.host) if call.service == "s3" else None
        if not named or not self._forecast.conditions.redirect_seconds:
            return None
        bucket = named[1] or call.path.split("/")[1]
        made, region = self._buckets.get(bucket, (float("-inf"), ""))
        if self._forecast.clock() - made >= self._forecast.conditions.redirect_seconds:
            return None
        self._forecast.note("redirect", bucket)
        host = call.host.replace("s3.amazonaws.com", f"s3.{region}.amazonaws.com")
        location = f"https://{host}{call.path}" + (f"?{call.query}" if call.query else "")
        message = "Please re-send this request to the specified temporary endpoint."
        return "TemporaryRedirect", 307, message, {"Location": location}
