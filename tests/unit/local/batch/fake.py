"""A runner whose attempts end when the test says so, and a client of one region's Batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nitro.local.batch.service import Region


@dataclass
class FakeAttempt:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    region: str
    code: int | None = None
    asked_to_end: bool = False

    def poll(self) -> int | None:
        return self.code

    def end(self) -> None:
        self.asked_to_end = True


@dataclass
class FakeRunner:
    """`fails` is raised instead of starting anything."""

    started: list[FakeAttempt] = field(default_factory=list)
    fails: OSError | None = None

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], region: str
    ) -> FakeAttempt:
        if self.fails:
            raise self.fails
        attempt = FakeAttempt(name, command, environment, region)
        self.started.append(attempt)
        return attempt

    @property
    def running(self) -> list[FakeAttempt]:
        return [one for one in self.started if one.code is None]


class Account:
    """One region with a queue `q` on an environment with so many vCPUs, and a definition `d`."""

    def __init__(self, vcpus: int = 256) -> None:
        self.runner, self.now = FakeRunner(), 1e9
        self.region = Region("eu-west-1", "123456789012", self.runner, lambda: self.now)
        self.region.scheduler.watch = lambda: None  # type: ignore[method-assign]
        self.call(
            "CreateComputeEnvironment",
            computeEnvironmentName="ce",
            type="MANAGED",
            computeResources={"type": "FARGATE", "maxvCpus": vcpus},
        )
        order = [{"order": 1, "computeEnvironment": "ce"}]
        self.call("CreateJobQueue", jobQueueName="q", priority=1, computeEnvironmentOrder=order)
        container = {"image": "nitro", "command": ["nitro", "--version"]}
        self.call(
            "RegisterJobDefinition",
            jobDefinitionName="d",
            type="container",
            containerProperties=container,
        )

    def call(self, operation: str, **given: Any) -> Any:
        return self.region.perform(operation, given)

    def submit(self, **given: Any) -> str:
        answer = self.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d", **given)
        return str(answer["jobId"])

    def job(self, job_id: str) -> Any:
        [found] = self.call("DescribeJobs", jobs=[job_id])["jobs"]
        return found

    def end(self, *codes: int) -> None:
        """Let the running attempts end with these codes, in the order of their start."""
        for attempt, code in zip(self.runner.running, codes, strict=False):
            attempt.code = code
        self.region.scheduler.tick()
