"""Library code without coverage's tracer.

The time of the tests of the cloud is botocore's and moto's. In the functions listed here no line of
nitro's runs, so nothing is lost when the tracer (tests/tracing.py) is off in them; but for moto's
serializer, which reads the properties of nitro's objects: there it is on again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3.session
import botocore.awsrequest
import botocore.client
import botocore.endpoint
import botocore.hooks
import botocore.parsers
import botocore.session
import botocore.signers
import botocore.validate
import moto.core.botocore_stubber
import moto.core.serialize
import pytest
import typer.main

from tests.cloud import authorization
from tests.tracing import traced, untraced

FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (authorization.Evaluator, "allows"),
    (botocore.awsrequest.AWSRequest, "prepare"),
    (botocore.client.BaseClient, "_convert_to_request_dict"),
    (botocore.client.BaseClient, "_resolve_endpoint_ruleset"),
    (botocore.hooks.HierarchicalEmitter, "__copy__"),
    (botocore.parsers.ResponseParser, "parse"),
    (botocore.session.Session, "create_client"),
    (botocore.signers.RequestSigner, "sign"),
    (boto3.session.Session, "__init__"),
    (botocore.validate.ParamValidator, "validate"),
    (moto.core.botocore_stubber, "normalize_request"),
    (moto.core.serialize.ResponseSerializer, "serialize"),
    (typer.main, "get_command_from_info"),
)


@contextmanager
def untraced_libraries() -> Iterator[None]:
    picker = moto.core.serialize.AttributePicker
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in FUNCTIONS:
            patch.setattr(owner, name, untraced(getattr(owner, name)))
        patch.setattr(picker, "__call__", _traced_for_nitro(picker.__call__))
        yield


def _traced_for_nitro(pick: Callable[..., Any]) -> Callable[..., Any]:
    """The serializer's reading of a value, traced where it may run a property of nitro's."""
    with_tracer = traced(pick)

    def call(self: object, context: moto.core.serialize.AttributePickerContext) -> Any:
        ours = type(context.obj).__module__.startswith("nitro.")
        return (with_tracer if ours else pick)(self, context)

    return call
