"""`nitro device serve | explain`: an ENA card for anybody's virtual machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nitro.cli import options
from nitro.cli.output import print_json, print_text

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Run the ENA card for a virtual machine; explain a trace.",
)


def register(home: typer.Typer) -> None:
    home.add_typer(app, name="device")


@app.command()
def serve(
    socket: Annotated[Path, typer.Option(help="Where the virtual machine connects.")],
    port: Annotated[
        str, typer.Option(help="What the card is connected to: tap:IF, unix:PATH or fd:N.")
    ],
    card: Annotated[
        str, typer.Option("--profile", help="Which card: an instance type or a profile.")
    ] = "c5",
    mac: Annotated[
        str | None, typer.Option(help="MAC address; default: derived from the socket's path.")
    ] = None,
    queues: Annotated[int | None, typer.Option(help="Queue pairs; default: the profile's.")] = None,
    no_llq: Annotated[
        bool, typer.Option("--no-llq", help="Do not offer LLQ (low-latency queues).")
    ] = False,
    map_llq: Annotated[
        bool,
        typer.Option(
            "--map-llq", help="Map LLQ memory into the guest: quicker for one that polls the card."
        ),
    ] = False,
    offloads: Annotated[
        str,
        typer.Option(
            help="profile: those of the profile; all: every offload, and merged segments."
        ),
    ] = "profile",
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="in=RATE,out=RATE,packets=RATE",
            help="What the instance type allows, in bit/s and packets a second: 500M, 20K.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Report every rule that the driver breaks.")
    ] = False,
    trace: Annotated[
        Path | None, typer.Option(help="Write the dialogue here, and the frames to TRACE.pcapng.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="Socket for commands such as `link down`.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when the first client disconnects.")
    ] = False,
    verbose: options.Verbose = False,
) -> None:
    """Serve one card until Ctrl-C."""
    from nitro.ena import serve as server

    server.serve(
        socket,
        port=port,
        profile=card,
        mac=mac,
        queues=queues,
        llq=not no_llq,
        map_llq=map_llq,
        offloads=offloads,
        shape=shape,
        strict=strict,
        trace=trace,
        control=control,
        once=once,
    )


@app.command()
def explain(
    trace: Annotated[Path, typer.Argument(help="A file that `serve --trace` wrote.")],
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Print a trace as a dialogue of driver and card."""
    from nitro.ena.explain import explain as lines

    if json:
        print_json(list(lines(trace)))
        return
    for line in lines(trace):
        print_text(line)
