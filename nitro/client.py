"""Measuring from a second instance: the `client` image, in the subnet of the first.

The plan travels in its user data. The results come back on its console, those of each step as it
ends where the console has room, and all of them at the end; only a plan whose
output may be too large for that gets a presigned URL of an object in S3. The client never outlives
the measurement, whatever else is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from nitro.cloud import (
    Cloud,
    InstanceType,
    Keep,
    NeverReady,
    Placement,
    Undo,
    launch,
    results,
)
from nitro.console import tail
from nitro.errors import ProbeError
from nitro.probe import ProbePlan, Result, archive, console_result
from nitro.probe.step import StepOutput
from nitro.progress import Reporter

RECIPE = "client"
BOOT_WITHIN = 180.0  # seconds from `running` until the plan begins
SPARE = 300.0  # seconds that the client lives beyond every deadline


# Is told the result of a step, with its place in the plan, before the client is through.
OnStep = Callable[[int, Result], None]


@dataclass(frozen=True)
class Client:
    """A client that was launched and works through its plan.

    `upload` is None where the results come on the console.
    """

    cloud: Cloud
    instance_id: str
    upload: results.ResultUpload | None
    plan: ProbePlan
    report: Reporter

    def results(self, on_step: OnStep | None = None) -> list[Result]:
        """Wait for the results; `on_step` is told those that come earlier.

        Raises NitroError with the end of the client's console when it ends without results or
        passes the plan's deadline, ProbeError for a damaged archive.
        """
        deadline = BOOT_WITHIN + self.plan.deadline
        steps = _Steps(self.plan, on_step) if on_step else None

        def read_console(text: str) -> bytes | None:
            if steps:
                steps.read(text)
            return self._read_console(text)

        with self.report.stage("measure") as stage:
            data = results.wait_result(
                self.cloud,
                self.instance_id,
                read_console,
                self.upload,
                deadline=deadline,
                stage=stage,
            )
            return self.plan.results(archive.read(data))

    def _read_console(self, text: str) -> bytes | None:
        data = console_result.read(text)
        if data is None and (error := console_result.error(text)):
            what = f"{self.instance_id} could not send its results: {tail(error, 1)}"
            raise NeverReady(what, tail(text))
        return data


@dataclass
class _Steps:
    """The steps that a console has shown so far."""

    plan: ProbePlan
    on_step: OnStep
    _seen: set[bytes] = field(default_factory=set)
    _outputs: dict[str, StepOutput] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)

    def read(self, text: str) -> None:
        new = [data for data in console_result.steps(text) if data not in self._seen]
        for data in new:
            self._seen.add(data)
            try:
                found = archive.read(data)
            except ProbeError:
                continue  # all results together come once more
            for name in found.keys() & self.plan.names:
                self._outputs.setdefault(name, found[name])
        for number, result in self.plan.finished(self._outputs).items() if new else ():
            if number not in self._told:
                self._told.add(number)
                self.on_step(number, result)


@contextmanager
def launched_client(
    cloud: Cloud,
    outer: Undo,
    ami_id: str,
    instance_type: InstanceType,
    placement: Placement,
    plan: ProbePlan,
    *,
    bucket: str | None = None,
    report: Reporter | None = None,
) -> Iterator[Client]:
    """A client for one plan; it ends with the context, or with `outer` where that fails.

    It may be launched while the target still boots: the plan waits for the target's ports.
    Results that may be too large for the console go through `bucket`, or through nitro's own.
    """
    report = report or Reporter()
    # A role of its own: the token of a start is made from it, and a client never comes twice.
    role = f"client-{secrets.token_hex(4)}"
    lifetime = timedelta(seconds=BOOT_WITHIN + plan.deadline + SPARE)
    with Undo(
        keep=Keep.NOTHING,
        report=report,
        sleep=cloud.sleep,
        outer=outer,
        title="end the client",
    ) as undo:
        upload = None
        if plan.output_bytes > console_result.CAPACITY:
            upload = results.prepare(
                cloud,
                undo,
                deployment=placement.deployment,
                name=f"{role}.tar.gz",
                lifetime=lifetime,
                bucket=bucket,
            )
        instance = launch(
            cloud,
            ami_id,
            instance_type,
            replace(placement, ttl=lifetime),
            undo,
            name=f"nitro-{placement.deployment}-{role}",
            role=role,
            environment=upload.environment if upload else {},
            payload=plan.text(),
            report=report,
        )
        yield Client(cloud, instance.id, upload, plan, report)
