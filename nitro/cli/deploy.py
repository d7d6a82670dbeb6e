"""`nitro deploy`: from a program to a measured instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import deployment, options, recipe_arg
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_text, reporter
from nitro.errors import InputError, ProbeError

if TYPE_CHECKING:
    from nitro.documents import PlanDocument


def register(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    instance: options.InstanceType,
    recipe_name: options.RecipeName = "bench",
    arguments: options.Arguments = None,
    port: options.Ports = None,
    env: options.Env = None,
    kernel: options.Kernel = None,
    driver: options.Driver = None,
    probe: options.Probes = None,
    source: options.From = "instance",
    keep: Annotated[bool, typer.Option("--keep", help="Also keep the instance running.")] = False,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Also remove the AMI and the snapshot.")
    ] = False,
    ttl: options.Ttl = None,
    allow: options.Allow = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    security_group: options.SecurityGroups = None,
    placement_group: options.PlacementGroup = None,
    instance_profile: options.InstanceProfile = None,
    processors: options.Processors = None,
    bucket: options.Bucket = None,
    via: options.Route = "s3",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the AWS calls that would be made; change nothing."),
    ] = False,
    locked: options.Locked = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Build, publish, launch and measure; then remove all but the AMI."""
    if keep and ephemeral:
        raise InputError("--keep and --ephemeral exclude each other", hint="choose one")
    instance = options.instance_type(instance)
    lifetime, source = options.duration(ttl), options.source(source)
    groups = options.security_groups(security_group)
    from nitro import probe as probes
    from nitro.cli import summary
    from nitro.cloud import Keep

    selection = None if probe is None else probes.parse(probe)
    route = options.route(via)
    report = reporter()
    recipe = recipe_arg.find(recipe_name, port, env, arguments, kernel, driver, report=report)
    if selection:
        selection.require_ports(recipe.ports, f"the recipe {recipe.name}")
    with connected(
        report,
        cloud=cloud,
        region=region,
        profile=profile,
        subnet=subnet,
        bucket=bucket,
        allow=allow,
        dry_run=dry_run,
        launches=True,
    ) as connection:
        result = deployment.run(
            connection,
            recipe,
            instance,
            report,
            selection=selection,
            measure_from=source,
            keep=Keep.INSTANCE if keep else Keep.NOTHING if ephemeral else Keep.IMAGE,
            ttl=lifetime,
            via=route,
            security_groups=groups,
            placement_group=placement_group,
            instance_profile=instance_profile,
            processors=processors,
            locked=locked,
        )
        if keep and not dry_run:
            connection.keep()
    if connection.cloud.plan:
        _show_plan([str(call) for call in connection.cloud.plan.changes], result.leftovers, json)
        return
    summary.show(result, as_json=json)
    summary.require_removed(result.not_removed)
    if not result.ok:
        raise typer.Exit(ProbeError.exit_code)


def _show_plan(calls: list[str], leftovers: list[str], as_json: bool) -> None:
    if as_json:
        document: PlanDocument = {"calls": calls, "leftovers": leftovers}
        print_json(document)
        return
    for call in calls:
        print_text(call)
    for line in leftovers:
        print_text(f"would be left over: {line}")
