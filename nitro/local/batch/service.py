"""The operations of AWS Batch in one region, by their names in the service's model."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore import xform_name

from nitro.local.batch.jobs import Attempt, Dependency, Job, Rule, Runner, Task
from nitro.local.batch.resources import ClientError, Document, Resources
from nitro.local.batch.scheduler import Scheduler

_PAGE = 100  # of an answer, where a request does not say less


class Region:
    """Batch in one region of one account."""

    def __init__(
        self, name: str, account: str, runner: Runner, clock: Callable[[], float] = time.time
    ) -> None:
        self.resources = Resources(f"arn:aws:batch:{name}:{account}")
        self.scheduler = Scheduler(runner, name, self.resources.room, clock)
        self._clock = clock

    def perform(self, operation: str, given: Mapping[str, Any]) -> Document:
        """The answer to a request. Raises ClientError."""
        with self.scheduler.lock:
            self.scheduler.tick()
            answer: Document = getattr(self, f"_{xform_name(operation)}")(given)
            return answer

    def _create_compute_environment(self, given: Mapping[str, Any]) -> Document:
        made = self.resources.create_environment(given)
        return _named(made, "computeEnvironmentName", "computeEnvironmentArn")

    def _describe_compute_environments(self, given: Mapping[str, Any]) -> Document:
        wanted = given.get("computeEnvironments")
        return {
            "computeEnvironments": _chosen(
                self.resources.environments, wanted, "computeEnvironment"
            )
        }

    def _update_compute_environment(self, given: Mapping[str, Any]) -> Document:
        found = self.resources.environment(given["computeEnvironment"])
        found["state"] = given.get("state", found["state"])
        found["computeResources"] |= given.get("computeResources", {})
        return _named(found, "computeEnvironmentName", "computeEnvironmentArn")

    def _delete_compute_environment(self, given: Mapping[str, Any]) -> Document:
        self.resources.delete_environment(given["computeEnvironment"])
        return {}

    def _create_job_queue(self, given: Mapping[str, Any]) -> Document:
        return _named(self.resources.create_queue(given), "jobQueueName", "jobQueueArn")

    def _describe_job_queues(self, given: Mapping[str, Any]) -> Document:
        wanted = given.get("jobQueues")
        return {"jobQueues": _chosen(self.resources.queues, wanted, "jobQueue")}

    def _update_job_queue(self, given: Mapping[str, Any]) -> Document:
        return _named(self.resources.update_queue(given), "jobQueueName", "jobQueueArn")

    def _delete_job_queue(self, given: Mapping[str, Any]) -> Document:
        self.resources.delete_queue(given["jobQueue"])
        return {}

    def _register_job_definition(self, given: Mapping[str, Any]) -> Document:
        made = self.resources.register(given)
        return _named(made, "jobDefinitionName", "jobDefinitionArn", "revision")

    def _deregister_job_definition(self, given: Mapping[str, Any]) -> Document:
        self.resources.definition(given["jobDefinition"])["status"] = "INACTIVE"
        return {}

    def _describe_job_definitions(self, given: Mapping[str, Any]) -> Document:
        found = [one for revisions in self.resources.definitions.values() for one in revisions]
        if name := given.get("jobDefinitionName"):
            found = [one for one in found if one["jobDefinitionName"] == name]
        if names := given.get("jobDefinitions"):
            found = [one for one in found if one["jobDefinitionArn"] in _arns(self, names)]
        if status := given.get("status"):
            found = [one for one in found if one["status"] == status]
        return _page("jobDefinitions", found, given)

    def _submit_job(self, given: Mapping[str, Any]) -> Document:
        queue = self.resources.queue(given["jobQueue"])
        if queue["state"] != "ENABLED":
            raise ClientError(f"{given['jobQueue']} is disabled")
        definition = self.resources.definition(given["jobDefinition"])
        size = given.get("arrayProperties", {}).get("size")
        if size is not None and not 2 <= size <= 10_000:
            raise ClientError("The size of an array job is 2 to 10,000")
        depends_on = tuple(self._dependency(one, size) for one in given.get("dependsOn", []))
        job_id = str(uuid.uuid4())
        common: dict[str, Any] = {
            "arn": f"{self.resources.arn}:job/{job_id}",
            "name": given["jobName"],
            "queue": queue["jobQueueName"],
            "definition": definition["jobDefinitionArn"],
            "task": _task(definition, given),
            "created": int(1000 * self._clock()),
        }
        # An array job waits as a whole, but for what is between children.
        children = tuple(
            Job(id=f"{job_id}:{index}", depends_on=depends_on, index=index, **common)
            for index in range(size or 0)
        )
        job = Job(id=job_id, depends_on=depends_on, children=children, **common)
        self.scheduler.add(job)
        self.scheduler.watch()
        return {"jobArn": job.arn, "jobName": job.name, "jobId": job.id}

    def _describe_jobs(self, given: Mapping[str, Any]) -> Document:
        found = [self.scheduler.find(one.rpartition("/")[2]) for one in given["jobs"]]
        return {"jobs": [self._detail(job) for job in found if job]}

    def _list_jobs(self, given: Mapping[str, Any]) -> Document:
        if parent := given.get("arrayJobId"):
            array = self.scheduler.find(parent)
            jobs: list[Job] = list(array.children) if array else []
        elif "jobQueue" in given:
            queue = self.resources.queue(given["jobQueue"])["jobQueueName"]
            jobs = [job for job in self.scheduler.all() if job.queue == queue]
        else:
            raise ClientError("One of jobQueue and arrayJobId is needed")
        filters = given.get("filters", [])
        for one in filters:
            if one.get("name") != "JOB_NAME":
                raise ClientError("The local Nitro filters jobs by JOB_NAME only")
            jobs = [job for job in jobs if any(_name_fits(v, job.name) for v in one["values"])]
        if not filters:  # a filter looks at all states
            status = given.get("jobStatus", "RUNNING")
            jobs = [job for job in jobs if job.status == status]
        jobs.sort(key=lambda job: job.created, reverse=True)
        return _page("jobSummaryList", [_summary(job) for job in jobs], given)

    def _terminate_job(self, given: Mapping[str, Any]) -> Document:
        if job := self.scheduler.find(given["jobId"]):
            self.scheduler.terminate(job, given["reason"])
        return {}

    def _cancel_job(self, given: Mapping[str, Any]) -> Document:
        if job := self.scheduler.find(given["jobId"]):
            self.scheduler.cancel(job, given["reason"])
        return {}

    def _dependency(self, given: Mapping[str, str], size: int | None) -> Dependency:
        kind, job = given.get("type"), given.get("jobId")
        if kind == "SEQUENTIAL" and size and not job:
            return Dependency(None, "SEQUENTIAL")
        found = self.scheduler.find(job or "")
        if found is None:
            raise ClientError(f"Job {job} does not exist")
        if kind == "N_TO_N" and size == len(found.children):
            return Dependency(job, "N_TO_N")
        if kind:
            raise ClientError(f"A dependency of type {kind} does not fit these jobs")
        return Dependency(job)

    def _detail(self, job: Job) -> Document:
        last = job.attempts[-1] if job.attempts else None
        detail = _summary(job) | {
            "jobQueue": self.resources.queues[job.queue]["jobQueueArn"]
            if job.queue in self.resources.queues
            else job.queue,
            "retryStrategy": {"attempts": job.task.attempts},
            "dependsOn": [_given(one) for one in job.depends_on],
            "attempts": [_attempt(one) for one in job.attempts if one.stopped],
            "isTerminated": job.terminated is not None,
        }
        if job.task.seconds:
            detail["timeout"] = {"attemptDurationSeconds": job.task.seconds}
        if not job.children:
            detail["container"] = {
                "image": job.task.image,
                "command": list(job.task.command),
                "vcpus": job.task.vcpus,
                "environment": [
                    {"name": name, "value": value} for name, value in job.task.environment.items()
                ],
                **(_exit(last) if last and last.stopped else {}),
            }
        return detail


def _task(definition: Document, given: Mapping[str, Any]) -> Task:
    properties, overrides = definition["containerProperties"], given.get("containerOverrides", {})
    strategy = given.get("retryStrategy") or definition.get("retryStrategy") or {}
    timeout = given.get("timeout") or definition.get("timeout") or {}
    variables = [*properties.get("environment", []), *overrides.get("environment", [])]
    needs = [
        *properties.get("resourceRequirements", []),
        *overrides.get("resourceRequirements", []),
    ]
    vcpus = [one["value"] for one in needs if one["type"] == "VCPU"]
    command = overrides.get("command") or properties.get("command") or []
    parameters = {**definition.get("parameters", {}), **given.get("parameters", {})}
    return Task(
        command=tuple(_replaced(word, parameters) for word in command),
        environment={one["name"]: one.get("value", "") for one in variables},
        image=properties["image"],
        vcpus=max(1, round(float(vcpus[-1]))) if vcpus else properties.get("vcpus", 1),
        attempts=strategy.get("attempts", 1),
        rules=tuple(_rule(one) for one in strategy.get("evaluateOnExit", [])),
        seconds=timeout.get("attemptDurationSeconds"),
    )


def _rule(given: Mapping[str, str]) -> Rule:
    if "onExitCode" not in given or "onReason" in given or "onStatusReason" in given:
        raise ClientError("The local Nitro evaluates exit codes only")
    action = given["action"].lower()
    return Rule("retry" if action == "retry" else "exit", given["onExitCode"])


def _replaced(word: str, parameters: Mapping[str, str]) -> str:
    """`Ref::NAME` stands for a parameter."""
    return parameters.get(word.removeprefix("Ref::"), word) if word.startswith("Ref::") else word


def _summary(job: Job) -> Document:
    times = {"startedAt": job.started, "stoppedAt": job.stopped}
    summary: Document = {
        "jobArn": job.arn if job.index is None else f"{job.arn}:{job.index}",
        "jobId": job.id,
        "jobName": job.name,
        "status": job.status,
        "statusReason": job.reason,
        "createdAt": job.created,
        "jobDefinition": job.definition,
        **{name: value for name, value in times.items() if value is not None},
    }
    if job.children or job.index is not None:
        summary["arrayProperties"] = job.array()
    return summary


def _attempt(one: Attempt) -> Document:
    return {
        "container": _exit(one),
        "startedAt": one.started,
        "stoppedAt": one.stopped,
        "statusReason": one.reason,
    }


def _exit(one: Attempt) -> Document:
    return {"reason": one.reason} if one.exit_code is None else {"exitCode": one.exit_code}


def _given(dependency: Dependency) -> Document:
    found = {"jobId": dependency.job, "type": dependency.kind}
    return {name: value for name, value in found.items() if value}


def _named(document: Document, *names: str) -> Document:
    return {name: document[name] for name in names}


def _chosen(
    documents: Mapping[str, Document], wanted: Iterable[str] | None, key: str
) -> list[Document]:
    """All documents, or those of these names or ARNs; what is not there is left out."""
    names = None if not wanted else {one.rpartition("/")[2] for one in wanted}
    return [one for one in documents.values() if names is None or one[f"{key}Name"] in names]


def _arns(region: Region, names: Iterable[str]) -> set[str]:
    found = set()
    for name in names:
        plain, _, revision = name.rpartition("job-definition/")[2].partition(":")
        for one in region.resources.definitions.get(plain, []):
            if revision in ("", str(one["revision"])):
                found.add(one["jobDefinitionArn"])
    return found


def _name_fits(pattern: str, name: str) -> bool:
    """A value of the filter JOB_NAME: not case sensitive, and `*` at its end."""
    start, star, _ = pattern.lower().partition("*")
    return name.lower().startswith(start) if star else name.lower() == start


def _page(key: str, found: list[Document], given: Mapping[str, Any]) -> Document:
    """The part of what was found that a request asks for. Raises ClientError."""
    token, count = given.get("nextToken", "0"), given.get("maxResults", _PAGE)
    if not token.isdecimal():
        raise ClientError("nextToken is not one of an answer")
    if not 1 <= count <= _PAGE:
        raise ClientError(f"maxResults is from 1 to {_PAGE}")
    start = int(token)
    more = {"nextToken": str(start + count)} if start + count < len(found) else {}
    return {key: found[start:][:count]} | more
