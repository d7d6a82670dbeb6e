"""`nitro bench run`: make a night's measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nitro import input_file
from nitro.cli import options
from nitro.cli.bench.place import Location, require_extra
from nitro.cli.bench.verdict import Night, night_of
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_text, reporter
from nitro.errors import ProbeError


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    night: Night = None,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure what the plan says and the record does not have of this night yet."""
    input_file.check(plan_file)
    require_extra()
    from nitro.bench.plan import Plan

    plan = Plan.load(plan_file)
    wanted = night_of(night)

    from nitro import image, probe
    from nitro.bench import night as nights
    from nitro.bench.record import Record
    from nitro.cli.bench.place import store_of

    report = reporter()
    with connected(
        report,
        cloud=cloud,
        region=region,
        profile=profile,
        subnet=subnet,
        bucket=bucket,
        launches=True,
    ) as connection:
        done = nights.run(
            connection.cloud,
            plan,
            Record(store_of(record, connection.cloud)),
            builder=image,
            prober=probe.ToolProber(),
            report=report,
            night=wanted,
            subnet=connection.settings.subnet,
            bucket=connection.settings.bucket,
        )
    if json:
        print_json(done.to_json())
    else:
        words = f"{done.recorded} runs recorded, {done.failed} failed, {done.there} there before"
        more = f", {done.left_out} left out for the budget" if done.left_out else ""
        print_text(f"{plan.name}, night of {done.night}: {words}{more}")
    if done.failed:
        raise ProbeError(f"{done.failed} runs failed", hint="`nitro bench check` lists them")
