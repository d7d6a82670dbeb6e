"""`nitro selftest`: what the first user with an account runs."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options, recipe_arg
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_text, reporter, say

if TYPE_CHECKING:
    from nitro.selftest import Report


def register(app: typer.Typer) -> None:
    app.command()(selftest)


def selftest(
    instance: options.InstanceType = "c5.large",
    recipe_name: options.RecipeName = "bench",
    budget: Annotated[
        float,
        typer.Option(metavar="USD", min=0, help="What all checks together may cost, at most."),
    ] = 1.0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write the report as JSON, to send it."),
    ] = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    bucket: options.Bucket = None,
    allow: options.Allow = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Try each part in the account, the cheapest first; leave nothing behind."""
    options.output_file(output, "--output")
    report = reporter()
    recipe = recipe_arg.find(recipe_name)
    with connected(
        report,
        cloud=cloud,
        region=region,
        profile=profile,
        subnet=subnet,
        bucket=bucket,
        allow=allow,
        launches=True,
    ) as connection:
        from nitro import image
        from nitro import probe as probes
        from nitro.selftest import Selftest

        found = Selftest(
            connection.cloud,
            connection.settings.cloud,
            recipe,
            instance,
            budget,
            image,
            probes.ToolProber(),
            report,
            connection.allow,
            connection.settings.subnet,
            connection.settings.bucket,
        ).run()
    report.close()
    if output:
        output.write_text(json_.dumps(found.to_json(), indent=2) + "\n")
        say(f"the report is {output}")
    if json:
        print_json(found.to_json())
    else:
        _show(found)
    if not found.ok:
        raise typer.Exit(1)


def _show(found: Report) -> None:
    for check in found.checks:
        spent = [f"{check.seconds:.1f} s"] if check.seconds else []
        spent += [f"at most {check.usd:.4f} USD"] if check.usd else []
        after = f" ({', '.join(spent)})" if spent else ""
        print_text(f"{check.outcome:8} {check.name}: {check.came}{after}")
        if check.outcome == "failed":
            print_text(f"         expected: {check.expected}")
        if check.remedy:
            print_text(f"         → {check.remedy}")
    made = sum(check.outcome == "ok" for check in found.checks)
    print_text(f"{made} of {len(found.checks)} checks passed, at most {found.usd:.2f} USD spent")
