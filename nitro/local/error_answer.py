"""Errors as answers to WSGI requests, and no others than those of AWS's forms."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nitro.local.aws.api import forms

App = Callable[[dict[str, Any], Any], Iterable[bytes]]

# What a framework answers by itself, with a page for people: a path or a method without a route,
# and another spelling of the path.
_NO_ROUTE = "UnknownOperationException"
_CODES = {308: _NO_ROUTE, 404: _NO_ROUTE, 405: "MethodNotAllowed"}


def in_form(app: App, service: str) -> App:
    """The application of a service, with errors of its form in place of pages of HTML."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        page: list[int] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kind = next((v for name, v in headers if name.lower() == "content-type"), "")
            number = int(status.split()[0])
            if number >= 300 and kind.startswith("text/html"):
                page.append(number)
                return lambda _: None
            return start_response(status, headers, *rest)

        body = app(environ, start)
        if not page:
            return body
        code = _CODES.get(page[0], "InternalError" if page[0] >= 500 else "InvalidRequest")
        message = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')} is no request."
        status = page[0] if page[0] >= 400 else 404
        return error_answer(start_response, service, code, status, message, str(uuid.uuid4()))

    return answer


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
