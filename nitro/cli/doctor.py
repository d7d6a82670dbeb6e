"""`nitro doctor`: checks what a deployment needs and says how to fix what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nitro import config
from nitro.check import Check
from nitro.cli import options
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_text, reporter

if TYPE_CHECKING:
    from nitro.documents import CheckDocument


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    create_role: Annotated[
        bool, typer.Option("--create-role", help="Create or repair the role that VM Import needs.")
    ] = False,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    bucket: options.Bucket = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Check what deployments need, here and in the account."""
    checks: list[Check] = []
    report = reporter()
    chosen = config.load(cloud=cloud).cloud
    from nitro.cloud import doctor as account
    from nitro.cloud import role, storage

    if chosen == "local":
        from nitro.local import doctor as machine

        checks += machine.examine()
    if all(check.ok for check in checks):
        with connected(
            report, cloud=cloud, region=region, profile=profile, subnet=subnet, bucket=bucket
        ) as connection:
            if create_role:
                name = connection.settings.bucket or storage.own_bucket_name(connection.cloud)
                role.create(connection.cloud, name)
            settings = connection.settings
            checks += account.examine(connection.cloud, settings.bucket, settings.subnet)
    from nitro.image.osv import doctor as kernels

    checks += kernels.examine()
    if json:
        print_json([_document(check) for check in checks])
    else:
        for check in checks:
            print_text(f"{'ok  ' if check.ok else 'BAD '} {check.name}: {check.detail}")
            if check.remedy:
                print_text(f"     → {check.remedy}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _document(check: Check) -> CheckDocument:
    return {
        "name": check.name,
        "ok": check.ok,
        "detail": check.detail,
        "remedy": check.remedy,
    }
