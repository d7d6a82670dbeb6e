"""`nitro policy`: the IAM policy that a command needs."""

from __future__ import annotations

from typing import Annotated

import typer

from nitro.cli import options
from nitro.cli.output import print_json


def register(app: typer.Typer) -> None:
    app.command()(policy)


def policy(
    name: Annotated[
        str, typer.Argument(metavar="bench|deploy|gc|publish|role", help="What the policy is for.")
    ],
    account: Annotated[
        str, typer.Option(metavar="ID", help="Account id; default: the placeholder ACCOUNT.")
    ] = "ACCOUNT",
    bucket: Annotated[
        str, typer.Option(metavar="NAME", help="The bucket; default: nitro's own in any region.")
    ] = "",
    partition: Annotated[
        str, typer.Option(metavar="aws|aws-cn|aws-us-gov", help="The partition of the account.")
    ] = "aws",
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="SSM parameter that AMIs are launched by (deploy) or published under (publish); "
            "may be repeated and end in `*`. Default: none to launch by, any to publish under.",
        ),
    ] = None,
    verbose: options.Verbose = False,
) -> None:
    """Print the IAM policy that commands need, or the role of VM Import.

    `role` is for `doctor --create-role`, the others are for commands.
    """
    from nitro.cloud import policies

    scope = policies.Scope(
        account=account, bucket=bucket, partition=partition, parameters=tuple(parameter or ())
    )
    print_json(policies.document(name, scope))
