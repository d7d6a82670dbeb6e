"""Requests to Batch as a WSGI application, held to botocore's model of the service."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from nitro.local.aws.api import constraints, requests, support
from nitro.local.batch.jobs import Runner
from nitro.local.batch.resources import ClientError
from nitro.local.batch.service import Region
from nitro.local.error_answer import error_answer

LARGEST = 1 << 20  # bytes of a request
_REGION = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/batch/")


class BatchApp:
    """Batch of all regions of an account. The request's signature says which one is meant."""

    def __init__(self, account: str, runner: Runner) -> None:
        self._account, self._runner = account, runner
        self._regions: dict[str, Region] = {}

    def region(self, name: str) -> Region:
        if name not in self._regions:
            self._regions[name] = Region(name, self._account, self._runner)
        return self._regions[name]

    def close(self) -> None:
        """End all jobs."""
        for region in self._regions.values():
            region.scheduler.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())

        def refused(code: str, message: str) -> Iterable[bytes]:
            return error_answer(start_response, "batch", code, 400, message, request_id)

        operation = _operations().get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
        if operation is None:
            return refused("UnknownOperationException", "There is no such operation.")
        try:
            given = _body(environ)
            _check(operation, given)
            found = _REGION.search(str(environ.get("HTTP_AUTHORIZATION", "")))
            answer = self.region(found[1] if found else "us-east-1").perform(operation.name, given)
        except _Unsupported as error:
            return refused("UnsupportedOperation", str(error))
        except ClientError as error:
            return refused("ClientException", str(error))
        body = json.dumps(answer).encode()
        sent = [("Content-Type", "application/json"), ("x-amzn-RequestId", request_id)]
        start_response("200 OK", [*sent, ("Content-Length", str(len(body)))])
        return [body]


class _Unsupported(Exception):
    """The service has it, and the local Nitro has not."""


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    length = str(environ.get("CONTENT_LENGTH") or 0)
    if not length.isdecimal() or int(length) > LARGEST:
        raise ClientError("The request has no length, or is too long")
    try:
        given = json.loads(environ["wsgi.input"].read(int(length)) or b"{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ClientError("The body is not a JSON object")
    return given


def _check(operation: OperationModel, given: dict[str, Any]) -> None:
    """Raises ClientError for what the model refuses, _Unsupported for what is not honoured."""
    honoured = support.SERVICES["batch"]
    if operation.name not in honoured:
        raise _Unsupported(f"The local Nitro does not support {operation.name}.")
    shape = operation.input_shape
    if shape is None:
        return
    report = ParamValidator().validate(given, shape)
    if report.has_errors():
        raise ClientError(report.generate_report())
    for problem in constraints.violations(shape, given):
        raise ClientError(problem)
    if names := support.ignored(honoured[operation.name], requests.paths(given)):
        what = f"{', '.join(names)} of {operation.name}"
        raise _Unsupported(f"The local Nitro does not support {what}.")


@cache
def _operations() -> dict[tuple[str, str], OperationModel]:
    model = botocore.session.get_session().get_service_model("batch")
    found = (model.operation_model(name) for name in model.operation_names)
    return {(one.http["method"], one.http["requestUri"]): one for one in found}
