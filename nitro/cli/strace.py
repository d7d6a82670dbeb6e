"""`nitro strace`: the calls of a traced program, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import console, options
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_table, reporter, say
from nitro.errors import NitroError

if TYPE_CHECKING:
    from nitro.documents import StraceDocument, TracedCallDocument
    from nitro.strace import Total


def register(app: typer.Typer) -> None:
    app.command()(strace)


def strace(
    instance: options.InstanceId,
    follow: Annotated[
        bool,
        typer.Option(
            "-f", "--follow", help="Show the console until the instance has ended, or Ctrl-C."
        ),
    ] = False,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Count the system calls of an instance's traced program, from its console.

    The recipe has strace = "syscall*", or the name of one call. Of a running instance these are the
    calls so far; of one that has ended, those that EC2 kept: the console's last 64 KiB.
    """
    text = ""
    with connected(
        reporter(), instance=instance, cloud=cloud, region=region, profile=profile
    ) as connection:
        from nitro.cloud import console_output
        from nitro.strace import calls, totals

        if not follow:
            text = console_output(connection.cloud, instance)
        else:
            try:
                for fresh in console.follow(connection.cloud, instance):
                    text += fresh
                    say(fresh.rstrip("\r\n"))
            except KeyboardInterrupt:
                _print(instance, totals(calls(text)), as_json=json)
                raise
    found = totals(calls(text))
    if not found:
        raise NitroError(
            f"the console of {instance} has no traced call",
            hint='strace = "syscall*" in its recipe traces the program',
        )
    _print(instance, found, as_json=json)


def _print(instance: str, found: Sequence[Total], *, as_json: bool) -> None:
    if as_json:
        document: StraceDocument = {"instance": instance, "calls": [_document(t) for t in found]}
        print_json(document)
    else:
        show(found)


def show(found: Sequence[Total]) -> None:
    """Print the table."""
    rows = [(total.name, total.count, total.errors, _time(total.seconds)) for total in found]
    print_table(("CALL", "COUNT", "ERRORS", "SECONDS"), rows)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.6f}"


def _document(total: Total) -> TracedCallDocument:
    return {
        "call": total.name,
        "count": total.count,
        "errors": total.errors,
        "seconds": total.seconds,
    }
