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
