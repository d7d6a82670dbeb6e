"""JUnit XML and Markdown say what the verdict says, and break at nothing in it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from nitro.bench.summary import headline, junit, markdown
from nitro.bench.triage import Difference
from nitro.bench.verdict import FailedCell, LimitedCell, Step, Verdict
from tests.unit.bench.samples import CELL, NIGHT


def step(ratio=0.9, worse=True, metric="tcp_in"):
    changed = (Difference("kernel", ("6.12.0",), ("6.12.1",)),)
    return Step(
        *("small", CELL.key, metric, "bit/s", NIGHT, NIGHT, 5e9, 5e9 * ratio),
        *(ratio, ratio - 0.01, ratio + 0.01, worse, None, changed),
    )


def verdict(**fields):
    series = (f"{CELL.key} tcp_in", f"{CELL.key} tcp_rr")
    values = {"new": (), "known": (), "failed": (), "limited": ()} | fields
    return Verdict("small", NIGHT, series, **values)


BAD = verdict(
    new=(step(1.2, worse=False, metric="tcp_rr"), step()),
    failed=(FailedCell("small", "c5 | <x>", 1, 3, "it said \x1b[31m]]>&"),),
    limited=(LimitedCell("a cell", ("server pps_allowance_exceeded",)),),
)


def test_a_regression_is_a_failure_and_a_failed_cell_an_error():
    root = ElementTree.fromstring(junit([BAD, verdict()]))
    first, second = root
    assert dict(first.attrib) | {} == {
        "name": "small",
        "timestamp": "2026-11-26T00:00:00",
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    failed = [case.get("name") for case in first if case.find("failure") is not None]
    assert failed == ["tcp_in"]
    assert "kernel: 6.12.0 → 6.12.1" in str(first.findtext("testcase/failure"))
    assert [case.get("name") for case in first if case.find("error") is not None] == ["runs"]
    assert second.get("failures") == second.get("errors") == "0"


def test_markdown_has_the_worst_first():
    text = markdown([BAD])
    rows = [line for line in text.splitlines() if line.startswith("| c5.large")]
    # Without the line of dashes Markdown shows no table.
    lines = text.splitlines()
    head = lines.index(rows[0]) - 2
    assert lines[head].count("|") == lines[head + 1].count("|") == 8
    assert set(lines[head + 1]) == set("|-:")
    assert "**-10.0 %**" in rows[0]
    assert "+20.0 %" in rows[1]
    assert "5 Gbit/s | 4.50 Gbit/s" in rows[0]
    assert r"c5 \| &lt;x>" in text
    assert "\x1b" not in text
    assert "limited by its allowance: a cell (server pps_allowance_exceeded)" in text


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (BAD, "1 slower, 1 faster, 1 failed, 1 limited by an allowance in 2 series"),
        (verdict(), "no change in 2 series"),
    ],
)
def test_a_verdict_in_one_line(one, says):
    assert headline(one) == says
