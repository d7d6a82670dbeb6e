"""`nitro bench` on a record in a folder: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from nitro.cli import app
from tests.unit.bench.samples import CELLS, days, fill, sample
from tests.unit.bench.test_record import scratched_at_its_end as scratched
from tools import schemas

STEP = days(20)[15]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    fill(
        Record(FolderStore(folder)),
        days(20),
        factor=lambda cell, night: 0.9 if cell == CELLS[0] and night >= STEP else 1.0,
    )
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    def call(*words, code=0, record=folder):
        monkeypatch.setenv("NITRO_RECORD", str(record))
        result = CliRunner().invoke(app, ["bench", *words])
        assert result.exit_code == code, result.output
        return result

    return call


def test_a_regression_is_exit_code_5_with_the_files_that_ci_reads(run, tmp_path):
    xml, page = tmp_path / "junit.xml", tmp_path / "page.md"
    result = run("check", "--json", "--junit", str(xml), "--markdown", str(page), code=5)
    documents = json.loads(result.stdout)
    schemas.adapter("bench-check").validate_python(documents)
    assert [step["since"] for step in documents[0]["new"]] == [STEP.isoformat()]
    assert "nitro: slower: c5.large" in result.stderr
    assert 'failures="1"' in xml.read_text()
    assert "-10." in page.read_text()
    assert "no change" in run("check", "--night", days(20)[10].isoformat()).stdout


@pytest.mark.extended
def test_a_failed_cell_is_exit_code_4(run, tmp_path):
    Record(FolderStore(tmp_path)).append([sample(error="it timed out")])
    result = run("check", code=4, record=tmp_path)
    assert "1 of 1 runs failed: it timed out" in result.stdout


def test_a_failure_is_one_line_whatever_the_tool_said(run, tmp_path):
    Record(FolderStore(tmp_path)).append([sample(error="it said\n\x1b[31m no\r\nand more")])
    result = run("check", code=4, record=tmp_path)
    assert len(result.stdout.splitlines()) == 2
    assert len(result.stderr.splitlines()) == 1
    assert "\x1b" not in result.output


@pytest.mark.extended
@pytest.mark.parametrize(
    "fields", [{"error": "no"}, {"phase": "warm-up"}, {"metrics": {}}, {"value": float("nan")}]
)
def test_a_record_without_a_history_has_a_verdict_and_a_page(run, tmp_path, fields):
    Record(FolderStore(tmp_path / "record")).append([sample(**fields)])
    at = tmp_path / "record"
    assert "in 0 series" in run("check", record=at, code=4 if "error" in fields else 0).stdout
    run("report", "-o", str(tmp_path / "report"), record=at)
    assert "the record has no history" in run("history", record=at, code=2).stderr


def test_history_and_comparisons_are_tables_and_documents(run):
    assert "c5.large eu-west-1 bench nitro iperf3-tcp in" in run("history", "--nights", "1").stdout
    schemas.adapter("bench-history").validate_python(json.loads(run("history", "--json").stdout))
    sides = ("driver=kernel", "driver=nitro")
    assert "paired" in run("compare", *sides).stdout
    schemas.adapter("bench-compare").validate_python(
        json.loads(run("compare", *sides, "--json").stdout)
    )


def test_a_query_prints_rows(run):
    sql = "SELECT count(*) AS n, max(night) AS night FROM samples"
    last = days(20)[-1].isoformat()
    assert run("query", sql).stdout.split() == ["n", "night", "240", last]
    assert json.loads(run("query", sql, "--json").stdout) == [{"n": 240, "night": last}]


def test_the_schema_and_athenas_table(run):
    assert "raw" in run("schema").stdout
    assert "Athena reads records in S3" in run("schema", "--athena", code=2).stderr
    text = run("schema", "--athena", "--record", "s3://a-bucket/x").stdout
    assert "LOCATION 's3://a-bucket/x/samples/'" in text


def test_exports_go_to_a_file(run, tmp_path):
    for kind, start in {"csv": "id,cell,", "json": "[", "openmetrics": "# TYPE"}.items():
        path = tmp_path / kind
        done = run("export", "--format", kind, "--output", str(path))
        assert done.stderr.splitlines()[-1] == f"wrote {path}"
        assert path.read_text().startswith(start)


def test_an_export_that_fails_leaves_the_file_that_was_there(run, tmp_path):
    record = Record(FolderStore(tmp_path / "record"))
    for night in days(2):
        record.append([sample(night=night)])
    path = tmp_path / "out.json"
    path.write_text("old")
    last = max((tmp_path / "record").rglob("*.parquet"))
    last.write_bytes(scratched(last.read_bytes()))
    words = ("export", "--format", "json", "-o", str(path))
    assert "is damaged" in run(*words, record=tmp_path / "record", code=2).stderr
    assert path.read_text() == "old"
    assert {one.name for one in tmp_path.iterdir()} == {"out.json", "record"}


def test_triage_says_what_changed(run):
    words = ("triage", CELLS[0].key, STEP.isoformat(), "--plan", "small")
    assert run(*words).stdout == "nothing that is recorded changed\n"
    assert json.loads(run(*words, "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "--night", "yesterday"), "yesterday is no date"),
        (("check", "--plan", "other"), "no samples of the plan other"),
        (("check", "--webhook", "ftp://x"), "not a web address"),
        (("history", "--record", "gs://x"), "neither a folder nor s3://"),
        (("export", "--format", "xml"), "there is csv, json and openmetrics"),
        (("query", "DROP VIEW samples"), "not one SELECT"),
        (("compare", "driver", "driver=x"), "cannot compare by 'driver'"),
        (
            ("compare", "driver=kernel", "driver=nitro", "--metric", "udp*"),
            "no measurement of driver=kernel: udp*",
        ),
        (("history", "--cell", "c7*"), "no history of --cell 'c7*' --metric '*'"),
        (("history", "--metric", "tcp_in_retransmits"), "--metric 'tcp_in_retransmits'"),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2(run, words, says):
    assert says in run(*words, code=2).stderr


def test_a_history_of_nothing_is_an_empty_list_for_programs(run):
    assert json.loads(run("history", "--cell", "c7*", "--json").stdout) == []


def test_an_empty_record_says_what_fills_it(run, tmp_path):
    assert "nitro bench run" in run("check", code=2, record=tmp_path).stderr
