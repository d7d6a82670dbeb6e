"""`nitro bench report`: the record as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nitro.cli import options
from nitro.cli.bench.place import Location, PlanName, opened
from nitro.cli.output import print_text, reporter


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to write index.html.")
    ] = Path("report"),
    plan: PlanName = None,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    verbose: options.Verbose = False,
) -> None:
    """Write one HTML page of the record that opens offline."""
    options.output_folder(output, "--output")
    with opened(reporter(), record, cloud, region, profile) as (found, _):
        from nitro.bench import report as reports

        path = reports.write(found, output, plan)
    print_text(str(path))
