"""What a check tells of steps that late nights have moved, and what work side by side comes to."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nitro.bench import claim, verdict
from nitro.bench.history import Series
from nitro.bench.store import FolderStore
from nitro.bench.triage import Difference
from nitro.bench.verdict import FailedCell
from nitro.bench.workers import Brake, Notes, side_by_side
from nitro.errors import Interrupted, NitroError
from tests.heard import Heard
from tests.said import told
from tests.transcripts import compare
from tests.unit.cli.said import rounded

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
FIRST = date(2026, 11, 1)


def night(number: int) -> date:
    return FIRST + timedelta(days=number)


class Asked:
    """A record whose cells and nights are made up; what is told lies in a folder."""

    def __init__(self, folder: Path, *, last: int | None = 29, **cells: Any) -> None:
        self.store, self.last = FolderStore(folder), last
        self.cells = {"now": [], "before": [], "exceeded": [], **cells}
        self.asked: list[str] = []

    def query(self, sql: str, parameters: Any = (), *, plan: str | None = None) -> Any:
        words = " ".join(sql.split())
        self.asked.append(f"{words[:40]} {parameters} {plan}")
        if "max(night) AS night" in words:
            rows: list[Any] = [{"night": None if self.last is None else night(self.last)}]
        elif "SELECT cell, count(*)" in words:
            rows = self.cells["now"]
        elif "unnest(allowances)" in words:
            rows = self.cells["exceeded"]
        elif "SELECT DISTINCT cell FROM" in words:
            rows = [{"cell": one} for one in self.cells["before"]]
        else:
            rows = []
        column = SimpleNamespace(to_pylist=lambda: [one["cell"] for one in rows])
        return SimpleNamespace(to_pylist=lambda: rows, column=lambda _: column)


def series(*levels: float, better: str = "more", metric: str = "m") -> Series:
    """Ten nights of each level."""
    values = np.repeat(np.array(levels), 10)
    nights = tuple(night(n) for n in range(len(values)))
    counts = np.full(len(values), 3)
    return Series("p", "c", metric, "s", better, nights, values, counts)  # type: ignore[arg-type]


def test_steps_that_were_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    monkeypatch.setattr(
        verdict,
        "differences",
        lambda _, sides: (Difference(f"of {sides.night} to {sides.found}", (), ("x",)),),
    )
    for better in ("more", "less"):
        for factor in (0.5, 2.0):
            record: Any = Asked(tmp_path / f"{better}{factor}")
            one = verdict.check(record, "p", histories=[series(1.0, 1.0, factor, better=better)])
            text += f"{better} {factor}: {one.to_json()}\n  {record.asked}\n"
            verdict.tell(record, one)
            for path in sorted(Path(record.store.root).rglob("*.json")):
                told_ = json.loads(path.read_text())
                text += f"  told {told_['night']} {told_['told']} {path.parent.name}\n"
    histories = [series(1.0, 1.0, 2.0)]
    step = next(verdict._steps(histories[0], 1))
    step = replace(step, differences=())
    for moved in range(-9, 10):
        for ratio in (step.ratio, 1 / step.ratio):
            place = tmp_path / f"moved{moved}{ratio}"
            record = Asked(place)
            before: Any = SimpleNamespace(plan="p", night=night(29))
            before.new = [replace(step, night=night(20 + moved), ratio=ratio)]
            verdict.tell(record, before)
            for now in (28, 29):
                record.last = now
                found = verdict.check(record, "p", night(now), histories=histories)
                text += f"told {moved} nights off, {ratio:.1f}, checked on {now}: "
                shown = ([one.night.day for one in some] for some in (found.new, found.known))
                text += f"{[*shown]}\n"
    others: tuple[dict[str, Any], ...] = ({"metric": "n"}, {"unit": "x"}, {"cell": "d"})
    for other in others:
        place = tmp_path / f"other{other}"
        record = Asked(place)
        told_ = SimpleNamespace(plan="p", night=night(9), new=[replace(step, **other)])
        verdict.tell(record, told_)  # type: ignore[arg-type]
        found = verdict.check(record, "p", histories=histories)
        text += f"told of {other}: {len(found.new)} new, {len(found.known)} known\n"
    for last in (None, 9, 10, 21, 22, 23, 29):
        record = Asked(tmp_path / f"last{last}", last=last)
        for wanted in (None, night(5)):
            answer = told(verdict.check, record, "p", wanted, histories=histories)
            text += f"last {last}, wanted {wanted}: {answer[:120]}\n"
    for content in ("", "[]", "{}", '{"night": "x"}', json.dumps({"night": None})):
        record = Asked(tmp_path / f"bad{len(content)}")
        record.store.write("told/p/x.json", content.encode())
        text += f"{content!r}: {told(verdict.check, record, 'p', histories=histories)}\n"
    compare(HERE / "table-told.txt", rounded(text.replace(str(tmp_path), "<folder>")))


def test_cells(tmp_path: Path) -> None:
    text = ""

    def cell(name: str, runs: int, failed: int, limited: int) -> dict[str, Any]:
        error = f"why {name}" if failed else None
        return {"cell": name, "runs": runs, "failed": failed, "error": error, "limited": limited}

    exceeded = [{"cell": "c", "counter": "server a"}, {"cell": "c", "counter": "client b"}]
    for now in ([], [cell("c", 3, 0, 0)], [cell("c", 3, 1, 2)], [cell("c", 3, 1, 1)],
                [cell("c", 3, 3, 0)], [cell("c", 3, 0, 3), cell("d", 1, 1, 1)]):  # fmt: skip
        for before in ([], ["c"], ["c", "e"]):
            record: Any = Asked(tmp_path, now=now, before=before, exceeded=exceeded)
            found = verdict.check(record, "p", histories=[])
            text += f"{[tuple(one.values()) for one in now]} {before}\n"
            text += "".join(f"  {one}: {one!r}\n" for one in (*found.failed, *found.limited))
    text += f"{FailedCell('p', 'c', 0, 0, 'gone')} {FailedCell('p', 'c', 1, 2, 'x')}\n"
    compare(HERE / "table-failed-cells.txt", text)


def test_work_side_by_side() -> None:
    text = ""
    for at_once in (1, 2, 3):
        for failing in (None, 0, 1, 4):
            for error in (NitroError("no"), Interrupted("stop"), ValueError("x")):
                brake, done, lock = Brake(), list[int](), threading.Lock()

                def one(number: int, failing: Any = failing, error: Any = error, done: Any = done,
                        lock: Any = lock) -> None:  # fmt: skip
                    with lock:
                        done.append(number)
                    if number == failing:
                        raise error

                work = [lambda n=n, one=one: one(n) for n in range(5)]
                try:
                    side_by_side(work, at_once, brake)
                    raised = "nothing"
                except (NitroError, ValueError) as caught:
                    raised = repr(caught)
                ran = sorted(done) if at_once == 1 or failing is None else (failing in done)
                text += f"{at_once} at once, {failing} raises {error!r}: {raised} {ran} "
                text += f"{brake._pulled.is_set()}\n"
    brake = Brake()
    slept: list[float] = []
    pause = brake.on(slept.append)
    pause(1)
    brake.pull()
    text += f"{told(pause, 2)} {told(brake.check)} {slept}\n"
    brake.release()
    text += f"{told(pause, 3)} {slept}\n"
    outer = Heard()
    notes = Notes(outer=outer)
    notes.note("a note")
    with notes.stage("hidden"):
        pass
    text += f"{outer.notes} {[*outer.stages]}\n"
    compare(HERE / "table-workers.txt", text)


def test_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of processes as /proc shows them."""
    text = ""
    stats = {
        "running": f"7 (a b) c) R {' '.join(str(n) for n in range(1, 40))}",
        "a zombie": f"7 (a) Z {' '.join(str(n) for n in range(1, 40))}",
        "dead": f"7 (a) X {' '.join(str(n) for n in range(1, 40))}",
    }
    for name, stat in stats.items():
        with monkeypatch.context() as patch:
            patch.setattr("nitro.bench.claim.Path.read_text", lambda _, s=stat: s)
            text += f"{name}: {claim._began('7')!r}\n"
    text += f"{claim._began('none')!r}\n"
    mine = {"machine": "m", "pid": 7, "began": "5", "job": None}
    monkeypatch.setattr(claim, "_machine", lambda: "m")
    monkeypatch.setattr("nitro.bench.claim.os.getpid", lambda: 7)
    for began in ("5", "6", ""):
        monkeypatch.setattr(claim, "_began", lambda _, b=began: b)
        for job in (None, "j", "k"):
            monkeypatch.delenv(claim.BATCH_JOB, raising=False)
            if job:
                monkeypatch.setenv(claim.BATCH_JOB, job)
            for change in ({}, {"machine": "n"}, {"machine": ""}, {"pid": 8}, {"job": "j"},
                           {"job": "j", "machine": "n"}, {"job": "j", "pid": 8}):  # fmt: skip
                found = claim.Claim("d", "r", **{**mine, **change})  # type: ignore[arg-type]
                text += f"{began!r} {job} {change}: {found.abandoned}\n"
    kept = FolderStore(tmp_path)
    monkeypatch.delenv(claim.BATCH_JOB, raising=False)
    with claim.claimed(kept, "p", FIRST, "d-1", "eu-west-1"):
        for path, content in kept.read(f"running/p/{FIRST}").items():
            text += f"{path} {content!r}\n"
    text += f"{kept.read(f'running/p/{FIRST}')}\n"
    compare(HERE / "table-claims.txt", text)
