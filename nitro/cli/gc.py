"""`nitro gc`: removes what nobody comes back for, in all regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_table, print_text, reporter, say

if TYPE_CHECKING:
    from nitro.cloud.garbage import Region
    from nitro.documents import GarbageDocument


def register(app: typer.Typer) -> None:
    app.command()(gc)


def gc(
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be removed; change nothing.")
    ] = False,
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="TIME", help="Age from which something unfinished is garbage."
        ),
    ] = "6h",
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Remove what is unfinished, failed or expired, in all regions or in --region."""
    young = options.duration(older_than, "--older-than")
    report = reporter()
    with connected(
        report, cloud=cloud, region=region, profile=profile, bucket=bucket
    ) as connection:
        from nitro.cloud import garbage

        account = connection.cloud
        with report.stage("look for garbage"):
            names = [region] if region else garbage.regions_of(account)
            found = garbage.find_in(
                account, names, young or garbage.YOUNG, connection.settings.bucket
            )
        if not plan:
            garbage.collect(account, found, report)
    if json:
        print_json([_document(each) for each in found])
    else:
        _show(found, plan=plan)
    failed = [each for each in found if each.error]
    for each in failed:
        say(f"nitro: {each.name}: {each.error}")
    if failed:
        raise typer.Exit(1)


def _show(regions: list[Region], *, plan: bool) -> None:
    rows = []
    for region in regions:
        removed = {resource.id for resource in region.removed}
        for each in region.garbage:
            done = "would go" if plan else "removed" if each.resource.id in removed else "is left"
            rows.append((region.name, each.resource.kind, each.resource.id, each.reason, done))
        for kept in region.kept:
            why = f"named by {', '.join(kept.users)}"
            rows.append((region.name, kept.resource.kind, kept.resource.id, why, "stays"))
    if rows:
        print_table(("REGION", "KIND", "ID", "WHY", ""), rows)
    else:
        print_text("no garbage")


def _document(region: Region) -> GarbageDocument:
    removed = {resource.id for resource in region.removed}
    return {
        "region": region.name,
        "garbage": [
            {
                "kind": each.resource.kind,
                "id": each.resource.id,
                "name": each.resource.name,
                "reason": each.reason,
                "removed": each.resource.id in removed,
            }
            for each in region.garbage
        ],
        "kept": [{"id": kept.resource.id, "users": list(kept.users)} for kept in region.kept],
        "error": str(region.error) if region.error else None,
    }
