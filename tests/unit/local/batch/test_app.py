"""Batch as boto3 sees it: behind the door, held to botocore's model, with real processes."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from nitro.local.batch.app import BatchApp
from nitro.local.batch.runner import ProcessRunner
from nitro.local.front import Door
from nitro.local.signature import Key

KEY = Key("ACCESS", "secret")


def never(service: str) -> Any:
    raise AssertionError(service)


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Any]:
    """A client of Batch with a queue `q` and a definition `d`."""
    app = BatchApp("123456789012", ProcessRunner(tmp_path / "jobs", {"FROM": "here"}))
    door = Door(KEY, never, own={"batch": app})
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = boto3.client(
        "batch",
        region_name="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        aws_access_key_id=KEY.access,
        aws_secret_access_key=KEY.secret,
    )
    client.create_compute_environment(
        computeEnvironmentName="ce",
        type="MANAGED",
        computeResources={"type": "FARGATE", "maxvCpus": 16, "subnets": ["subnet-1"]},
    )
    order: Any = [{"order": 1, "computeEnvironment": "ce"}]
    client.create_job_queue(jobQueueName="q", priority=1, computeEnvironmentOrder=order)
    client.register_job_definition(
        jobDefinitionName="d",
        type="container",
        containerProperties={"image": "nitro", "command": ["true"]},
        retryStrategy={"attempts": 3},
    )
    try:
        yield client
    finally:
        app.close()
        server.shutdown()
        thread.join()


def submit(batch: Any, command: list[str], **options: Any) -> str:
    overrides = {"command": command}
    job = batch.submit_job(
        jobName="j", jobQueue="q", jobDefinition="d", containerOverrides=overrides, **options
    )
    return str(job["jobId"])


def finished(batch: Any, job_id: str) -> Any:
    deadline = time.monotonic() + 60
    while True:
        [job] = batch.describe_jobs(jobs=[job_id])["jobs"]
        if job["status"] in ("SUCCEEDED", "FAILED"):
            return job
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_an_array_of_processes_and_a_job_after_it(batch: Any, tmp_path: Path) -> None:
    write = f"echo $FROM $AWS_REGION >{tmp_path}/$AWS_BATCH_JOB_ARRAY_INDEX"
    array = submit(batch, ["sh", "-c", write], arrayProperties={"size": 3})
    last = submit(batch, ["sh", "-c", f"cat {tmp_path}/[012]"], dependsOn=[{"jobId": array}])
    assert finished(batch, last)["status"] == "SUCCEEDED"
    assert (tmp_path / f"jobs/{last}-1/log").read_text() == "here eu-west-1\n" * 3


def test_an_attempt_of_the_same_name_replaces_what_the_last_one_printed(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path / "jobs", {"FROM": "here"})
    for word in ("first", "second"):
        command = ["sh", "-c", f"echo {word} $FROM $OWN $AWS_REGION; pwd"]
        started = runner.start("job", command, {"OWN": "own"}, "eu-west-1")
        while started.poll() is None:
            time.sleep(0.005)
        folder = tmp_path / "jobs/job"
        assert (folder / "log").read_text() == f"{word} here own eu-west-1\n{folder}\n"


@pytest.mark.slow
def test_a_child_that_gets_sigkill_is_started_again(batch: Any, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"[ $AWS_BATCH_JOB_ATTEMPT = 2 ] || {{ echo $$ >{pid}; exec sleep 60; }}"
    job = submit(batch, ["sh", "-c", script])
    while not pid.exists() or not pid.read_text():
        time.sleep(0.02)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    found = finished(batch, job)
    assert found["status"] == "SUCCEEDED"
    assert [one["container"]["exitCode"] for one in found["attempts"]] == [137, 0]


def test_requests_are_held_to_the_model_and_to_what_is_honoured(batch: Any) -> None:
    with pytest.raises(ClientError, match="ClientException"):
        batch.submit_job(jobName="j", jobQueue="none", jobDefinition="d")
    with pytest.raises(ClientError, match="does not support nodeOverrides"):
        batch.submit_job(
            jobName="j", jobQueue="q", jobDefinition="d", nodeOverrides={"numNodes": 2}
        )
    with pytest.raises(ClientError, match="does not support CreateSchedulingPolicy"):
        batch.create_scheduling_policy(name="fair")


def test_a_request_that_no_client_sends_is_answered_in_the_form_of_batch(tmp_path: Path) -> None:
    app = BatchApp("123456789012", ProcessRunner(tmp_path, {}))
    for path, body in (
        ("/v1/submitjob", b"["),
        ("/v1/submitjob", b"[" * 100_000),
        ("/v1/submitjob", b'{"jobName": 7}'),
        ("/v1/listjobs", b'{"jobQueue": "q", "nextToken": "x"}'),
        ("/v1/else", b"{}"),
    ):
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        list(app(environ, lambda status, headers, said=said: said.append(status)))
        assert said[0].startswith("400 "), (path, body[:20])
