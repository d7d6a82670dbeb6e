"""Which cloud a command works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nitro.cli.connection import connected
from nitro.local import Endpoint, LocalSession
from nitro.progress import Reporter


def test_region_chooses_a_region_of_the_local_nitro(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own resources at one address."""
    endpoint = Endpoint("http://127.0.0.1:1", "http://10.0.0.1", "us-east-1", "key", "secret")

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
