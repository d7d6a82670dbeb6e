"""The shipped policies in front of every connection that nitro's own code makes.

A test runs behind the policy for deployments, or behind those that its mark names:
`@pytest.mark.policies("publish")`. `parameters` and `buckets` are what `nitro policy` takes by the
same names; `exempt` says why a test is behind none. What a test calls itself prepares the account,
as an administrator would, and is held against no policy.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from nitro.cloud import Cloud, role, storage
from nitro.cloud.policies import Scope, document
from tests.cloud import holdings
from tests.cloud.authorization import ACCOUNT, Evaluator

# nitro's own bucket, and those that tests name.
BUCKETS = ("", "shared", "my-own", "elsewhere")
_in_force: list[Evaluator | None] = []


@contextmanager
def granted(*names: str, **scope: Any) -> Iterator[Evaluator]:
    """Connections that are made in the block may do what these policies allow, and no more."""
    evaluator = Evaluator(statements(*names, **scope))
    with _policed(evaluator):
        yield evaluator


@contextmanager
def exempt() -> Iterator[None]:
    """Connections that are made in the block may do anything: an administrator's."""
    with _policed(None):
        yield


@contextmanager
def policies_of(test: pytest.FixtureRequest) -> Iterator[None]:
    """The policies that a test's mark names are in force in the block."""
    holdings.are_here()
    mark = test.node.get_closest_marker("policies")
    if mark is None:
        evaluator = Evaluator(statements("deploy"))
    elif mark.args:
        evaluator = Evaluator(statements(*mark.args, **mark.kwargs))
    else:
        assert mark.kwargs["exempt"], "why it is behind no policy"
        evaluator = None
    with _policed(evaluator):
        yield


def statements(
    *names: str, parameters: Sequence[str] = (), buckets: Sequence[str] = BUCKETS
) -> list[dict[str, Any]]:
    """What the policies of these names allow in each of the buckets."""
    scopes = [Scope(account=ACCOUNT, bucket=each, parameters=tuple(parameters)) for each in buckets]
    return [
        each for name in names for scope in scopes for each in document(name, scope)["Statement"]
    ]


@contextmanager
def _policed(evaluator: Evaluator | None) -> Iterator[None]:
    _in_force.append(evaluator)
    try:
        with pytest.MonkeyPatch.context() as patch:
            if len(_in_force) == 1:
                patch.setattr(Cloud, "connect", functools.partial(_connect, Cloud.connect))
            yield
    finally:
        _in_force.pop()


def _connect(connect: Any, **options: Any) -> Cloud:
    cloud: Cloud = connect(**options)
    if evaluator := _in_force[-1]:
        evaluator.guard(cloud)
    return cloud


def make_role(cloud: Cloud, bucket: str = "") -> None:
    """The role that VM Import needs, made by somebody who has the policy for that."""
    found = cloud.session.get_credentials()
    assert found
    with granted("role"):
        user = Cloud.connect(
            region=cloud.region,
            endpoint_url=cloud.endpoint_url,
            key=(str(found.access_key), str(found.secret_key)),
            sleep=cloud.sleep,
        )
        role.create(user, bucket or storage.own_bucket_name(cloud))
