"""`nitro console`, also called `nitro logs`: what an instance writes on its serial console."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options
from nitro.cli.connection import connected
from nitro.cli.output import print_json, print_text, reporter
from nitro.errors import InputError

if TYPE_CHECKING:
    from nitro.cloud import Cloud
    from nitro.documents import ConsoleDocument

_FOLLOW_EVERY = 2.0  # seconds
_OVERLAP = 2048  # characters by which what is new is found, once the console's beginning is dropped


def register(app: typer.Typer) -> None:
    app.command()(console)
    app.command(name="logs", help="The same as `console`.")(console)


def console(
    instance: options.InstanceId,
    followed: Annotated[
        bool,
        typer.Option("-f", "--follow", help="Go on until the instance has ended, or Ctrl-C."),
    ] = False,
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
    if followed and json:
        raise InputError("--follow and --json exclude each other", hint="choose one")
    report = reporter()
    with connected(
        report, instance=instance, cloud=cloud, region=region, profile=profile
    ) as connection:
        from nitro.cloud import console_output

        if followed:
            _follow(connection.cloud, instance, raw=raw)
            return
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


def _follow(cloud: Cloud, instance_id: str, *, raw: bool) -> None:
    for fresh in follow(cloud, instance_id):
        sys.stdout.write(fresh) if raw else print_text(fresh.rstrip("\r\n"))
        sys.stdout.flush()


def follow(cloud: Cloud, instance_id: str) -> Iterator[str]:
    """What comes on the console, for as long as the instance runs."""
    from nitro.cloud import console_output, instance

    text = ""
    while True:
        state = instance.get(cloud, instance_id).state
        before, text = text, console_output(cloud, instance_id) or text
        if fresh := news(before, text):
            yield fresh
        if state not in {"pending", "running"}:
            return
        cloud.sleep(_FOLLOW_EVERY)


def news(before: str, now: str) -> str:
    """What the console `now` has beyond what it had `before`; of it, only the end is kept."""
    if now.startswith(before):
        return now[len(before) :]
    known = now.rfind(before[-_OVERLAP:])
    return now if known < 0 else now[known + min(_OVERLAP, len(before)) :]
