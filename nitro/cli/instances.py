"""`nitro probe`, `ls` (or `ps`) and `destroy`: instances, and all that nitro created."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options
from nitro.cli.connection import connected, idle
from nitro.cli.output import print_json, print_table, reporter, say
from nitro.errors import InputError, ProbeError

if TYPE_CHECKING:
    from nitro.cloud import Resource
    from nitro.documents import ResourceDocument

_LOCAL = "`nitro ls` lists those of the local Nitro; --cloud aws for those of AWS"
_COLUMNS = ("KIND", "ID", "NAME", "STATE", "TYPE", "ADDRESS", "PORTS", "AGE", "ENDS")


def register(app: typer.Typer) -> None:
    for command in (probe, ls, destroy):
        app.command()(command)
    app.command(name="ps", help="The same as `ls`.")(ls)


def probe(
    instance: options.InstanceId,
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
    source = options.source(source)
    from nitro.probe import ToolProber, parse

    selection = None if probes is None else parse(probes)
    report = reporter()
    with connected(
        report, instance=instance, cloud=cloud, region=region, profile=profile, bucket=bucket
    ) as connection:
        from nitro import image, measure
        from nitro.cli import summary

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


def ls(
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """List all resources that nitro has created."""
    folder = idle(cloud=cloud, region=region, profile=profile, bucket=bucket)
    if folder:
        from nitro.local import remains

        if not remains.anything(folder):
            say("cloud: local (--cloud aws for AWS)")
            _show([], as_json=json)
            return
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
    if sum((bool(names), everything, expired)) != 1:
        given = names or everything or expired
        raise InputError(
            "ids, --all and --expired exclude each other" if given else "no resources given",
            hint="give ids (see `nitro ls`), or --expired, or --all",
        )
    folder = idle(cloud=cloud, region=region, profile=profile, bucket=bucket) if names else None
    if folder:
        from nitro.local import remains

        _refuse([name for name in names or () if not remains.may_hold(folder, name)], _LOCAL)
    from nitro import cloud as clouds

    report = reporter()
    with connected(
        report, cloud=cloud, region=region, profile=profile, bucket=bucket
    ) as connection:
        found = clouds.inventory(connection.cloud, connection.settings.bucket)
        if names:
            chosen = [r for r in found if {r.id, r.deployment} & set(names)]
            known = {r.id for r in chosen} | {r.deployment for r in chosen}
            _refuse([name for name in names if name not in known])
        else:
            chosen = clouds.expired(found) if expired else found
        gone = clouds.destroy(connection.cloud, chosen, report)
    _show(gone, as_json=json)
    say(f"{len(gone)} removed")


def _refuse(unknown: list[str], hint: str = "see `nitro ls`") -> None:
    if unknown:
        raise InputError(f"nitro has no resource {', '.join(unknown)}", hint=hint)


def _show(found: list[Resource], *, as_json: bool) -> None:
    if as_json:
        print_json([_document(resource) for resource in found])
    elif found:
        rows = [
            (
                *(r.kind, r.id, r.name or "-", r.state or "-", r.type or "-", r.address or "-"),
                *(" ".join(map(str, r.ports)) or "-", _age(r), _left(r)),
            )
            for r in found
        ]
        print_table(_COLUMNS, rows)
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
        "type": resource.type or None,
        "address": resource.address or None,
        "ports": [port.to_json() for port in resource.ports],
    }


def _age(resource: Resource) -> str:
    return "-" if resource.created is None else _span(datetime.now(UTC) - resource.created)


def _left(resource: Resource) -> str:
    if resource.expires is None:
        return "-"
    left = resource.expires - datetime.now(UTC)
    return f"in {_span(left)}" if left >= timedelta() else f"{_span(-left)} ago"


def _span(time: timedelta) -> str:
    """A time in the largest unit of which there are at least two."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
