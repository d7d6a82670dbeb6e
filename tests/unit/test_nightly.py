"""The schedules of examples/nightly: what their command does, and that each file is of its form."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from tests.unit.local.batch.fake import Account

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/nightly"


def nightly(tmp_path: Path, codes: str = "", **environment: str) -> tuple[int, list[str]]:
    """Run the command with a `nitro` that ends as `codes` says: "run=4 check=5"; what it called."""
    program = tmp_path / "nitro"
    cases = "".join(f"{one.replace('=', ') exit ')};; " for one in codes.split())
    program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\ncase $2 in {cases}esac\n')
    program.chmod(0o755)
    done = subprocess.run(
        [FOLDER / "nightly", "plan.toml"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "REPORT": "out", **environment},
        cwd=tmp_path,
    )
    return done.returncode, (tmp_path / "calls").read_text().splitlines()


def test_a_night_is_measured_reported_and_checked(tmp_path):
    assert nightly(tmp_path) == (
        0,
        [
            "bench run plan.toml",
            "bench report -o out",
            "bench check --junit out/junit.xml --markdown out/summary.md",
        ],
    )


@pytest.mark.parametrize(
    ("codes", "code"),
    [("run=4 check=5", 5), ("run=4 check=4", 4), ("run=3", 3), ("report=1", 1), ("check=5", 5)],
)
def test_the_verdict_counts_before_what_failed_on_the_way(tmp_path, codes, code):
    ended, calls = nightly(tmp_path, codes)
    assert ended == code
    assert len(calls) == 3


@pytest.mark.parametrize("checked", [0, 2, 4, 5])
def test_a_night_that_was_not_measured_is_not_taken_for_the_one_before(tmp_path, checked):
    ended, calls = nightly(tmp_path, f"run=3 check={checked}")
    assert ended == 3
    assert len(calls) == 3


def test_with_a_queue_the_night_is_submitted(tmp_path):
    assert nightly(tmp_path, QUEUE="nitro") == (0, ["bench submit plan.toml --queue nitro"])
    assert nightly(tmp_path, "submit=3", QUEUE="nitro")[0] == 3


def test_without_a_plan_nothing_is_called():
    done = subprocess.run([FOLDER / "nightly"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: nightly PLAN\n")


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((FOLDER / name).read_text())
    return parser


def test_the_timer_starts_a_service_that_runs_the_command():
    timer, service = unit("nitro-bench.timer"), unit("nitro-bench.service")
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d UTC", timer["Timer"]["OnCalendar"])
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["Type"] == "oneshot"
    assert Path(shlex.split(service["Service"]["ExecStart"])[0]).name == "nightly"
    # Verdicts are no reason to measure again.
    assert service["Service"]["RestartPreventExitStatus"].split() == ["2", "4", "5"]


def test_the_workflow_assumes_its_role_without_a_key_and_runs_the_command():
    workflow: dict[Any, Any] = yaml.safe_load((FOLDER / "github-actions.yml").read_text())
    assert workflow[True]["schedule"]  # YAML 1.1 reads the key `on` as a truth
    assert workflow["permissions"]["id-token"] == "write"
    [job] = workflow["jobs"].values()
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert "examples/nightly/nightly nightly.toml" in runs
    [credentials] = [s for s in job["steps"] if "configure-aws" in s.get("uses", "")]
    assert credentials["with"]["role-to-assume"].startswith("arn:aws:iam::")
    assert "secrets" not in (FOLDER / "github-actions.yml").read_text()
    [trust] = json.loads((FOLDER / "github-trust.json").read_text())["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert {key.partition(":")[2] for key in trust["Condition"]["StringEquals"]} == {"aud", "sub"}


@pytest.mark.parametrize(
    ("file", "service", "operation"),
    [
        ("eventbridge-rule.json", "events", "PutRule"),
        ("eventbridge-targets.json", "events", "PutTargets"),
        ("job-definition.json", "batch", "RegisterJobDefinition"),
    ],
)
def test_the_calls_are_what_the_services_take(file, service, operation):
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    given = json.loads((FOLDER / file).read_text())
    assert model.input_shape
    report = ParamValidator().validate(given, model.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_rule_starts_a_job_of_the_definition_which_runs_the_command():
    rule, targets, definition = (
        json.loads((FOLDER / name).read_text())
        for name in ("eventbridge-rule.json", "eventbridge-targets.json", "job-definition.json")
    )
    [target] = targets["Targets"]
    assert targets["Rule"] == rule["Name"]
    assert target["BatchParameters"]["JobDefinition"] == definition["jobDefinitionName"]
    account = Account()
    account.call("RegisterJobDefinition", **definition)
    account.call("SubmitJob", jobName="night", jobQueue="q", jobDefinition="nitro")
    [attempt] = account.runner.started
    assert attempt.command == ("nightly", "/plans/nightly.toml")
    assert attempt.environment["QUEUE"] == target["Arn"].rpartition("/")[2]


def test_the_container_has_what_the_definition_runs():
    lines = (FOLDER / "Containerfile").read_text().splitlines()
    copies = [line.split()[1:] for line in lines if line.startswith("COPY")]
    assert all((ROOT / source).exists() for source, _ in copies)
    command = json.loads(next(line for line in lines if line.startswith("CMD"))[4:])
    definition = json.loads((FOLDER / "job-definition.json").read_text())
    assert command == definition["containerProperties"]["command"]
    targets = [target for _, target in copies]
    assert command[1] in targets
    assert f"/usr/bin/{command[0]}" in targets
