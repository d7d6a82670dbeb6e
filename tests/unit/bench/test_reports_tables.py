"""What reports, exports and the search for causes make of each kind of value."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vl_convert

from nitro.bench import export, notify, report, summary
from nitro.bench.history import Series
from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from nitro.bench.triage import CONDITIONS, Difference, Sides, differences
from nitro.bench.verdict import FailedCell, LimitedCell, Step, Verdict
from tests.said import told
from tests.transcripts import compare as held
from tests.unit.bench.samples import CELL, days, sample

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NIGHT = date(2026, 11, 26)


def test_exported_values() -> None:
    text = ""
    values: list[Any] = [
        None,
        True,
        1,
        "x",
        1.5,
        math.nan,
        math.inf,
        Decimal("2.0"),
        Decimal("2.5"),
    ]
    values += [
        NIGHT,
        time(1, 2),
        datetime(2026, 1, 2, tzinfo=UTC),
        b"\x00\xff",
        {"a": b"x", 1: [NIGHT]},
    ]
    values += [[1, math.nan], (b"x",), pa.MonthDayNano([1, 2, 3]), timedelta(1, 2), {1, 2}]
    for value in values:
        text += f"{value!r}: {export.plain(value)!r}\n"
    table = pa.table(
        [pa.array([1]), pa.array([2]), pa.array([3]), pa.array([4])], ["a", "b", "a", "a"]
    )
    text += f"{told(export.rows_of, table)}\n"
    late = pa.table([pa.array([2**62], pa.timestamp("s"))], ["t"])
    text += f"{told(export.rows_of, late)}\n"
    series = [
        Series(
            "p",
            cell,
            metric,
            unit,
            "more",
            (NIGHT, NIGHT),
            np.array([1.0, value]),
            np.array([3, 4]),
        )
        for cell, metric, unit, value in (
            ("c", "m", "bit/s", 2.5),
            ('d"\\\n', "m", "bit/s", 1e9),
            ("c", "a", "requests/s", 3.0),
            ("c", "b", "s", 0.1),
            ("c", "e", "%", 5.0),
            ("c", "z", "Odd Unit/s", 5.0),
        )
    ]
    text += export.as_openmetrics(series) + export.as_openmetrics([]) + f"{series[0].to_json()}\n"
    held(HERE / "table-exports.txt", text)


STEP = Step(
    *("p", "c <a> | b", "m", "bit/s", NIGHT, NIGHT, 2e9, 1e9, 0.5, 0.4, 0.6, True),
    differences=(Difference("kernel", ("6.1",), ("6.2", "6.3")), Difference("nic", (), ("x",))),
)


def test_summaries() -> None:
    text = ""
    steps = (STEP, replace(STEP, cell="c", worse=False, ratio=2.0, differences=()))
    failed = (FailedCell("p", "c", 1, 3, "no\x1b[1m | <x>"), FailedCell("p", "d", 0, 0, "gone"))
    limited = (LimitedCell("c", ("server a", "client b")),)
    for new, bad, held_back in itertools.product((steps[:0], steps[:1], steps), (0, 1, 2), (0, 1)):
        verdict = Verdict(
            "p", NIGHT, ("c m", "e n"), new, steps[:1], failed[:bad], limited[:held_back]
        )
        text += f"{summary.headline(verdict)}\n{summary.markdown([verdict])}"
        text += f"{summary.junit([verdict])}{verdict.to_json()}\n"
        text += f"{len(notify.worth_telling([verdict]))}\n"
    old = replace(verdict, failed=(), new=(replace(STEP, told=NIGHT),))
    text += f"{len(notify.worth_telling([old]))} {STEP} {STEP.id} {replace(STEP, ratio=2.0).id}\n"
    text += summary.markdown([]) + summary.junit([]) + f"{summary.level(2.5e9, 'bit/s')}\n"
    held(HERE / "table-summaries.txt", text)


def test_causes() -> None:
    text = ""
    sides = Sides("p", "c", NIGHT, NIGHT)
    names = {"digest": ["a"], "kernel": None, "zone": ["x", "y"], "market": ["spot"]}

    def row(new: bool, **more: Any) -> dict[str, Any]:
        return {"new": new, **dict.fromkeys(CONDITIONS), **names, **more}

    cases: dict[str, list[dict[str, Any]]] = {
        "nothing": [],
        "old only": [row(False)],
        "new only": [row(True)],
        "the same": [row(False), row(True)],
        "changed": [row(False), row(True, digest=["b"], kernel=["6"], zone=["x"], market=None)],
        "more": [row(False), row(True, zone=["x", "y", "z"], digest=[])],
    }
    for name, found in cases.items():
        answer = SimpleNamespace(to_pylist=lambda f=found: f)
        asked: list[Any] = []
        record: Any = SimpleNamespace(
            query=lambda *a, heard=asked, said=answer, **k: heard.append((a[1:], k)) or said
        )
        text += f"{name}: {told(differences, record, sides)} {asked}\n"
    text += f"{Difference('a', (), ('b', 'c'))}; {Difference('a', ('b',), ()).to_json()}\n"
    held(HERE / "table-causes.txt", text)


def test_a_page_of_two_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same cells in the same nights: each has its own runs, drivers and output."""
    monkeypatch.setattr(vl_convert, "vegalite_to_svg", lambda *_, **__: "<svg>")
    record = Record(FolderStore(tmp_path / "record"))
    kernel = replace(CELL, machine=replace(CELL.machine, driver="kernel"))
    for night, (plan, value) in itertools.product(days(3), (("one", 1e9), ("two", 2e9))):
        record.append(
            sample(
                value + number * 1e6 + repetition,
                plan=plan,
                night=night,
                cell=cell,
                repetition=repetition,
                raw=f"of {plan}",
            )
            for number, cell in enumerate((CELL, kernel))
            for repetition in range(2)
        )
    text = ""
    for only in (None, "two"):
        page = report.write(record, tmp_path / f"page{only}", only).read_text()
        page = re.sub(r"(?s)(<style>|<script>).*?(?=</)", r"\1...", page)
        text += f"---- {only}\n" + re.sub(r"(<h[123]|<tr|<li|<article|<details|<p)", r"\n\1", page)
    held(HERE / "table-pages.txt", text)


def test_what_a_file_says_of_itself(tmp_path: Path) -> None:
    record = Record(FolderStore(tmp_path))
    record.append([sample()])
    [path] = tmp_path.rglob("*.parquet")
    assert pq.read_schema(path).metadata[b"schema"] == b"nitro.sample/1"
