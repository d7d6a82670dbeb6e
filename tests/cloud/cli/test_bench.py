"""`nitro bench` against moto: a night as a command, and who is told of a verdict."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import nitro.image
import nitro.probe
from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from nitro.cloud import Cloud, DiskImage
from tests.cloud.cli.conftest import AWS
from tests.cloud.joint import FakeBuilder
from tests.cloud.test_night import _one_recipe as _one_recipe
from tests.cloud.test_night import plan, prober
from tests.unit.bench.samples import CELLS, days, fill, sample
from tests.unit.cli.runner import json_of, nitro_

pytestmark = pytest.mark.policies("deploy", "bench")

NIGHT = ("--night", "2026-11-26")
RUN = ("bench", "run", "plan.toml", "--record", "record", *NIGHT, *AWS)


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch, disk: DiskImage, tmp_path: Path) -> Any:
    """The plan of two cells in this folder, and stand-ins that build and measure."""
    plan(tmp_path)
    measures = prober()
    monkeypatch.setattr(nitro.image, "prepare", FakeBuilder(disk).prepare, raising=False)
    monkeypatch.setattr(nitro.probe, "ToolProber", lambda: measures)
    return measures


@pytest.mark.extended
def test_a_night_says_what_it_recorded(cloud: Cloud, night: Any) -> None:
    document = json_of("bench-run", *RUN)
    assert (document["recorded"], document["failed"], document["there"]) == (12, 0, 0)
    said = nitro_(*RUN).stdout
    assert said == "small, night of 2026-11-26: 0 runs recorded, 0 failed, 12 there before\n"


def test_a_night_with_failed_runs_is_code_4(cloud: Cloud, night: Any) -> None:
    night.outputs = {"http": "no such tool", "http-2": "no such tool"}
    done = nitro_(*RUN, code=4)
    assert "0 runs recorded, 12 failed" in done.stdout
    assert "nitro: 12 runs failed" in done.stderr


def test_a_night_over_its_budget_says_what_it_left_out(
    cloud: Cloud, night: Any, tmp_path: Path
) -> None:
    plan(tmp_path, "max_hours = 0.0000001")
    done = nitro_(*RUN)
    assert "left out for the budget" in done.stdout


class _Taking(BaseHTTPRequestHandler):
    """Keeps what is sent to it."""

    taken: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.taken.append(json.loads(self.rfile.read(size)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[str]:
    _Taking.taken.clear()
    with HTTPServer(("127.0.0.1", 0), _Taking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def slower(tmp_path: Path) -> str:
    """A record in which one cell became slower."""
    step = days(20)[15]
    fill(
        Record(FolderStore(tmp_path / "record")),
        days(20),
        factor=lambda cell, night: 0.9 if cell == CELLS[0] and night >= step else 1.0,
    )
    return str(tmp_path / "record")


def test_a_webhook_and_a_topic_are_told_once(cloud: Cloud, slower: str, webhook: str) -> None:
    sns, sqs = cloud.sns, cloud.session.client("sqs")
    topic = sns.create_topic(Name="nights")["TopicArn"]
    queue = sqs.create_queue(QueueName="readers")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    words = ("bench", "check", "--record", slower, "--webhook", webhook, "--sns", topic, *AWS)
    assert "slower: c5.large" in nitro_(*words, code=5).stdout
    nitro_(*words, code=5)
    (posted,) = _Taking.taken
    assert posted["verdicts"][0]["new"][0]["cell"] == CELLS[0].key
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert "1 slower" in json.loads(message["Body"])["Subject"]


@pytest.mark.extended
def test_a_check_of_a_night_with_a_failure_names_it(tmp_path: Path) -> None:
    record = Record(FolderStore(tmp_path / "record"))
    record.append([sample(error="it timed out"), sample(cell=CELLS[1], error="it is gone")])
    done = nitro_("bench", "check", "--record", str(tmp_path / "record"), code=4)
    assert "and 1 more" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "--junit", "no/such/folder.xml"), "--junit no/such/folder.xml: cannot be"),
        (("check", "--markdown", "."), "--markdown .: cannot be written"),
        (("export", "-o", "no/such/file"), "--output no/such/file: cannot be written"),
        (("report", "-o", "plan.toml"), "--output plan.toml: no folder can be there"),
        (("report", "-o", "plan.toml/below"), "no folder can be there"),
        (("check", "--sns", "nights"), "--sns nights: not the ARN of a topic"),
        (("check", "--webhook", "nights"), "--webhook nights: not a web address"),
        (("check", "--record", "plan.toml"), "--record plan.toml: not a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_first(
    words: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.toml").touch()
    assert says in nitro_("bench", *words, code=2).stderr


@pytest.mark.extended
def test_a_report_is_a_page_in_a_folder(slower: str, tmp_path: Path) -> None:
    done = nitro_("bench", "report", "--record", slower, "-o", "new/report")
    assert done.stdout == "new/report/index.html\n"
    assert "small" in (tmp_path / "new/report/index.html").read_text()


def test_a_report_where_nothing_can_be_made_is_an_error(slower: str) -> None:
    said = nitro_("bench", "report", "--record", slower, "-o", "/proc/report", code=2).stderr
    assert said == "nitro: /proc/report/index.html cannot be written: No such file or directory\n"


@pytest.mark.extended
def test_a_query_may_give_sums_as_json(slower: str) -> None:
    sql = "SELECT sum(streams) AS n FROM samples WHERE night = DATE '2026-11-26'"
    said = nitro_("bench", "query", "--json", "--record", slower, sql).stdout
    assert json.loads(said) == [{"n": 12}]


@pytest.mark.parametrize(
    ("module", "package"), [("duckdb", "duckdb"), ("vl_convert", "vl-convert-python")]
)
def test_without_its_packages_the_record_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    said = nitro_("bench", "check", code=2).stderr
    assert f"the record needs the Python package {package}" in said
    assert "nitro-ami[bench]" in said
