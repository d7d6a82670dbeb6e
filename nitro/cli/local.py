"""`nitro local up | down | status | env`: the local Nitro by hand."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options
from nitro.cli.output import print_json, print_table, print_text, reporter, say
from nitro.errors import InputError

if TYPE_CHECKING:
    from nitro.documents import LocalStatusDocument

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Control the local Nitro, the AWS endpoint on this machine.",
)


def register(home: typer.Typer) -> None:
    home.add_typer(app, name="local")


@app.command()
def up(
    offloads: Annotated[
        str,
        typer.Option(help="profile: those of AWS's cards; all: every offload, for speed."),
    ] = "profile",
    map_llq: Annotated[
        bool,
        typer.Option(
            "--map-llq", help="Map LLQ memory into guests: quicker for those that poll the card."
        ),
    ] = False,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE:in=RATE,out=RATE,packets=RATE",
            help="What an instance type allows, in bit/s and packets a second: 500M, 20K; repeat "
            "for more types. Its cards count what is beyond as allowances exceeded, unless the "
            "word uncounted is added.",
        ),
    ] = None,
    weather: Annotated[
        str | None,
        typer.Option(
            metavar="SEED|FILE",
            help="Add what AWS does on some days: throttling, lost answers, full zones, ...",
        ),
    ] = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Start it; it runs until `nitro local down`."""
    from nitro import local
    from nitro.local.weather import conditions

    shapes = _shapes(shape or [])
    day = None if weather is None else conditions.read(weather)
    report = reporter()
    local.up(report, offloads=offloads, map_llq=map_llq, shapes=shapes, weather=day)
    report.close()
    _show(json)


@app.command()
def down(
    force: Annotated[
        bool, typer.Option("--force", help="Do not wait for commands that use it.")
    ] = False,
    verbose: options.Verbose = False,
) -> None:
    """Stop it and its instances; AMIs, snapshots, buckets, and what names or encrypts are kept."""
    from nitro import local

    report = reporter()
    stopped = local.down(report, force=force)
    if stopped:
        report.note(
            "AMIs, snapshots, buckets, SSM parameters, launch templates and KMS keys are kept; "
            "volumes, networks and key pairs are gone"
        )
    report.close()
    say("stopped" if stopped else "it was not running")


@app.command()
def status(json: options.Json = False, verbose: options.Verbose = False) -> None:
    """Show whether it is running, and where."""
    _show(json)


@app.command()
def env(verbose: options.Verbose = False) -> None:
    """Print what other AWS clients need to use it: eval "$(nitro local env)"."""
    import shlex

    from nitro import local

    endpoint = local.status().endpoint
    if endpoint is None:
        raise InputError("the local Nitro is not running", hint="`nitro local up` starts it")
    print_text("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint.url),
        ("AWS_REGION", endpoint.region),
        ("AWS_DEFAULT_REGION", endpoint.region),
        ("AWS_ACCESS_KEY_ID", endpoint.access_key),
        ("AWS_SECRET_ACCESS_KEY", endpoint.secret_key),
    ):
        print_text(f"export {name}={shlex.quote(value)}")


def _shapes(words: list[str]) -> dict[str, str]:
    """What each type allows. Raises InputError for a type that is not there, or comes twice."""
    found: dict[str, str] = {}
    if not words or importlib.util.find_spec("moto") is None:  # which `local.up` reports
        return found
    from nitro.ena.shape import parse

    hint = "write TYPE:in=RATE,out=RATE, such as c5.large:in=500M,out=500M"
    for word in words:
        name, colon, text = word.partition(":")
        if not colon or not options.names_type(name):
            raise InputError(f"--shape {word}: no instance type {name!r}", hint=hint)
        parse(text)
    from moto.ec2.models.instance_types import INSTANCE_TYPES  # which takes a second

    for word in words:
        name, _, text = word.partition(":")
        if name not in INSTANCE_TYPES:
            raise InputError(f"--shape {word}: no instance type {name!r}", hint=hint)
        if name in found:
            one = "put its bounds into one: in=500M,out=500M"
            raise InputError(f"--shape {word}: {name} is given twice", hint=one)
        found[name] = text
    return found


def _show(as_json: bool) -> None:
    from nitro import local

    found = local.status()
    document: LocalStatusDocument = {
        "running": found.endpoint is not None,
        "pid": found.pid,
        "endpoint": found.endpoint.url if found.endpoint else None,
        "region": found.endpoint.region if found.endpoint else None,
        "folder": str(found.folder),
    }
    if as_json:
        print_json(document)
    else:
        print_table(("KEY", "VALUE"), list(document.items()))
