"""Batch's operations: what they refuse, list and page."""

from __future__ import annotations

import pytest

from nitro.local.batch.resources import ClientError
from tests.unit.local.batch.fake import Account


def test_jobs_are_listed_by_state_and_by_name():
    account = Account(vcpus=1)
    runs = account.submit()
    account.now += 1
    waits = account.submit(arrayProperties={"size": 2})
    listed = account.call("ListJobs", jobQueue="q")["jobSummaryList"]
    assert [one["jobId"] for one in listed] == [runs]
    named = account.call("ListJobs", jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["J"]}])
    assert [one["jobId"] for one in named["jobSummaryList"]] == [waits, runs], "newest first"
    other = account.call("ListJobs", jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["k*"]}])
    assert other["jobSummaryList"] == []
    children = account.call("ListJobs", arrayJobId=waits, jobStatus="RUNNABLE", maxResults=1)
    again = account.call(
        "ListJobs",
        arrayJobId=waits,
        jobStatus="RUNNABLE",
        maxResults=1,
        nextToken=children["nextToken"],
    )
    found = [one["jobId"] for one in (*children["jobSummaryList"], *again["jobSummaryList"])]
    assert sorted(found) == [f"{waits}:0", f"{waits}:1"]
    assert "nextToken" not in again


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("SubmitJob", {"jobQueue": "none"}),
        ("SubmitJob", {"jobDefinition": "none"}),
        ("SubmitJob", {"jobDefinition": "d:7"}),
        ("SubmitJob", {"arrayProperties": {"size": 1}}),
        ("SubmitJob", {"arrayProperties": {"size": 10_001}}),
        ("SubmitJob", {"dependsOn": [{"jobId": "none"}]}),
        ("SubmitJob", {"dependsOn": [{"type": "SEQUENTIAL"}]}),
        ("SubmitJob", {"retryStrategy": {"evaluateOnExit": [{"onReason": "*", "action": "EXIT"}]}}),
        ("CreateJobQueue", {"jobQueueName": "q", "priority": 1}),
        ("CreateJobQueue", {"jobQueueName": "r", "priority": 1}),
        ("DeleteJobQueue", {"jobQueue": "q"}),
        ("DeleteComputeEnvironment", {"computeEnvironment": "ce"}),
        ("DeregisterJobDefinition", {"jobDefinition": "d:2"}),
        ("ListJobs", {}),
    ],
)
def test_what_does_not_fit_is_refused(operation, given):
    account = Account()
    whole = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d"}
    with pytest.raises(ClientError):
        account.call(operation, **(whole | given if operation == "SubmitJob" else given))
    assert account.runner.started == []


def test_a_definition_has_revisions_of_which_the_last_active_one_counts():
    account = Account()
    container = {"image": "nitro", "command": ["two", "Ref::word"]}
    made = account.call(
        "RegisterJobDefinition",
        jobDefinitionName="d",
        type="container",
        containerProperties=container,
        parameters={"word": "default"},
    )
    assert made["revision"] == 2
    account.submit(parameters={"word": "given"})
    account.submit()
    assert [one.command for one in account.runner.started] == [("two", "given"), ("two", "default")]
    account.call("DeregisterJobDefinition", jobDefinition=made["jobDefinitionArn"])
    account.submit()
    assert account.runner.started[-1].command == ("nitro", "--version")
    active = account.call("DescribeJobDefinitions", jobDefinitionName="d", status="ACTIVE")
    assert [one["revision"] for one in active["jobDefinitions"]] == [1]


def test_a_queue_goes_when_it_is_disabled_and_then_its_environment():
    account = Account()
    account.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    with pytest.raises(ClientError, match="disabled"):
        account.submit()
    account.call("DeleteJobQueue", jobQueue="q")
    account.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
    account.call("DeleteComputeEnvironment", computeEnvironment="ce")
    assert account.call("DescribeJobQueues")["jobQueues"] == []
    assert account.call("DescribeComputeEnvironments")["computeEnvironments"] == []


def test_a_disabled_environment_starts_nothing():
    account = Account()
    account.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
    job = account.submit()
    assert account.job(job)["status"] == "RUNNABLE"
    account.call("UpdateComputeEnvironment", computeEnvironment="ce", state="ENABLED")
    account.region.scheduler.tick()
    assert account.job(job)["status"] == "RUNNING"
