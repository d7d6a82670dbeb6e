"""What Batch answers from the first environment to the last job, as transcripts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from nitro.local.batch.app import BatchApp
from nitro.local.batch.resources import ClientError
from tests.cloud.local.tour import Notes
from tests.transcripts import compare
from tests.unit.local.batch.fake import Account, FakeRunner

pytestmark = pytest.mark.extended

HERE = Path(__file__).parents[1] / "transcripts"
FARGATE = {"type": "FARGATE", "maxvCpus": 4, "subnets": ["subnet-1"]}


class Flow(Notes):
    """Requests to an account's Batch, what they start, and attempts that end when told to."""

    def __init__(self, vcpus: int = 256) -> None:
        super().__init__()
        self.account = Account(vcpus)
        self._seen = 0

    def __call__(self, operation: str, /, **given: Any) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        try:
            answer = self.account.call(operation, **given)
            self.note(self.asked(operation, given), answer)
        except ClientError as error:
            self.note(self.asked(operation, given), f"refused: {error}")
        self._look()
        return answer

    def each(self, operation: str, *given: dict[str, Any], **common: Any) -> None:
        for one in given:
            self(operation, **{**common, **one})

    def submit(self, **given: Any) -> str:
        whole = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d", **given}
        return str(self("SubmitJob", **whole).get("jobId"))

    def end(self, *codes: int) -> None:
        self.account.now += 2
        self.account.end(*codes)
        self.text += f"\n--- 2 s later: {codes} from {len(self.account.runner.running)} more\n"
        self._look()

    def _look(self) -> None:
        """What has been started since the last look."""
        for one in self.account.runner.started[self._seen :]:
            self.note("started", vars(one))
        self._seen = len(self.account.runner.started)


def test_what_jobs_run_on() -> None:
    flow = Flow()
    queue = {"jobQueueName": "r", "priority": 1}
    on = [{"order": 2, "computeEnvironment": "ce"}, {"order": 1, "computeEnvironment": "two"}]
    two = {"computeEnvironmentName": "two", "type": "MANAGED"}
    flow.each(
        "CreateComputeEnvironment",
        {"state": "DISABLED", "serviceRole": "role", "computeResources": FARGATE},
        {},
        {"computeEnvironmentName": "bare"},
        **two,
    )
    flow("DescribeComputeEnvironments")
    flow.each(
        "DescribeComputeEnvironments",
        *({"computeEnvironments": names} for names in (["two"], ["none"], [], ["x/two", "ce"])),
    )
    flow.each(
        "CreateJobQueue",
        {},
        {"computeEnvironmentOrder": []},
        {"computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "none"}]},
        {"computeEnvironmentOrder": on, "state": "DISABLED"},
        {"computeEnvironmentOrder": on},
        **queue,
    )
    flow("DescribeJobQueues")
    flow.each("DescribeJobQueues", *({"jobQueues": names} for names in (["r"], ["none"], [])))
    flow.submit(jobQueue="r")
    flow.each(
        "UpdateJobQueue",
        {"jobQueue": "none"},
        {"state": "ENABLED"},
        {"priority": 7},
        {"computeEnvironmentOrder": []},
        {"computeEnvironmentOrder": on[:1]},
        jobQueue="r",
    )
    flow("DescribeJobQueues", jobQueues=["r"])
    flow.each(
        "UpdateComputeEnvironment",
        {"computeEnvironment": "none"},
        {"computeResources": {"maxvCpus": 8}},
        {"state": "ENABLED"},
        {},
        computeEnvironment="two",
    )
    flow("DescribeComputeEnvironments")
    for name in ("two", "ce", "none"):
        flow("DeleteComputeEnvironment", computeEnvironment=name)
        flow("UpdateComputeEnvironment", computeEnvironment=name, state="DISABLED")
        flow("DeleteComputeEnvironment", computeEnvironment=name)
    for name in ("r", "none"):
        flow("DeleteJobQueue", jobQueue=name)
        flow("UpdateJobQueue", jobQueue=name, state="DISABLED")
        flow("DeleteJobQueue", jobQueue=name)
    flow("DescribeComputeEnvironments")
    flow("DescribeJobQueues")
    compare(HERE / "batch-resources.txt", flow.text)


def test_definitions() -> None:
    flow = Flow()
    container: dict[str, Any] = {
        "image": "nitro",
        "command": ["run", "Ref::word", "Ref::other", "-Ref::word"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B"}],
        "resourceRequirements": [
            {"type": "VCPU", "value": "2.6"},
            {"type": "MEMORY", "value": "9"},
        ],
    }
    register = {"jobDefinitionName": "rich", "type": "container"}
    flow.each(
        "RegisterJobDefinition",
        {"type": "multinode"},
        {},
        {"containerProperties": {}},
        {
            "containerProperties": container,
            "parameters": {"word": "one", "more": "x"},
            "retryStrategy": {"attempts": 2},
            "timeout": {"attemptDurationSeconds": 60},
        },
        {"containerProperties": {"image": "i", "vcpus": 3}},
        {
            "jobDefinitionName": "tiny",
            "containerProperties": {
                "image": "i",
                "resourceRequirements": [{"type": "VCPU", "value": "0.25"}],
            },
        },
        **register,
    )
    asked: list[dict[str, Any]] = [
        {"jobDefinitionName": "rich"},
        {"jobDefinitions": ["rich", "tiny:1", "d:2"]},
        {"jobDefinitions": ["arn:aws:batch:eu-west-1:123456789012:job-definition/rich:1"]},
        {"status": "INACTIVE"},
        {"maxResults": 2},
        {"maxResults": 2, "nextToken": "2"},
        {"maxResults": 4},
        {"maxResults": 0},
        {"maxResults": 101},
        {"maxResults": 100},
        {"maxResults": 1},
        {"nextToken": "x"},
        {"nextToken": "9"},
    ]
    flow.each("DescribeJobDefinitions", {}, *asked)
    override = {
        "command": ["other", "Ref::word"],
        "environment": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
        "resourceRequirements": [{"type": "VCPU", "value": "4"}],
    }
    jobs = [
        flow.submit(**given)
        for given in (
            {"jobDefinition": "rich"},
            {"jobDefinition": "rich:1"},
            {"jobDefinition": "rich:1", "parameters": {"word": "given"}},
            {
                "jobDefinition": "rich:1",
                "containerOverrides": override,
                "retryStrategy": {"attempts": 3},
                "timeout": {"attemptDurationSeconds": 70},
            },
            {"jobDefinition": "tiny"},
        )
    ]
    flow("DescribeJobs", jobs=jobs)
    for _ in range(2):
        flow("DeregisterJobDefinition", jobDefinition="rich")
        flow("DescribeJobDefinitions", jobDefinitionName="rich", status="ACTIVE")
    flow("DeregisterJobDefinition", jobDefinition="rich")
    flow.submit(jobDefinition="rich")
    flow.submit(jobDefinition="d:1")
    compare(HERE / "batch-definitions.txt", flow.text)


def test_jobs_and_their_attempts() -> None:
    flow = Flow(vcpus=3)
    rules = [{"onExitCode": "13*", "action": "RETRY"}, {"onExitCode": "*", "action": "exit"}]
    retried = flow.submit(retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    after = flow.submit(dependsOn=[{"jobId": retried}], jobName="After")
    lost = flow.submit(dependsOn=[{"jobId": after}], jobName="later")
    timed = flow.submit(timeout={"attemptDurationSeconds": 2}, retryStrategy={"attempts": 2})
    some = [retried, after, lost, timed]
    flow("DescribeJobs", jobs=some)
    flow.end(137)
    flow("DescribeJobs", jobs=some)
    flow.end()
    flow.account.now += 0.001
    flow.account.region.scheduler.tick()
    flow.note("asked to end", [one.asked_to_end for one in flow.account.runner.started])
    flow.end(0, 2)
    flow("DescribeJobs", jobs=some)
    flow.end(1)
    flow("DescribeJobs", jobs=some)
    flow.account.runner.fails = OSError("no such file")
    flow("DescribeJobs", jobs=[flow.submit(retryStrategy={"attempts": 2})])
    flow.account.runner.fails = None
    runs, waits, more = flow.submit(), flow.submit(), flow.submit()
    held = flow.submit(jobName="held")
    for job in (runs, held, "none"):
        flow("CancelJob", jobId=job, reason="not wanted")
    ended = [runs, waits, more, held]
    flow("DescribeJobs", jobs=ended)
    for job in (runs, held, retried, "none"):
        flow("TerminateJob", jobId=job, reason="enough")
    flow("DescribeJobs", jobs=ended)
    flow.end(143, 0, 0)
    flow("DescribeJobs", jobs=[*ended, "none", f"x/{runs}"])
    listed: list[dict[str, Any]] = [
        {},
        {"jobQueue": "none"},
        {"jobQueue": "q"},
        {"jobQueue": "q", "jobStatus": "SUCCEEDED"},
        {"jobQueue": "q", "jobStatus": "FAILED", "maxResults": 3},
        {"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": ["AFTER", "l*"]}]},
        {"jobQueue": "q", "filters": [{"name": "BEFORE_CREATED_AT", "values": ["1"]}]},
        {"arrayJobId": "none"},
    ]
    flow.each("ListJobs", *listed)
    strategies: list[dict[str, Any]] = [
        {"onReason": "*", "action": "EXIT"},
        {"onExitCode": "1", "onStatusReason": "*", "action": "EXIT"},
        {"onExitCode": "1", "onReason": "*", "action": "EXIT"},
    ]
    for one in strategies:
        flow.submit(retryStrategy={"evaluateOnExit": [one]})
    compare(HERE / "batch-jobs.txt", flow.text)


def test_arrays() -> None:
    flow = Flow(vcpus=2)
    for size in (1, 10_001):
        flow.submit(arrayProperties={"size": size})
    first = flow.submit(arrayProperties={"size": 2})
    each = flow.submit(arrayProperties={"size": 2}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    line = flow.submit(arrayProperties={"size": 2}, dependsOn=[{"type": "SEQUENTIAL"}])
    last = flow.submit(dependsOn=[{"jobId": each}, {"jobId": line}])
    for needed in (
        {"jobId": "none"},
        {"type": "SEQUENTIAL"},
        {"jobId": first, "type": "N_TO_N"},
        {"jobId": first, "type": "SEQUENTIAL"},
    ):
        flow.submit(dependsOn=[needed])
    flow.submit(arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    arrays = [first, each, line, last]
    flow("DescribeJobs", jobs=[*arrays, f"{first}:1", f"{each}:0", f"{first}:2"])
    flow("ListJobs", arrayJobId=first)
    flow("ListJobs", arrayJobId=each, jobStatus="PENDING")
    flow.end(0, 1)
    flow("DescribeJobs", jobs=arrays)
    flow.end(0, 0)
    flow.end(0)
    flow("DescribeJobs", jobs=arrays)
    flow("ListJobs", arrayJobId=each, jobStatus="FAILED")
    held = flow.submit(arrayProperties={"size": 4})
    flow("CancelJob", jobId=held, reason="too many")
    flow("ListJobs", arrayJobId=held, jobStatus="FAILED")
    flow("TerminateJob", jobId=held, reason="all of them")
    flow.note("asked to end", [one.asked_to_end for one in flow.account.runner.started])
    flow.end(143, 143)
    flow("DescribeJobs", jobs=[held])
    flow.submit()
    flow.account.region.scheduler.close()
    flow.note("asked to end", [one.asked_to_end for one in flow.account.runner.started])
    compare(HERE / "batch-arrays.txt", flow.text)


def test_requests() -> None:
    notes, app = Notes(), BatchApp("123456789012", FakeRunner())

    def ask(path: str, body: bytes, region: str = "eu-west-1", **more: str) -> None:
        told: list[Any] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"AWS4 Credential=A/20260102/{region}/batch/aws4_request",
            "wsgi.input": io.BytesIO(body),
            **more,
        }
        answer = b"".join(app(environ, lambda status, headers: told.extend([status, headers])))
        title = " ".join(filter(None, (path, body[:90].decode().strip(), region, str(more or ""))))
        notes.note(title, [*told, json.loads(answer)])

    describe, create = "/v1/describejobqueues", "/v1/createcomputeenvironment"
    for body in (b"", b"{}", b"x", b"[]", b"1", b"[" * 100_000, b'{"jobQueues": "q"}', b'{"x": 1}'):
        ask(describe, body)
    ask(describe, b'{"jobQueues": ["q"], "maxResults": 5}')
    ask(describe, b"{}", CONTENT_LENGTH="x")
    ask(describe, b"", CONTENT_LENGTH="")
    ask(describe, b"{}" + b" " * ((1 << 20) - 2))
    ask(describe, b"{}" + b" " * ((1 << 20) - 1))
    ask(describe, b"{}", REQUEST_METHOD="GET")
    for path in ("/", "/v1/none", "/v1/createschedulingpolicy", "/v1/listtagsforresource"):
        ask(path, b"{}")
    environment = b'{"computeEnvironmentName": "ce", "type": "UNMANAGED"}'
    ask(create, environment)
    ask(create, environment)
    ask(create, environment, "x")
    ask(create, environment, HTTP_AUTHORIZATION="")
    for region in ("eu-west-1", "us-east-1", "af-south-1"):
        ask("/v1/describecomputeenvironments", b"{}", region)
    submit = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d"}
    for more in (
        {"shareIdentifier": "x"},
        {"timeout": {"attemptDurationSeconds": 59}},
        {"jobName": "j" * 129},
        {"arrayProperties": {"size": "two"}},
        {},
    ):
        ask("/v1/submitjob", json.dumps({**submit, **more}).encode())
    app.close()
    compare(HERE / "batch-requests.txt", notes.text)
