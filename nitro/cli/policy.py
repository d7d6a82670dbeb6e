"""`nitro policy`: the IAM policy that a command needs."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from nitro.cli import options
from nitro.cli.output import print_json
from nitro.errors import InputError

# What each option may be, and what to do otherwise.
_FORMS = {
    "--account": (r"[0-9]{12}|ACCOUNT", "an account has 12 digits"),
    "--bucket": (r"[a-z0-9.-]{0,63}", "a bucket has small letters, digits, dots and hyphens"),
    "--partition": (r"aws(-[a-z]+)*", "aws, aws-cn or aws-us-gov"),
}


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
    given = {"--account": account, "--bucket": bucket, "--partition": partition}
    for option, value in given.items():
        form, hint = _FORMS[option]
        if not re.fullmatch(form, value):
            raise InputError(f"{option}: {value!r} cannot be one", hint=hint)
    from nitro.cloud import policies

    scope = policies.Scope(
        account=account, bucket=bucket, partition=partition, parameters=tuple(parameter or ())
    )
    print_json(policies.document(name, scope))
