"""`nitro bench submit` against the local Nitro's Batch; the pairs are simulated.

The children are processes that run the command of the job; only what a pair measures is made up.
"""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

import nitro.image
from nitro import recipe as recipes
from nitro.bench import notify
from nitro.bench import submit as submissions
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.store import s3_store
from nitro.bench.submit import count_parts
from nitro.cloud import Cloud, InstanceType, Keep, Undo, placement_groups, storage, tags
from nitro.errors import NitroError
from nitro.local.aws import Site, install
from nitro.local.batch.app import BatchApp
from nitro.local.batch.runner import ProcessRunner
from nitro.local.front import Door
from nitro.local.hypervisor import NullHypervisor
from nitro.local.signature import Key
from nitro.local.store import BlockStore
from nitro.progress import Reporter
from tests.cloud import simulated_nitro
from tests.cloud.authorization import ACCOUNT, Question, asked_by
from tests.cloud.conftest import REGION, everything
from tests.cloud.joint import RECIPE, FakeBuilder, small_disk
from tests.cloud.policed import make_role
from tests.cloud.test_policies import assert_needed
from tests.unit.bench.test_schedule import PLAN as SOME_PLAN
from tests.unit.cli.runner import json_of, nitro_

pytestmark = pytest.mark.policies("deploy", "bench", buckets=["", "results", "none"])

KEY = Key("ACCESS", "secret")
NIGHT = "2026-11-26"
PLAN = """
name = "small"
seconds = 3
repetitions = 2
warm_up = 0
[matrix]
drivers = ["nitro", "kernel"]
types = ["c5.large"]
[[test]]
protocol = "http"
streams = [4, 8]
"""


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account with Batch: a queue `q`, a definition `nitro`, and a bucket for the record."""
    program = tmp_path / "bin/nitro"
    program.parent.mkdir()
    words = shlex.join([sys.executable, "-m", "tests.cloud.simulated_nitro"])
    root = Path(simulated_nitro.__file__).parents[2]
    program.write_text(f'#!/bin/sh\ncd {root} && exec {words} "$@"\n')
    program.chmod(0o755)
    variables = {"PATH": f"{program.parent}:/usr/bin:/bin", "NITRO_STATE": str(tmp_path / "state")}
    variables |= {"AWS_ACCESS_KEY_ID": KEY.access, "AWS_SECRET_ACCESS_KEY": KEY.secret}
    batch = BatchApp(ACCOUNT, ProcessRunner(tmp_path / "jobs", variables))
    (tmp_path / "blocks").mkdir()
    disk = small_disk(tmp_path / "disk.raw")
    monkeypatch.setattr(nitro.image, "prepare", FakeBuilder(disk).prepare)
    load = recipes.load
    monkeypatch.setattr(recipes, "load", lambda name: RECIPE if name == "bench" else load(name))
    with install(Site(BlockStore(tmp_path / "blocks"), NullHypervisor())):
        door = Door(KEY, create_backend_app, own={"batch": batch})
        server = make_server(
            "127.0.0.1", 0, door, threaded=True, request_handler=MotoRequestHandler
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        variables["AWS_ENDPOINT_URL"] = url
        batch._runner._environment.update(variables)  # type: ignore[attr-defined]
        for name, value in (*variables.items(), ("NITRO_CLOUD", "aws"), ("AWS_REGION", REGION)):
            if name.startswith(("AWS", "NITRO")):
                monkeypatch.setenv(name, value)
        cloud = Cloud.connect(region=REGION, endpoint_url=url, key=(KEY.access, KEY.secret))
        make_role(cloud)
        cloud.s3.create_bucket(
            Bucket="results", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        _make_queue(cloud)
        try:
            yield cloud
        finally:
            batch.close()
            server.shutdown()


def _make_queue(cloud: Cloud) -> None:
    cloud.batch.create_compute_environment(
        computeEnvironmentName="ce",
        type="MANAGED",
        computeResources={"type": "FARGATE", "maxvCpus": 16, "subnets": ["subnet-1"]},
    )
    cloud.batch.create_job_queue(
        jobQueueName="q",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "ce"}],
    )
    cloud.batch.register_job_definition(
        jobDefinitionName="nitro", type="container", containerProperties={"image": "nitro:latest"}
    )


def submit(tmp_path: Path, *words: str) -> Any:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    where = ("--queue", "q", "--night", NIGHT, "--record", "s3://results/net")
    return json_of("bench-submit", "bench", "submit", str(plan), *where, *words)


def wait_for(cloud: Cloud, job: str) -> Any:
    deadline = time.monotonic() + 300
    while True:
        [found] = cloud.batch.describe_jobs(jobs=[job])["jobs"]
        if found["status"] in ("SUCCEEDED", "FAILED"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


@pytest.mark.slow
def test_a_night_as_jobs_of_which_one_is_killed(
    account: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    account.batch.register_job_definition(
        jobDefinitionName="nitro",
        type="container",
        containerProperties={
            "image": "nitro:latest",
            "environment": [{"name": "KILL", "value": str(killed)}],
        },
    )
    first = submit(tmp_path)
    assert (first["parts"], first["missing"], first["new"]) == (2, 8, True)
    again = submit(tmp_path)
    assert (again["job"], again["last"], again["new"]) == (first["job"], first["last"], False)
    last = wait_for(account, first["last"])
    logs = {path.parent.name: path.read_text() for path in tmp_path.glob("jobs/*/log")}
    assert last["status"] == "SUCCEEDED", logs
    [victim] = account.batch.describe_jobs(jobs=[killed.read_text()])["jobs"]
    assert [one["container"]["exitCode"] for one in victim["attempts"]] == [137, 0], logs
    record = Record(s3_store(account, "s3://results/net"))
    rows = record.query("SELECT id, driver FROM samples WHERE error IS NULL").to_pylist()
    assert len(rows) == len({row["id"] for row in rows}) == 8
    left = everything(account)
    assert (left["instances"], left["groups"], left["volumes"]) == ([], [], [])
    page = account.s3.get_object(Bucket="results", Key="net/reports/small/index.html")
    assert b"<!DOCTYPE html>" in page["Body"].read()
    assert submit(tmp_path)["job"] is None  # nothing is missing
    assert requests.get(account.endpoint_url or "", timeout=5).status_code == 403  # no key


def test_what_jobs_could_not_do_is_refused_before_anything_is_made(
    account: Cloud, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    where = ("--record", "s3://results/net")
    for words, says in (
        (("--queue", "none", *where), "no job queue none"),
        (("--queue", "q", "--definition", "other", *where), "no job definition other"),
        (("--queue", "q", "--definition", "nitro:9", *where), "no job definition nitro:9"),
        (("--queue", "q", "--record", str(tmp_path)), "which jobs cannot reach"),
        (("--queue", "q", "--record", "s3://none/net"), "no bucket none"),
    ):
        done = nitro_("bench", "submit", str(plan), *words, code=2)
        assert says in done.output
    account.batch.update_job_queue(jobQueue="q", state="DISABLED")
    done = nitro_("bench", "submit", str(plan), "--queue", "q", *where, code=2)
    assert "the job queue q is disabled" in done.output
    assert everything(account)["images"] == []
    listed = account.batch.list_jobs(jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["*"]}])
    assert listed["jobSummaryList"] == []


@pytest.mark.extended
def test_a_definition_is_found_among_more_revisions_than_an_answer_has(
    account: Cloud, tmp_path: Path
) -> None:
    for _ in range(100):
        account.batch.register_job_definition(
            jobDefinitionName="nitro", type="container", containerProperties={"image": "nitro:new"}
        )
    for revision in (1, 101):
        submission = submit(tmp_path, "--definition", f"nitro:{revision}")
        for job in (submission["job"], submission["last"]):
            account.batch.terminate_job(jobId=job, reason="seen enough")
            wait_for(account, job)


def test_the_policy_for_benchmarks_has_what_a_submitted_night_needs(
    account: Cloud, tmp_path: Path
) -> None:
    user = replace(account)  # with clients of its own, whose calls are seen
    asked = asked_by(user)
    (tmp_path / "plan.toml").write_text(PLAN)
    record = Record(s3_store(user, "s3://results/net"))
    done = submissions.submit(
        user,
        Plan.load(tmp_path / "plan.toml"),
        record,
        place="s3://results/net",
        queue="q",
        definition="nitro",
        builder=FakeBuilder(small_disk(tmp_path / "bench.raw")),
        report=Reporter(),
        night=date.fromisoformat(NIGHT),
    )
    user.batch.terminate_job(jobId=done.job or "", reason="seen enough")
    record.store.remove("jobs/none")
    with suppress(NitroError):
        notify.publish(user, f"arn:aws:sns:{REGION}:{ACCOUNT}:news", [])
    # What Arrow reads of the record.
    asked.append(Question("s3:GetObject", "arn:aws:s3:::results/net/samples/x.parquet"))
    with Undo(Keep.NOTHING) as undo:
        tag_map = tags.deployment_tags("nitro-d-1-1", "d-1", "placement", None, {})
        placement_groups.create(user, "nitro-d-1-1", tag_map, undo)
    # Of plans with a max_cost, of AMIs that are not ours and of the spot market: test_prices.py and
    # test_pairs.py.
    asked.append(Question("pricing:GetProducts", "*"))
    spot = f"arn:aws:ec2:{REGION}:{ACCOUNT}:spot-instances-request/*"
    other = f"arn:aws:ec2:{REGION}::image/ami-0123456789abcdef0"
    asked += [Question("ec2:RunInstances", resource) for resource in (spot, other)]
    ours = f":::{storage.own_bucket_name(user)}"
    renamed = [replace(one, resource=one.resource.replace(":::results", ours)) for one in asked]
    kinds, resources = ("batch:", "sns:", "pricing:"), ("/net/", ":spot-instances-request/", other)
    mine = [
        one
        for one in renamed
        if one.action.startswith(kinds)
        or any(part in one.resource for part in resources)
        or one.action == "ec2:CreatePlacementGroup"
        or (one.action == "ec2:CreateTags" and "/placement-group" in one.resource.replace(":", "/"))
    ]
    mine += [one for one in renamed if one.action == "s3:ListBucket"]
    assert_needed("bench", mine)


@pytest.mark.parametrize(
    ("quota", "at_once", "parts"), [(None, 20, 6), (None, 4, 4), (9, 20, 2), (3, 20, 1)]
)
def test_no_more_pairs_run_than_plan_and_quota_allow(quota, at_once, parts) -> None:
    types = [
        InstanceType(name, vcpus, 4096, ("x86_64",), ("uefi",), "required", "nitro", False, "")
        for name, vcpus in (("c5.large", 2), ("t3.micro", 2))
    ]
    plan = SOME_PLAN.model_copy(update={"pairs_at_once": at_once})
    assert count_parts(plan, "eu-west-1", types, quota) == parts
