"""Which cloud a command works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nitro.cli.connection import connected
from nitro.local import Endpoint, LocalSession
from nitro.progress import Reporter
from tests.unit.cli.runner import json_of, nitro_


def test_region_chooses_a_region_of_the_local_nitro(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own resources at one address."""
    endpoint = Endpoint("http://127.0.0.1:1", "certificate", "us-east-1", "key", "secret")

    @contextmanager
    def session(_report: Reporter) -> Iterator[LocalSession]:
        yield LocalSession(endpoint, Path())

    monkeypatch.setattr("nitro.local.session", session)
    for asked, found in ((None, "us-east-1"), ("eu-west-1", "eu-west-1")):
        with connected(Reporter(), cloud="local", region=asked) as connection:
            assert connection.cloud.region == found


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "http://127.0.0.1:1"),
        ({"AWS_SESSION_TOKEN": "of a role"}, None),
        ({"AWS_ACCESS_KEY_ID": ""}, None),
    ],
    ids=["a key", "a role", "a profile"],
)
def test_another_endpoint_gets_the_key_that_is_set_for_it_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: dict[str, str], found: str | None
) -> None:
    """With a role or a profile, AWS_ENDPOINT_URL is boto3's own business."""
    credentials = tmp_path / "credentials"
    credentials.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        **more,
    }
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("nitro.cli.connection._account", lambda _: "123456789012")
    with connected(Reporter(), cloud="aws", region="eu-west-1") as connection:
        assert connection.cloud.endpoint_url == found
        assert connection.cloud.ec2.meta.endpoint_url == "http://127.0.0.1:1"


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A local Nitro that does not run, and must not be started."""

    def session(_report: Reporter) -> None:
        raise AssertionError("the local Nitro was started")

    monkeypatch.setenv("NITRO_STATE", str(tmp_path))
    monkeypatch.setattr("nitro.local.session", session)


NOT_THERE = "i-0123456789abcdef0"


@pytest.mark.usefixtures("no_start")
@pytest.mark.parametrize("name", ["x", "i-1", "ami-01234567", "I-01234567", NOT_THERE, ""])
@pytest.mark.parametrize("command", ["probe", "console", "logs", "strace", "destroy"])
def test_nothing_is_started_to_look_for_what_cannot_be_there(command: str, name: str) -> None:
    assert name in nitro_(command, name, code=2).output


@pytest.mark.usefixtures("no_start")
def test_nothing_is_started_to_list_nothing() -> None:
    assert json_of("ls", "ls") == []
    assert "no resources found" in nitro_("ps").output
