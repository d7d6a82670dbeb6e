"""Which API a request calls, as botocore writes requests."""

from __future__ import annotations

import pytest

from nitro.local.weather import calls
from tests.unit.local.test_front import CALLS, sent


@pytest.mark.parametrize("service", CALLS)
def test_the_call_of_each_service_is_named(service: str) -> None:
    request = sent(service, CALLS[service])
    environ = request.environ()
    call = calls.read(service, environ)
    assert call.service == service
    assert call.name[0].isupper()
    assert call.region == "us-east-1"
    assert environ["wsgi.input"].read() == request.body  # stays readable


def test_parameters_of_the_query_protocol_are_read() -> None:
    call = calls.read("ec2", sent("ec2", lambda c: c.describe_images(ImageIds=["ami-1"])).environ())
    assert (call.api, call.parameters["ImageId.1"]) == ("ec2:DescribeImages", "ami-1")


def test_a_length_that_is_no_number_is_no_body() -> None:
    environ = sent("sts", lambda c: c.get_caller_identity()).environ()
    assert calls.read("sts", {**environ, "CONTENT_LENGTH": "many"}).name == ""
