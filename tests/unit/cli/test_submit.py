"""What `nitro bench submit` and the command of its jobs hand on and print; the way through AWS
Batch is in tests/cloud/test_submit.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import campaign, night, report
from nitro.bench import submit as submissions
from nitro.bench.campaign import Campaign
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from nitro.cli.bench import submit as command
from nitro.errors import Regression
from tests.unit.cli.runner import json_of, nitro_

PLAN = """
name = "small"
[matrix]
drivers = ["nitro"]
types = ["c5.large"]
[[test]]
protocol = "http"
streams = [4]
"""
NIGHT = date(2026, 11, 26)
WHERE = ("--queue", "q", "--night", str(NIGHT), "--record", "s3://results/net")


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What commands are connected to: an account whose record is the folder `record`."""
    settings = SimpleNamespace(subnet="subnet-1", bucket="results")
    made = SimpleNamespace(cloud=object(), local=None, settings=settings)

    @contextmanager
    def connected(*_: Any, **__: Any) -> Iterator[SimpleNamespace]:
        yield made

    monkeypatch.setattr(command, "connected", connected)
    monkeypatch.setattr(command, "store_of", lambda *_: FolderStore(tmp_path / "record"))
    return made


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def submit_as(
    monkeypatch: pytest.MonkeyPatch, *, job: str | None = "job-1", new: bool = True
) -> list[dict[str, Any]]:
    """Have submissions end so; returns what they were asked for."""
    asked: list[dict[str, Any]] = []

    def submit(cloud: object, plan: Plan, record: Record, **options: Any) -> submissions.Submission:
        asked.append(options)
        last = job and "last-1"
        return submissions.Submission(plan.name, options["night"], 2, 8, job, last, new)

    monkeypatch.setattr(submissions, "submit", submit)
    return asked


def test_a_submitted_night(
    connection: SimpleNamespace, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = submit_as(monkeypatch)
    told = nitro_("bench", "submit", str(plan), *WHERE).stdout
    assert told.endswith(f"night of {NIGHT}: 8 runs in 2 parts: job job-1, check last-1\n")
    assert (asked[0]["queue"], asked[0]["definition"], asked[0]["night"]) == ("q", "nitro", NIGHT)
    assert (asked[0]["place"], asked[0]["notices"]) == ("s3://results/net", [])
    assert (asked[0]["subnet"], asked[0]["bucket"]) == ("subnet-1", "results")
    notices = (
        "--webhook",
        "https://example.com/x",
        "--sns",
        "arn:aws:sns:eu-west-1:123456789012:nights",
    )
    document = json_of("bench-submit", "bench", "submit", str(plan), *WHERE, *notices)
    assert (document["parts"], document["missing"], document["new"]) == (2, 8, True)
    assert asked[1]["notices"] == list(notices)


@pytest.mark.parametrize(
    ("job", "says"),
    [("job-1", "runs already: job job-1, check last-1"), (None, "nothing is missing")],
)
def test_a_night_that_need_not_be_submitted(
    connection: SimpleNamespace,
    plan: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: str | None,
    says: str,
) -> None:
    submit_as(monkeypatch, job=job, new=False)
    told = nitro_("bench", "submit", str(plan), *WHERE).stdout
    assert told.endswith(f"night of {NIGHT}: {says}\n")


def test_a_local_nitro_that_would_end_with_the_command(
    connection: SimpleNamespace, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = submit_as(monkeypatch)
    connection.local = SimpleNamespace(runs_until_down=False)
    assert "nitro local up" in nitro_("bench", "submit", str(plan), *WHERE, code=2).output
    assert asked == []
    connection.local = SimpleNamespace(runs_until_down=True)
    nitro_("bench", "submit", str(plan), *WHERE)
    assert len(asked) == 1


def test_a_job_measures_its_part(
    connection: SimpleNamespace, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Campaign(
        plan=Plan.load(plan), night=NIGHT, region="us-east-1", parts=2, published=(), bucket="b"
    )
    monkeypatch.setattr(campaign, "read", lambda store, folder: told)
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", "1")
    asked: list[dict[str, Any]] = []

    def run(cloud: object, plan: Plan, record: Record, **options: Any) -> night.NightReport:
        asked.append({"plan": plan, **options})
        return night.NightReport(NIGHT, recorded=3)

    monkeypatch.setattr(night, "run", run)
    printed = nitro_("bench", "job", "jobs/x", "--record", "s3://results/net").stdout
    assert '"recorded": 3' in printed
    assert (asked[0]["plan"], asked[0]["night"]) == (told.plan, NIGHT)
    assert (asked[0]["part"], asked[0]["bucket"]) == (told.part(), "b")


def test_the_last_job_reports_and_judges(
    connection: SimpleNamespace, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Campaign(plan=Plan.load(plan), night=NIGHT, region="us-east-1", parts=2, published=())
    monkeypatch.setattr(campaign, "read", lambda store, folder: told)
    compacted, judged = [], []
    monkeypatch.setattr(Record, "compact", lambda _, name, day: compacted.append((name, day)))

    def write(record: Record, folder: Path, name: str) -> Path:
        page = folder / "index.html"
        page.write_text("the page")
        return page

    def judge(record: Record, plans: list[str], day: date, *rest: object) -> None:
        judged.append((plans, day, *rest[:2]))
        raise Regression("slower", hint="look")

    monkeypatch.setattr(report, "write", write)
    monkeypatch.setattr(command, "judge", judge)
    words = ("--record", "s3://results/net", "--webhook", "https://example.com/x")
    done = nitro_("bench", "job", "jobs/x", "--last", *words, code=Regression.exit_code)
    name = told.plan.name
    assert f"reports/{name}/index.html" in done.stdout
    assert (tmp_path / f"record/reports/{name}/index.html").read_text() == "the page"
    assert compacted == [(name, NIGHT)]
    assert judged == [([name], NIGHT, "https://example.com/x", None)]
