"""Jobs run when what they depend on has succeeded and there is room, and again when they fail."""

from __future__ import annotations

import pytest

from tests.unit.local.batch.fake import Account


def test_a_job_runs_with_the_variables_that_batch_sets():
    account = Account()
    variable = {"name": "A", "value": "b"}
    job = account.submit(containerOverrides={"command": ["x", "y"], "environment": [variable]})
    [attempt] = account.runner.started
    assert attempt.command == ("x", "y")
    assert attempt.environment == {
        "A": "b",
        "AWS_BATCH_JOB_ID": job,
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "q",
        "AWS_BATCH_CE_NAME": "ce",
    }
    assert account.job(job)["status"] == "RUNNING"
    account.now += 2
    account.end(0)
    detail = account.job(job)
    assert detail["status"] == "SUCCEEDED"
    assert detail["stoppedAt"] - detail["startedAt"] == 2000
    assert detail["container"]["exitCode"] == 0


def test_the_children_of_an_array_know_their_index_and_share_the_room():
    account = Account(vcpus=3)
    job = account.submit(arrayProperties={"size": 5})
    assert [a.environment["AWS_BATCH_JOB_ARRAY_INDEX"] for a in account.runner.started] == [
        *("0", "1", "2"),
    ]
    assert account.runner.started[0].environment["AWS_BATCH_JOB_ARRAY_SIZE"] == "5"
    assert account.runner.started[1].environment["AWS_BATCH_JOB_ID"] == f"{job}:1"
    summary = account.job(job)["arrayProperties"]["statusSummary"]
    assert (summary["RUNNING"], summary["RUNNABLE"]) == (3, 2)
    assert account.job(job)["status"] == "PENDING"
    account.end(0, 0, 0)
    account.end(0, 0)
    assert account.job(job)["status"] == "SUCCEEDED"
    assert account.job(f"{job}:4")["arrayProperties"] == {"index": 4}


def test_a_child_that_is_killed_is_tried_again():
    account = Account()
    job = account.submit(arrayProperties={"size": 2}, retryStrategy={"attempts": 3})
    account.end(137, 0)
    [again] = account.runner.running
    assert again.environment["AWS_BATCH_JOB_ATTEMPT"] == "2"
    assert again.environment["AWS_BATCH_JOB_ARRAY_INDEX"] == "0"
    account.end(0)
    assert account.job(job)["status"] == "SUCCEEDED"
    assert [a["container"]["exitCode"] for a in account.job(f"{job}:0")["attempts"]] == [137, 0]


def test_a_child_that_fails_at_every_attempt_fails_the_array_and_what_depends_on_it():
    account = Account()
    array = account.submit(arrayProperties={"size": 2}, retryStrategy={"attempts": 2})
    last = account.submit(dependsOn=[{"jobId": array}])
    after_last = account.submit(dependsOn=[{"jobId": last}])
    account.end(1, 0)
    assert account.job(last)["status"] == "PENDING"
    account.end(1)
    assert account.job(array)["status"] == "FAILED"
    assert account.job(last)["statusReason"] == "Dependent Job failed"
    assert account.job(after_last)["status"] == "FAILED"
    assert len(account.runner.started) == 3


def test_a_job_waits_for_all_children_of_the_array_that_it_depends_on():
    account = Account()
    array = account.submit(arrayProperties={"size": 3})
    last = account.submit(dependsOn=[{"jobId": array}])
    account.end(0, 0)
    assert account.job(last)["status"] == "PENDING"
    account.end(0)
    assert account.job(last)["status"] == "RUNNING"


def test_arrays_may_depend_child_by_child():
    account = Account()
    first = account.submit(arrayProperties={"size": 2}, dependsOn=[{"type": "SEQUENTIAL"}])
    both = [{"jobId": first, "type": "N_TO_N"}]
    second = account.submit(arrayProperties={"size": 2}, dependsOn=both)
    assert [a.environment["AWS_BATCH_JOB_ID"] for a in account.runner.running] == [f"{first}:0"]
    account.end(0)
    assert [a.environment["AWS_BATCH_JOB_ID"] for a in account.runner.running] == [
        f"{first}:1",
        f"{second}:0",
    ]


def test_rules_decide_which_exit_codes_are_worth_another_attempt():
    account = Account()
    rules = [{"onExitCode": "5", "action": "EXIT"}, {"onExitCode": "1*", "action": "RETRY"}]
    strategy = {"attempts": 5, "evaluateOnExit": rules}
    job = account.submit(retryStrategy=strategy)
    account.end(137)
    assert account.job(job)["status"] == "RUNNING"
    account.end(5)
    assert account.job(job)["status"] == "FAILED"
    assert len(account.job(job)["attempts"]) == 2


def test_an_attempt_that_takes_too_long_is_ended_and_is_the_last():
    account = Account()
    limits = {"timeout": {"attemptDurationSeconds": 60}, "retryStrategy": {"attempts": 3}}
    job = account.submit(**limits)
    account.now += 61
    account.region.scheduler.tick()
    assert account.runner.started[0].asked_to_end
    account.end(143)
    assert account.job(job)["status"] == "FAILED"
    assert "timeout" in account.job(job)["statusReason"]


def test_a_terminated_array_ends_what_runs_and_starts_nothing_more():
    account = Account(vcpus=1)
    job = account.submit(arrayProperties={"size": 2}, retryStrategy={"attempts": 3})
    account.call("TerminateJob", jobId=job, reason="enough")
    assert account.runner.started[0].asked_to_end
    account.end(143)
    assert account.job(job)["status"] == "FAILED"
    assert {account.job(f"{job}:{n}")["statusReason"] for n in (0, 1)} == {"enough"}
    assert len(account.runner.started) == 1


def test_a_job_that_is_cancelled_goes_on_if_it_runs():
    account = Account(vcpus=1)
    runs, waits = account.submit(), account.submit()
    for job in (runs, waits):
        account.call("CancelJob", jobId=job, reason="not now")
    assert account.job(runs)["status"] == "RUNNING"
    assert account.job(waits)["statusReason"] == "not now"


def test_a_command_that_cannot_be_started_has_failed():
    account = Account()
    account.runner.fails = FileNotFoundError(2, "No such file or directory", "nitro")
    job = account.submit()
    assert account.job(job)["status"] == "FAILED"
    assert "CannotStartContainerError" in account.job(job)["statusReason"]


@pytest.mark.extended
def test_ten_thousand_children_are_dealt_with_in_time():
    account = Account(vcpus=256)
    job = account.submit(arrayProperties={"size": 10_000})
    for _ in range(40):
        account.end(*[0] * 256)
    assert account.job(job)["status"] == "SUCCEEDED"
    assert len(account.runner.started) == 10_000
