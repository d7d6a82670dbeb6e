"""A night as jobs of AWS Batch: an array, each child of which measures its part, and one after it.

Submitting a night twice changes nothing: jobs are found by their names while they run, and a child
measures only what the record does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from nitro.bench import campaign
from nitro.bench.campaign import Campaign
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.sample import sample_id
from nitro.bench.schedule import WHOLE
from nitro.bench.sites import sites_of
from nitro.cloud import Cloud, InstanceType, Keep, Undo, preflight
from nitro.cloud.errors import ApiError
from nitro.documents.bench import SubmissionDocument
from nitro.errors import InputError
from nitro.interfaces import ImageBuilder
from nitro.progress import Reporter

if TYPE_CHECKING:
    from mypy_boto3_batch.type_defs import SubmitJobRequestTypeDef

# Children; https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
LARGEST_ARRAY = 10_000
ATTEMPTS = 3
_ACTIVE = {"SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"}


@dataclass(frozen=True)
class Submission:
    """What was submitted, or runs already. `missing`: runs that the record did not have."""

    plan: str
    night: date
    parts: int
    missing: int
    job: str | None = None
    last: str | None = None
    new: bool = False

    def to_json(self) -> SubmissionDocument:
        """The submission as JSON has it."""
        return {
            "plan": self.plan,
            "night": self.night.isoformat(),
            "parts": self.parts,
            "missing": self.missing,
            "job": self.job,
            "last": self.last,
            "new": self.new,
        }


def submit(
    cloud: Cloud,
    plan: Plan,
    record: Record,
    *,
    place: str,
    queue: str,
    definition: str,
    builder: ImageBuilder,
    report: Reporter,
    night: date | None = None,
    subnet: str | None = None,
    bucket: str | None = None,
    notices: Sequence[str] = (),
) -> Submission:
    """Publish the plan's images and submit its night (UTC; None: today's).

    `place` is where the record is, as s3://…; `notices` are words for the check of the last job,
    such as --sns ARN. Raises InputError for a queue or a definition that cannot be used,
    RefusedError where the quota has no room for one pair.
    """
    night = night or datetime.now(UTC).date()
    there = record.ids(plan.name, night)
    tasks = WHOLE.tasks(plan, cloud.region, night)
    missing = sum(sample_id(plan.name, night, t.cell, t.repetition) not in there for t in tasks)
    if not missing:
        return Submission(plan.name, night, 0, 0)
    _check(cloud, queue, definition)
    name = f"nitro-{plan.name}-{night.isoformat()}"
    array, last = _running(cloud, queue, name), _running(cloud, queue, f"{name}-check")
    if array and last:
        return Submission(plan.name, night, 0, missing, array, last)
    sites = sites_of(cloud, plan, subnet=subnet, bucket=bucket)
    with report.stage("check"):
        for site in sites:
            site.check(plan, 2, report)
        quotas = [preflight.vcpu_quota(site.cloud, plan.market == "spot") for site in sites]
        quota = min((one for one in quotas if one is not None), default=None)
        parts = count_parts(plan, cloud.region, list(sites[0].types.values()), quota)
    with Undo(keep=Keep.IMAGE, report=report, sleep=cloud.sleep) as undo:
        images = {site.cloud.region: site.published(plan, builder, undo, report) for site in sites}
    found = Campaign.of(
        plan, night, cloud.region, parts=parts, images=images, subnet=subnet, bucket=bucket
    )
    folder = campaign.write(record.store, found)
    words = ["nitro", "bench", "job", folder, "--record", place]
    words += ["--cloud", "aws", "--region", cloud.region]
    new: list[str] = []
    try:
        if not array:
            array = _submit(cloud, name, queue, definition, words, size=parts)
            new.append(array)
        last = _submit(
            cloud, f"{name}-check", queue, definition, [*words, "--last", *notices], after=array
        )
    except ApiError:
        for job in new:
            cloud.batch.terminate_job(jobId=job, reason="the check after it was refused")
        raise
    return Submission(plan.name, night, parts, missing, array, last, new=True)


def _submit(
    cloud: Cloud,
    name: str,
    queue: str,
    definition: str,
    words: list[str],
    *,
    size: int = 1,
    after: str | None = None,
) -> str:
    """Submit one job, as an array if it has more than one part; returns its id."""
    request: SubmitJobRequestTypeDef = {
        "jobName": name,
        "jobQueue": queue,
        "jobDefinition": definition,
        "containerOverrides": {"command": words},
        "retryStrategy": {
            "attempts": ATTEMPTS,
            # What a check found is the same at the next attempt.
            "evaluateOnExit": [
                {"onExitCode": "4", "action": "EXIT"},
                {"onExitCode": "5", "action": "EXIT"},
            ],
        },
    }
    if size > 1:
        request["arrayProperties"] = {"size": size}
    if after:
        request["dependsOn"] = [{"jobId": after}]
    return cloud.batch.submit_job(**request)["jobId"]


def count_parts(plan: Plan, region: str, types: Sequence[InstanceType], quota: int | None) -> int:
    """How many pairs may run at a time: that many children are there, and each runs one pair.

    `quota` is that of vCPUs, the smallest of the plan's regions; None: there is none, or it may
    not be asked for.
    """
    wanted = min(len(plan.machines(region)), plan.pairs_at_once, LARGEST_ARRAY)
    if quota is None:
        return wanted
    pair = 2 * max(one.vcpus for one in types)
    return max(1, min(wanted, quota // pair))


def _check(cloud: Cloud, queue: str, definition: str) -> None:
    """Raises InputError for a queue that takes no jobs, and a definition that is not there."""
    queues = cloud.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
    if not queues:
        raise InputError(f"there is no job queue {queue} in {cloud.region}", hint="create it first")
    if queues[0]["state"] == "DISABLED":
        raise InputError(f"the job queue {queue} is disabled", hint="enable it first")
    name, _, revision = definition.rpartition("/")[2].partition(":")
    pages = cloud.batch.get_paginator("describe_job_definitions").paginate(
        jobDefinitionName=name, status="ACTIVE"
    )
    revisions = {str(one["revision"]) for page in pages for one in page["jobDefinitions"]}
    if not revisions or (revision and revision not in revisions):
        raise InputError(
            f"there is no job definition {definition} in {cloud.region}",
            hint="register examples/nightly/job-definition.json, or name yours with --definition",
        )


def _running(cloud: Cloud, queue: str, name: str) -> str | None:
    """The job of this name that is not done, if there is one."""
    pages = cloud.batch.get_paginator("list_jobs").paginate(
        jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [name]}]
    )
    for job in (job for page in pages for job in page["jobSummaryList"]):
        if job["jobName"] == name and job.get("status") in _ACTIVE:
            return job["jobId"]
    return None
