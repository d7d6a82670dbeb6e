"""All that `nitro bench` says of one record with a bit of everything (rich_record.py)."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import vl_convert

from nitro.bench import changes, notify, verdict
from nitro.bench import compare as comparing
from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from tests.transcripts import compare
from tests.unit.bench import rich_record
from tests.unit.bench.rich_record import DELAYED, LAST, NIGHTS, SLOWED, SLOWER
from tests.unit.bench.samples import CELLS, days, fill
from tests.unit.cli.said import rounded, said

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
Say = Callable[..., str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record")
    rich_record.fill(Record(FolderStore(folder)))
    return folder


@pytest.fixture
def say(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """`nitro bench` with the record, in a folder of its own; what is noted there goes again."""
    monkeypatch.setenv("NITRO_RECORD", str(written))
    monkeypatch.chdir(tmp_path)
    yield lambda *words: said("bench", *words).replace(str(written), "<record>")
    for folder in ("told", "sent"):
        for path in (written / folder).rglob("*.json"):
            path.unlink()


def test_verdicts(say: Say, tmp_path: Path) -> None:
    files = ("--junit", "junit.xml", "--markdown", "page.md")
    text = say("check", "--plan", "nightly", "--night", NIGHTS[13].isoformat())
    text += say("check", *files)
    text += "".join(f"{name}:\n{(tmp_path / name).read_text()}\n" for name in files[1::2])
    text += say("check", "--json")
    text += say("check", "--night", NIGHTS[7].isoformat())
    text += say("check", "--plan", "nightly", "--night", NIGHTS[3].isoformat())
    compare(HERE / "verdicts.txt", text)


def test_histories_comparisons_and_causes(say: Say) -> None:
    last = f"night={LAST}"
    text = say("history", "--nights", "2")
    text += say("history", "--cell", "*kernel http*", "--metric", "*p99", "--json")
    text += say("compare", "driver=kernel", "driver=nitro")
    text += say("compare", f"driver=kernel,{last}", f"driver=nitro,{last}")
    text += say(
        "compare", f"driver=kernel,{last}", f"driver=nitro,{last}", "--metric", "http_p99", "--json"
    )
    text += say("compare", f"{last},phase=steady", f"night={NIGHTS[10]},phase=steady")
    sides = ("instance_type=c5.large", "instance_type=c6in.large")
    text += say("compare", *sides, "--metric", "http*", "--json")
    text += say("compare", f"night={NIGHTS[19]},digest=sha256:45", f"{last},digest=sha256:89")
    text += say("triage", SLOWED.key, SLOWER.isoformat(), "--plan", "nightly")
    text += say("triage", DELAYED.key, NIGHTS[22].isoformat(), "--plan", "nightly", "--json")
    compare(HERE / "histories.txt", text)


def test_exports_and_queries(say: Say) -> None:
    text = say("export", "--format", "openmetrics")
    text += _some(say("export", "--plan", "weekly"), 4)
    text += _some(say("export", "--format", "json", "--plan", "weekly"), 140)
    columns = "SELECT night, count(*) AS n, count(error) AS failed, max(started) AS last"
    text += say("query", f"{columns}, min(error) FROM samples GROUP BY night ORDER BY night")
    text += say("query", "SELECT metric, count(*), max(value) FROM metrics GROUP BY 1 ORDER BY 1")
    values = "1::UTINYINT AS a, 'b' AS b, '\\x00'::BLOB AS c, NULL AS d, 1.50 AS e, 'x' AS b"
    times = (
        "INTERVAL 3 DAY AS f, TIME '01:02' AS g, [1.5, NULL] AS h, {'k': DATE '2026-11-26'} AS i"
    )
    text += say("query", f"SELECT {values}, {times}, 'nan'::DOUBLE AS j, true AS k", "--json")
    text += say("schema")
    text += say("schema", "--athena", "--record", "s3://a-bucket/it's")
    compare(HERE / "exports.txt", text)


def _some(text: str, lines: int) -> str:
    """The first lines, and what they begin."""
    shown = text.splitlines(keepends=True)
    return f"{''.join(shown[:lines])}... {len(shown) - lines} lines more\n\n"


def test_a_report(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specifications: list[dict[str, Any]] = []
    digests: list[str] = []  # of all that each chart has

    def draw(specification: dict[str, Any], **options: object) -> str:
        specifications.append(specification)
        whole = json.dumps([specification, options], sort_keys=True, default=str)
        digests.append(hashlib.sha256(rounded(whole).encode()).hexdigest()[:16])
        return f"<svg >chart {len(specifications)}</svg>"

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", draw)
    say("check", "--plan", "nightly", "--night", NIGHTS[13].isoformat())
    text = say("report", "-o", "out")
    page = (tmp_path / "out/index.html").read_text()
    page = re.sub(r"(?s)(<style>|<script>).*?(?=</)", r"\1...", page)
    page = re.sub(r"(<h[123]|<tr|<li|<article|<svg|<details|<p|<link|<form|<meta)", r"\n\1", page)
    compare(HERE / "report.txt", text + page)
    compare(HERE / "chart-digests.txt", "".join(f"{one}\n" for one in digests))
    shown = [f"chart {number}\n{_short(one)}" for number, one in enumerate(specifications, 1)]
    chosen = [text for text in shown if re.search(r"chart (15|16)\n|--better", text)]
    compare(HERE / "charts.txt", rounded("\n".join([*chosen, *shown[-2:]])))


def _short(specification: dict[str, Any]) -> str:
    """A specification with the first and the last of its values only."""
    layers = specification.pop("layer")
    lines = [f"{name}: {_plain(one)}" for name, one in sorted(specification.items())]
    for layer in layers:
        values = layer["data"]["values"]
        some = values if len(values) < 5 else [*values[:2], f"... {len(values)}", values[-1]]
        encoding = layer["encoding"].items()
        lines += [f"{layer['name']}: {_plain(layer['mark'])}", f"  data: {_plain(some)}"]
        lines += [f"  {name}: {_plain(one)}" for name, one in sorted(encoding)]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def test_steps() -> None:
    """What is found in series with a step, noise, nights that are off, and nothing."""
    text = ""
    for seed in range(60):
        chance = random.Random(seed)
        noise, size = chance.choice((0.001, 0.01, 0.03)), chance.choice((0, 0.06, -0.1, 0.2, -0.3))
        at, series = chance.randrange(5, 55), chance.choice((1, 40, 1000))
        values = []
        for night in range(60):
            off = chance.choice((0.7, 1.3)) if chance.random() < 0.04 else 1
            level = 1 + size if night >= at else 1
            values.append(1e9 * level * off * (1 + chance.uniform(-noise, noise)))
        text += f"{seed}: {size:+.2f} at {at}, noise {noise}, {series} series\n"
        for one in changes.find(values, series):
            text += f"  {one.index} found {one.found}: {one.ratio:.5f} "
            text += f"({one.low:.5f} to {one.high:.5f})\n"
    compare(HERE / "steps.txt", text)


def test_how_many_runs_tell(tmp_path: Path) -> None:
    """Pairs and single runs, from one to what an interval needs, and other nights' for the rest."""
    text = ""
    for nights, repetitions in ((1, 1), (1, 3), (1, 5), (1, 6), (2, 3), (1, 7), (2, 4), (1, 9)):
        record = Record(FolderStore(tmp_path / f"{nights}-{repetitions}"))
        fill(record, days(nights), cells=CELLS[::2], repetitions=repetitions, seed=repetitions)
        pairs = comparing.compare(record, {"driver": "kernel"}, {"driver": "nitro"})
        text += f"{nights} nights, {repetitions} repetitions\n"
        sides = {"driver": "kernel", "night": "2026-11-26"}, {"driver": "nitro"}
        for one in [*pairs, *comparing.compare(record, *sides)]:
            text += f"  {_plain(one.to_json())}\n"
    compare(HERE / "runs-that-tell.txt", rounded(text))


def test_news(written: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a webhook and a topic are told: all of it once, and each night's failures."""
    sent: list[str] = []

    class Opener:
        def open(self, request: Any, **options: Any) -> Any:
            sent.append(f"{request.method} {request.full_url} {request.headers} {options}\n")
            body = json.loads(request.data)
            sent.append(body["text"])
            for one in body["verdicts"]:
                sent.extend(f"  {key}: {_plain(value)}\n" for key, value in one.items())
            return io.BytesIO()

    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: Opener())

    def publish(**told: str) -> None:
        sent.extend(f"{name}: {value}\n" for name, value in told.items())

    cloud: Any = SimpleNamespace(sns=SimpleNamespace(publish=publish))
    to = notify.channels("https://example.org/x", "arn:aws:sns:eu-west-1:123456789012:n", cloud)
    record = Record(FolderStore(written))
    for night in (NIGHTS[13], NIGHTS[14], LAST, LAST):
        judged = [verdict.check(record, "nightly", night)]
        sent.append(f"---- {night}\n")
        notify.send(record.store, judged, to)
        sent += (
            f"note {path}: {note!r}\n" for path, note in record.store.read("sent/nightly").items()
        )
        for one in judged:
            verdict.tell(record, one)
        notify.forget(record.store, judged, to)
        sent += (f"left {path}\n" for path in record.store.read("sent/nightly"))
    compare(HERE / "news.txt", rounded("".join(sent)))
