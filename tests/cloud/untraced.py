"""Library code without coverage's tracer.

Before Python 3.12 a tracer slows every line of every file down, whether the file is measured or
not: the tests of the cloud, whose time is botocore's and moto's, take almost twice as long. In the
functions listed here no line of nitro's runs, so nothing is lost when the tracer is off in them;
but for moto's serializer, which reads the properties of nitro's objects: there it is on again.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.awsrequest
import botocore.client
import botocore.endpoint
import botocore.hooks
import botocore.parsers
import botocore.signers
import botocore.validate
import moto.core.botocore_stubber
import moto.core.models
import moto.core.serialize
import pytest

from tests.cloud import authorization

FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (authorization.Evaluator, "allows"),
    (botocore.awsrequest.AWSRequest, "prepare"),
    (botocore.client.BaseClient, "_convert_to_request_dict"),
    (botocore.client.BaseClient, "_resolve_endpoint_ruleset"),
    (botocore.client.ClientCreator, "_get_client_args"),
    (botocore.hooks.HierarchicalEmitter, "__copy__"),
    (botocore.parsers.ResponseParser, "parse"),
    (botocore.signers.RequestSigner, "sign"),
    (botocore.validate.ParamValidator, "validate"),
    (moto.core.botocore_stubber, "normalize_request"),
    (moto.core.serialize.ResponseSerializer, "serialize"),
)


# The tracer of each thread in which it is off.
_off = threading.local()


@contextmanager
def untraced_libraries() -> Iterator[None]:
    picker = moto.core.serialize.AttributePicker
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in FUNCTIONS:
            patch.setattr(owner, name, _untraced(getattr(owner, name)))
        patch.setattr(picker, "__call__", _traced_for_nitro(picker.__call__))
        yield


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, during which the thread's tracer is off."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        tracer = sys.gettrace()
        if tracer is None:
            return function(*arguments, **options)
        _off.tracer = tracer
        sys.settrace(None)
        try:
            return function(*arguments, **options)
        finally:
            _off.tracer = None
            sys.settrace(tracer)

    return call


def _traced_for_nitro(pick: Callable[..., Any]) -> Callable[..., Any]:
    """The serializer's reading of a value, traced where it may run a property of nitro's."""

    def call(self: object, context: moto.core.serialize.AttributePickerContext) -> Any:
        tracer = getattr(_off, "tracer", None)
        if tracer is None or not type(context.obj).__module__.startswith("nitro."):
            return pick(self, context)
        sys.settrace(tracer)
        try:
            return pick(self, context)
        finally:
            sys.settrace(None)

    return call
