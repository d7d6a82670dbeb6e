"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

#: whether `-v` was given anywhere on the command line
verbose = False


def _set_verbose(value: bool) -> bool:
    global verbose
    verbose = verbose or value
    return value


Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", callback=_set_verbose, help="Show the traceback when something fails."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
CloudName = Annotated[
    str | None,
    typer.Option("--cloud", metavar="aws|local", help="Where to run; default local."),
]
Region = Annotated[str | None, typer.Option("--region", metavar="REGION", help="AWS region.")]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Profile of the AWS configuration.")
]
Allow = Annotated[
    str | None,
    typer.Option("--allow", metavar="CIDR", help="Who may reach the instance's ports."),
]
Ports = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--port", metavar="PORT", help="Port the program listens on; repeat for more."
    ),
]
Env = Annotated[
    list[str] | None,
    typer.Option("-e", "--env", metavar="KEY=VALUE", help="Environment of the program."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[-- ARGS]", help="Arguments of the program, after --."),
]
RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|PROGRAM", help="A recipe's name, a TOML file, or a program to run."
    ),
]
Locked = Annotated[
    bool,
    typer.Option("--locked", help="Fail when Debian no longer has the pinned package versions."),
]
