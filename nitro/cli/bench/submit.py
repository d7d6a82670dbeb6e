"""`nitro bench submit` and `job`: a night as jobs of AWS Batch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro import input_file
from nitro.cli import options
from nitro.cli.bench.place import Location, place_of, require_extra, store_of
from nitro.cli.bench.verdict import Night, Topic, Webhook, judge, night_of
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_text, reporter
from nitro.errors import InputError

if TYPE_CHECKING:
    from nitro.bench.campaign import Campaign
    from nitro.bench.record import Record


def register(app: typer.Typer) -> None:
    app.command()(submit)
    app.command(hidden=True)(job)


def submit(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    queue: Annotated[str, typer.Option(metavar="QUEUE", help="The job queue.")],
    definition: Annotated[
        str, typer.Option(metavar="NAME", help="The job definition: the container to run.")
    ] = "nitro",
    night: Night = None,
    webhook: Webhook = None,
    sns: Topic = None,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure a night as an array job of AWS Batch; a job after it checks and reports."""
    input_file.check(plan_file)
    require_extra()
    from nitro.bench.plan import Plan

    plan = Plan.load(plan_file)

    from nitro import image
    from nitro.bench import notify
    from nitro.bench import submit as submissions
    from nitro.bench.record import Record

    wanted, place = night_of(night), place_of(record)
    if not place.startswith("s3://"):
        raise InputError(
            f"the record is {place}, which jobs cannot reach", hint="use --record s3://…"
        )
    notify.check_addresses(webhook, sns)
    notices = [*(["--webhook", webhook] if webhook else []), *(["--sns", sns] if sns else [])]
    report = reporter()
    with connected(
        report, cloud=cloud, region=region, profile=profile, subnet=subnet, bucket=bucket
    ) as connection:
        if connection.local and not connection.local.runs_until_down:
            raise InputError(
                "jobs run in the local Nitro, which would end with this command",
                hint="`nitro local up` starts one that runs until `nitro local down`",
            )
        done = submissions.submit(
            connection.cloud,
            plan,
            Record(store_of(record, connection.cloud)),
            place=place,
            queue=queue,
            definition=definition,
            builder=image,
            report=report,
            night=wanted,
            subnet=connection.settings.subnet,
            bucket=connection.settings.bucket,
            notices=notices,
        )
    if json:
        print_json(done.to_json())
    elif done.job is None:
        print_text(f"{plan.name}, night of {done.night}: nothing is missing")
    else:
        words = f"{done.missing} runs in {done.parts} parts" if done.new else "runs already"
        print_text(
            f"{plan.name}, night of {done.night}: {words}: job {done.job}, check {done.last}"
        )


def job(
    folder: Annotated[str, typer.Argument(metavar="JOB", help="The job's folder in the record.")],
    last: Annotated[
        bool, typer.Option("--last", help="Check and report instead of measuring.")
    ] = False,
    webhook: Webhook = None,
    sns: Topic = None,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    verbose: options.Verbose = False,
) -> None:
    """Do one part of a submitted night; AWS Batch runs this."""
    require_extra()
    from nitro.bench import campaign
    from nitro.bench.record import Record

    report = reporter()
    with connected(report, cloud=cloud, region=region, launches=not last) as connection:
        found = Record(store_of(record, connection.cloud))
        told = campaign.read(found.store, folder)
        if not last:
            from nitro import image, probe
            from nitro.bench import night as nights

            done = nights.run(
                connection.cloud,
                told.plan,
                found,
                builder=image,
                prober=probe.ToolProber(),
                report=report,
                night=told.night,
                subnet=told.subnet,
                bucket=told.bucket,
                part=told.part(),
                images=told.images,
            )
            print_json(done.to_json())
            return
        found.compact(told.plan.name, told.night)
        print_text(_write_report(found, told))
        judge(found, [told.plan.name], told.night, webhook, sns, connection.cloud)


def _write_report(record: Record, told: Campaign) -> str:
    """Put the report beside the samples; returns its path in the record."""
    from nitro.bench import report as reports

    path = f"reports/{told.plan.name}/index.html"
    with tempfile.TemporaryDirectory() as folder:
        page = reports.write(record, Path(folder), told.plan.name)
        record.store.write(path, page.read_bytes())
    return path
