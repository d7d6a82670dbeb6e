"""`nitro selftest` on a command line: its table, its document, its file, its exit code."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.config import Settings
from nitro.selftest import Report, Selftest, SelftestCheck
from tests.unit.cli.runner import json_of, nitro_


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Report:
    report = Report("aws", "us-east-1", "c5.large", 1.0)
    report.checks.append(
        SelftestCheck("identity", "usable", "ok", "account 123456789012", seconds=1.5, usd=0.25)
    )

    @contextmanager
    def connected(*_: Any, **__: Any) -> Any:
        yield SimpleNamespace(cloud=None, settings=Settings(cloud="aws"), allow=())

    monkeypatch.setattr("nitro.cli.selftest.connected", connected)
    monkeypatch.setattr(Selftest, "run", lambda _self: report)
    return report


def test_the_table(found: Report) -> None:
    assert nitro_("selftest").stdout.splitlines() == [
        "ok       identity: account 123456789012 (1.5 s, at most 0.2500 USD)",
        "1 of 1 checks passed, at most 0.25 USD spent",
    ]


def test_a_failed_check_says_what_was_expected_and_what_to_do(found: Report) -> None:
    found.checks.append(SelftestCheck("boot", "ready", "failed", "a panic", remedy="see it"))
    printed = nitro_("selftest", code=1).stdout.splitlines()
    assert printed[1:4] == [
        "failed   boot: a panic",
        "         expected: ready",
        "         → see it",
    ]


def test_the_document_and_the_file(found: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    document = json_of("selftest", "selftest", "-o", str(path))
    assert document["checks"][0]["came"] == "account (account)"
    assert json.loads(path.read_text()) == document


def test_a_budget_below_zero_is_refused() -> None:
    nitro_("selftest", "--budget", "-1", code=2)


@pytest.mark.parametrize("name", ["", "no/such/folder/report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path, name: str
) -> None:
    refused = nitro_("selftest", "-o", str(tmp_path / name), code=2)
    assert "cannot be written" in refused.stderr
