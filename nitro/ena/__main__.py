"""`python -m nitro.ena serve …`: the card without the rest of nitro, quick to start."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nitro.errors import NitroError
from nitro.printable import printable


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "serve":
            from nitro.ena.serve import serve

            serve(
                options.socket,
                port=options.port,
                profile=options.profile,
                mac=options.mac,
                queues=options.queues,
                llq=not options.no_llq,
                map_llq=options.map_llq,
                offloads=options.offloads,
                shape=options.shape,
                strict=options.strict,
                trace=options.trace,
                control=options.control,
                once=options.once,
            )
        else:
            from nitro.ena.explain import explain

            for line in explain(options.trace):
                print(printable(line))
    except NitroError as error:
        print(printable(f"ena: {error}"), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nitro.ena", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve one ENA card on a vfio-user socket")
    serve.add_argument("--socket", type=Path, required=True, help="where the client connects")
    serve.add_argument("--port", required=True, help="tap:IF, unix:PATH or fd:N")
    serve.add_argument("--profile", default="c5", help="a profile or an instance type")
    serve.add_argument("--mac", help="default: made from the socket's path")
    serve.add_argument("--queues", type=int, help="queue pairs (default: the profile's)")
    serve.add_argument("--no-llq", action="store_true", help="leave LLQ out")
    serve.add_argument("--map-llq", action="store_true", help="let the guest map LLQ memory")
    serve.add_argument("--offloads", default="profile", help="profile or all")
    serve.add_argument("--shape", help="what the type allows: in=RATE,out=RATE,packets=RATE")
    serve.add_argument("--strict", action="store_true", help="report every broken rule")
    serve.add_argument("--trace", type=Path, help="write the dialogue to this file")
    serve.add_argument("--control", type=Path, help="socket for commands such as `link down`")
    serve.add_argument("--once", action="store_true", help="end when the first client leaves")
    explain = commands.add_parser("explain", help="print a trace in words")
    explain.add_argument("trace", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
