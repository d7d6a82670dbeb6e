"""`nitro launch`, `probe`, `console`, `ls` and `destroy`: commands about instances."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import deployment, options, recipe_arg
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_table, print_text, reporter, say
from nitro.errors import InputError, ProbeError

if TYPE_CHECKING:
    from nitro.cloud import Resource
    from nitro.documents import ConsoleDocument, ResourceDocument

InstanceId = Annotated[str, typer.Argument(metavar="INSTANCE", help="Id of the instance.")]


def register(app: typer.Typer) -> None:
    for command in (launch, probe, console, ls, destroy):
        app.command()(command)


def launch(
    recipe_name: options.RecipeName,
    instance: options.InstanceType,
    arguments: options.Arguments = None,
    port: options.Ports = None,
    env: options.Env = None,
    kernel: options.Kernel = None,
    ttl: options.Ttl = None,
    allow: options.Allow = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    security_group: options.SecurityGroups = None,
    placement_group: options.PlacementGroup = None,
    instance_profile: options.InstanceProfile = None,
    bucket: options.Bucket = None,
    locked: options.Locked = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Build, publish and start an instance that keeps running."""
    from nitro.cli import summary
    from nitro.cloud import Keep
    from nitro.probe import Boot, Selection

    lifetime = options.duration(ttl)
    report = reporter()
    recipe = recipe_arg.find(recipe_name, port, env, arguments, kernel, report=report)
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
        result = deployment.run(
            connection,
            recipe,
            instance,
            report,
            selection=Selection(Boot()),
            keep=Keep.INSTANCE,
            ttl=lifetime,
            security_groups=security_group or (),
            placement_group=placement_group,
            instance_profile=instance_profile,
            locked=locked,
        )
        connection.keep()
    summary.show(result, as_json=json)
    summary.require_removed(result.not_removed)


def probe(
    instance: InstanceId,
    probes: options.Probes = None,
    source: options.From = "instance",
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure a running instance."""
    from nitro import image, measure
    from nitro.cli import summary
    from nitro.probe import ToolProber, parse

    selection = None if probes is None else parse(probes)
    report = reporter()
    with connected(
        report, cloud=cloud, region=region, profile=profile, bucket=bucket
    ) as connection:
        measured = measure.measure(
            connection.cloud,
            instance,
            builder=image,
            prober=ToolProber(),
            selection=selection,
            measure_from=source,
            bucket=connection.settings.bucket,
            report=report,
        )
    summary.show_probes(measured.results, as_json=json)
    summary.require_removed(measured.not_removed)
    if not all(result.ok for result in measured.results):
        raise typer.Exit(ProbeError.exit_code)


def console(
    instance: InstanceId,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Print it unchanged, with its escape sequences."),
    ] = False,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Print what an instance wrote on its serial console."""
    from nitro.cloud import console_output

    report = reporter()
    with connected(report, cloud=cloud, region=region, profile=profile) as connection:
        text = console_output(connection.cloud, instance)
    if json:
        from nitro.console import milestones

        found = [{"nitro": m.name, "uptime": m.uptime, **m.fields} for m in milestones(text)]
        document: ConsoleDocument = {"instance": instance, "milestones": found, "output": text}
        print_json(document)
    elif raw:
        sys.stdout.write(text)
    else:
        print_text(text.rstrip("\r\n"))


def ls(
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """List all resources that nitro has created."""
    from nitro.cloud import inventory

    report = reporter()
    with connected(
        report, cloud=cloud, region=region, profile=profile, bucket=bucket
    ) as connection:
        found = inventory(connection.cloud, connection.settings.bucket)
    _show(found, as_json=json)


def destroy(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids of resources or deployments."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All resources of nitro in this region.")
    ] = False,
    expired: Annotated[
        bool, typer.Option("--expired", help="Resources whose time to live has passed.")
    ] = False,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Remove resources that nitro has created, and no others."""
    from nitro import cloud as clouds

    if sum((bool(names), everything, expired)) != 1:
        given = names or everything or expired
        raise InputError(
            "ids, --all and --expired exclude each other" if given else "no resources given",
            hint="give ids (see `nitro ls`), or --expired, or --all",
        )
    report = reporter()
    with connected(
        report, cloud=cloud, region=region, profile=profile, bucket=bucket
    ) as connection:
        found = clouds.inventory(connection.cloud, connection.settings.bucket)
        if names:
            chosen = [r for r in found if {r.id, r.deployment} & set(names)]
            known = {r.id for r in chosen} | {r.deployment for r in chosen}
            if unknown := [name for name in names if name not in known]:
                raise InputError(
                    f"nitro has no resource {', '.join(unknown)}", hint="see `nitro ls`"
                )
        else:
            chosen = clouds.expired(found) if expired else found
        gone = clouds.destroy(connection.cloud, chosen, report)
    _show(gone, as_json=json)
    say(f"{len(gone)} removed")


def _show(found: list[Resource], *, as_json: bool) -> None:
    if as_json:
        print_json([_document(resource) for resource in found])
    elif found:
        rows = [(r.kind, r.id, r.name or "-", r.state or "-", _left(r)) for r in found]
        print_table(("KIND", "ID", "NAME", "STATE", "EXPIRES"), rows)
    else:
        say("no resources found")


def _document(resource: Resource) -> ResourceDocument:
    return {
        "kind": resource.kind,
        "id": resource.id,
        "name": resource.name,
        "state": resource.state,
        "deployment": resource.deployment or None,
        "digest": resource.digest or None,
        "created": resource.created.isoformat() if resource.created else None,
        "expires": resource.expires.isoformat() if resource.expires else None,
    }


def _left(resource: Resource) -> str:
    if resource.expires is None:
        return "-"
    minutes = int((resource.expires - datetime.now(UTC)).total_seconds() // 60)
    return f"in {minutes} min" if minutes >= 0 else f"{-minutes} min ago"
