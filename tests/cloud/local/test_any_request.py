"""Whatever is asked of the services beside EC2: an answer of the model's form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from botocore.model import OperationModel, ServiceModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.core.utils import get_service_model
from moto.server import create_backend_app
from werkzeug.test import Client

from nitro.local.aws import Site, install
from nitro.local.aws.api import support
from nitro.local.error_answer import in_form
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from tests.lengths import length

HEADERS = {"Authorization": "AWS4-HMAC-SHA256 Credential=X/20260101/us-east-1/{}/aws4_request"}
WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "a", "/a/b", "alias/aws/ebs", "snap-1", "true", "0", "-1", "99999"]),
    st.sampled_from(["arn:aws:kms:us-east-1:123456789012:key/1", "Parameter", "$Latest"]),
)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(-2, 2**70), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)
JSON = ("kms", "service-quotas", "ssm")  # by the names of their models
QUERY = ("autoscaling", "iam", "sts")
FEW = settings(
    max_examples=length(short=40, long=1500),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A test client of each service, on one site."""
    folder: Path = tmp_path_factory.mktemp("blocks")
    with install(Site(BlockStore(folder), NullHypervisor(), index=folder)), mock_aws():
        yield {
            name: Client(in_form(create_backend_app(name), name))
            for name in ("ebs", "s3", *QUERY, *JSON)
        }


def fitting(shape: Any) -> st.SearchStrategy[Any]:
    """Values of a shape's type, within no limits."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(-2, 10**6),
        "long": st.integers(-2, 10**12),
        "list": st.lists(fitting(shape.member), max_size=2)
        if shape.type_name == "list"
        else st.nothing(),
        "structure": st.fixed_dictionaries(
            {}, optional={n: fitting(m) for n, m in shape.members.items()}
        )
        if shape.type_name == "structure"
        else st.nothing(),
    }
    enum = shape.metadata.get("enum")
    return kinds.get(shape.type_name, st.sampled_from(enum) if enum else WORDS)


def asked_of(model: OperationModel, data: st.DataObject) -> dict[str, Any]:
    """Parameters: some of those that the operation has, of its types or of any."""
    members = model.input_shape.members if model.input_shape else {}
    good = st.fixed_dictionaries(
        {name: fitting(members[name]) for name in members if data.draw(st.booleans())}
    )
    return data.draw(st.one_of(good, st.dictionaries(st.sampled_from([*members, "X"]), VALUES)))


def operations(model: ServiceModel) -> st.SearchStrategy[str]:
    """Those that are honoured and some others, or all of a service that is moto's as it is."""
    honoured = support.SERVICES.get(model.service_name)
    names = model.operation_names
    return st.sampled_from([*names[:5], *honoured] if honoured else names)


@pytest.mark.extended
@FEW
@given(data=st.data())
@pytest.mark.parametrize("service", JSON)
def test_json_services_answer_by_their_model(clients: Any, service: str, data: Any) -> None:
    model: ServiceModel = get_service_model(service)
    name = data.draw(operations(model))
    body = json.dumps(asked_of(model.operation_model(name), data))
    headers = {
        **{"Authorization": HEADERS["Authorization"].format(service)},
        "X-Amz-Target": f"{model.metadata['targetPrefix']}.{name}",
    }
    answer = clients[service].post("/", data=body, headers=headers)
    assert answer.status_code in (200, 400, 404), answer.text
    assert isinstance(json.loads(answer.text or "{}"), dict)


@pytest.mark.extended(fast=1)
@FEW
@given(data=st.data())
@pytest.mark.parametrize("service", QUERY)
def test_query_services_answer_by_their_model(clients: Any, service: str, data: Any) -> None:
    model = get_service_model(service)
    name = data.draw(operations(model))
    shape = model.operation_model(name).input_shape
    names = [*(shape.members if shape else ()), "X", "Tags.member.1.Key"]
    asked = data.draw(st.dictionaries(st.sampled_from(names), WORDS, max_size=5))
    answer = clients[service].post("/", data={"Action": name, **asked})
    assert answer.status_code < 500, answer.text
    ElementTree.fromstring(answer.text)


@pytest.mark.extended
@FEW
@given(data=st.data())
@pytest.mark.parametrize("service", ["ebs", "s3"])
def test_services_of_resources_answer_by_their_model(clients: Any, service: str, data: Any) -> None:
    model = get_service_model(service)
    operation = model.operation_model(data.draw(st.sampled_from(model.operation_names)))
    members = operation.input_shape.members if operation.input_shape else {}
    path, _, fixed = operation.http["requestUri"].partition("?")
    key = data.draw(st.one_of(st.just("key"), WORDS))
    path = path.replace("{Key+}", quote(key)).replace("{Bucket}", "bucket")
    if service == "s3":
        for there in ("/bucket", "/bucket/key"):
            clients["s3"].put(there, data=b"")
    for name in members:
        path = path.replace(
            f"{{{members[name].serialization.get('name', name)}}}", quote(data.draw(WORDS))
        )
    query = data.draw(
        st.dictionaries(
            st.sampled_from(["x", *(m.serialization.get("name", n) for n, m in members.items())]),
            WORDS,
            max_size=3,
        )
    )
    body = data.draw(
        st.one_of(
            st.just(b""),
            st.binary(max_size=40),
            st.builds(lambda v: json.dumps(v).encode(), VALUES),
        )
    )
    answer = clients[service].open(
        path if path.startswith("/") else f"/{path}",
        method=operation.http["method"],
        query_string={**dict.fromkeys(fixed.split("&") if fixed else (), ""), **query},
        data=body,
        headers={"Authorization": HEADERS["Authorization"].format(service)},
    )
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    assert not answer.text.lower().startswith("<!doctype html"), answer.text


@pytest.mark.parametrize("path", ["/snapshots/0//blocks/0", "/snapshots//blocks"])
def test_a_path_with_an_empty_part_is_an_error_of_the_service(clients: Any, path: str) -> None:
    headers = {"Authorization": HEADERS["Authorization"].format("ebs")}
    answer = clients["ebs"].open(path, headers=headers)
    assert answer.status_code == 404
    assert "Message" in json.loads(answer.text) or "message" in json.loads(answer.text)
