"""Errors of the endpoint, as botocore's parsers read them for each service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.parsers import create_parser
from moto.core.utils import get_service_model
from werkzeug.test import Client

from nitro.local.error_answer import error_answer, in_form


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    "service", ["ec2", "s3", "ebs", "iam", "sts", "ssm", "kms", "autoscaling", "service-quotas"]
)
def test_each_service_s_client_reads_code_and_message(service: str) -> None:
    sent: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        sent.update(status=int(status.split()[0]), headers={k.lower(): v for k, v in headers})

    name = service.replace("-", "")  # as signatures have it
    (body,) = error_answer(
        start_response, name, "SlowDown", 503, "Wait <a bit>.", "id-1", {"Retry-After": "1"}
    )

    model = get_service_model(service)
    response = {"status_code": sent["status"], "headers": sent["headers"], "body": body}
    operation = model.operation_model(model.operation_names[0])
    parsed = create_parser(model.metadata["protocol"]).parse(response, operation.output_shape)
    assert parsed["Error"]["Code"] == "SlowDown"
    assert sent["status"] == 503
    assert sent["headers"]["retry-after"] == "1"
    assert parsed["Error"]["Message"] == "Wait <a bit>."


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("404 NOT FOUND", "text/html; charset=utf-8", "UnknownOperationException"),
        ("405 METHOD NOT ALLOWED", "text/html", "MethodNotAllowed"),
        ("500 INTERNAL SERVER ERROR", "text/html", "InternalError"),
        ("404 NOT FOUND", "application/json", None),
        ("200 OK", "text/html", None),  # somebody's object
    ],
)
def test_a_page_of_html_becomes_an_error_of_the_service(
    status: str, kind: str, code: str | None
) -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", kind)])
        return [b"page"]

    answer = Client(in_form(app, "ssm")).get("/some/path")
    assert answer.status_code == int(status.split()[0])
    if code is None:
        assert (answer.data, answer.content_type) == (b"page", kind)
    else:
        assert json.loads(answer.data)["__type"] == code
