"""What botocore and moto prepare anew for each client and each test, prepared once.

A test makes a connection or two, and each of their clients costs botocore more than its calls
cost moto: it reads the service's model, and makes a method of each of EC2's 700 operations.
None of that depends on the session, so it is kept for the process. Parts of uploads are small
(`small_parts`): a disk of some parts and blocks is then 3 MB that are hashed, sent, stored, and
read back.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import botocore.hooks
import botocore.httpsession
import botocore.regions
import botocore.session
import moto.core.models
import moto.core.responses
import moto.core.serialize
import moto.kms.utils
import moto.s3.models
import pytest
from botocore.client import ClientCreator
from botocore.endpoint_provider import EndpointProvider
from botocore.hooks import EventAliaser
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from moto.backends import get_backend
from moto.core.base_backend import AccountSpecificBackend
from moto.core.serialize import AttributePickerContext
from moto.moto_api._internal import mock_random

import nitro.cloud.upload
from nitro.cloud import Cloud, role, storage
from tests.cloud.authorization import ACCOUNT

PART_SIZE = 1 << 20  # bytes
SERVICES: tuple[Any, ...] = (
    *("autoscaling", "batch", "ebs", "ec2", "iam", "kms", "s3", "service-quotas", "sns"),
    *("ssm", "sts"),
)


@contextmanager
def prepared_once() -> Iterator[None]:
    """Keep models, methods and event names of botocore's until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        # A loader remembers what it has read; sessions usually have one each.
        patch.setattr(botocore.session, "create_loader", functools.cache(create_loader))
        for owner, name in (
            (ClientCreator, "_load_service_model"),
            (ClientCreator, "_create_methods"),
            (EventAliaser, "_alias_event_name"),
        ):
            patch.setattr(owner, name, _kept(getattr(owner, name)))
        # It inspects each of the 130 handlers that a session registers.
        patch.setattr(botocore.hooks, "accepts_kwargs", lambda _: True)
        # It parses the rules of a service's endpoints, too, for each client.
        patch.setattr(botocore.regions, "EndpointProvider", _made_once(EndpointProvider))
        # moto looks through a class for the actions that it has at each request.
        members = functools.cache(moto.core.responses.method_names_from_class)
        patch.setattr(moto.core.responses, "method_names_from_class", members)
        # For each value of each answer moto works out by which names an object may have it.
        picker = moto.core.serialize.AttributePicker
        for each in (picker, *picker.__subclasses__()):
            patch.setattr(each, "get_possible_keys", _names_kept(each.get_possible_keys))
        # moto answers botocore by a handler, and `requests` by patterns that it adds for each
        # method before each test. Tests only put objects by presigned URLs.
        patch.setattr(moto.core.models, "RESPONSES_METHODS", ["PUT"])
        # At the end of a test all backends go; before that, moto makes each of them anew.
        patch.setattr(AccountSpecificBackend, "reset", _close)
        # A key is made from primes that are looked for, a context for TLS from all authorities.
        for module, name in (
            (moto.kms.utils.rsa, "generate_private_key"),
            (botocore.httpsession, "create_urllib3_context"),
        ):
            patch.setattr(module, name, functools.cache(getattr(module, name)))
        yield


def small_parts(patch: pytest.MonkeyPatch) -> None:
    """Have uploads in parts of 1 MiB. For one test each: other tests look at nitro's own size."""
    patch.setattr(nitro.cloud.upload, "PART_SIZE", PART_SIZE)
    patch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", PART_SIZE)


class AccountWithRole:
    """Gives an account of moto's the role that VM Import needs, as `role.create` makes it.

    It is made by calls once, and copied into later accounts.
    """

    def __init__(self) -> None:
        self._roles: dict[str, Any] = {}

    def prepare(self, cloud: Cloud) -> None:
        backend = get_backend("iam")[ACCOUNT]["aws"]
        if not self._roles:
            state = mock_random.getstate()
            role.create(cloud, storage.own_bucket_name(cloud))
            mock_random.setstate(state)  # the first test's ids are those of any other
            self._roles = copy.deepcopy(backend.roles)
        backend.roles.update(copy.deepcopy(self._roles))


def _kept(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose results depend on its arguments only; a dict is copied for each caller."""
    results: dict[object, Any] = {}

    def call(self: object, *arguments: Any) -> Any:
        key = tuple(a.service_name if isinstance(a, ServiceModel) else a for a in arguments)
        if key not in results:
            results[key] = method(self, *arguments)
        found = results[key]
        return dict(found) if isinstance(found, dict) else found

    return call


def _made_once(make: Callable[..., EndpointProvider]) -> Callable[..., EndpointProvider]:
    """A provider keeps nothing of a client; loaders, which are kept, keep the rules."""
    made: dict[object, tuple[Any, EndpointProvider]] = {}

    def provider(ruleset_data: Any, **options: Any) -> EndpointProvider:
        key = (id(ruleset_data), repr(options.get("excluded_params")))
        if key not in made:  # with its rules, lest others have their id
            made[key] = ruleset_data, make(ruleset_data=ruleset_data, **options)
        return made[key][1]

    return provider


def _close(account: AccountSpecificBackend[Any]) -> None:
    """Let go of the files that the services of storage have open."""
    if account.service_name in {"ebs", "s3"}:
        for backend in account.values():
            backend.reset()


def _names_kept(method: Callable[..., Iterator[str]]) -> Callable[..., Sequence[str]]:
    """The names depend on the shape of the model and on the object's class only."""
    results: dict[object, Sequence[str]] = {}

    def names(self: object, context: AttributePickerContext) -> Sequence[str]:
        key = (type(self), type(context.obj), context.shape, context.key)
        if key not in results:
            results[key] = tuple(dict.fromkeys(method(self, context)))
        return results[key]

    return names


def same_ids() -> None:
    """Have moto give the ids of every run from now on: nitro chooses subnets by them.

    What moto loads at a service's first use draws some, too, so all is loaded before.
    """
    for service in SERVICES:
        get_backend(service)
    mock_random.seed(1)
