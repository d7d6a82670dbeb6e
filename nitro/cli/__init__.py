"""The command line: parse, call, print. It decides nothing.

Modules here import only what parsing needs; everything heavy (boto3, moto, pydantic) is
imported by the command that uses it, so that `nitro --help` answers at once.
"""

from __future__ import annotations

import errno
import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer import TyperException
from typer.core import TyperGroup

from nitro import __version__, space
from nitro.cli import options
from nitro.cli.output import print_text, say
from nitro.errors import NitroError

_INTERRUPTED = 130

# `run` ends with the program's status, so its own failures have the code that `docker run` has.
_RUN_FAILED = 125

# What the machine, rather than a mistake of ours, makes of reading and writing files.
_NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}


class _Commands(TyperGroup):
    """Turns exceptions into one line for people and the documented exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except NitroError as error:
            # What an instance wrote before it failed belongs to the explanation.
            console = getattr(error, "console", "")
            self._explain("\n".join(filter(None, (console, f"nitro: {error.what}"))), error.hint)
            ctx.exit(self._code(ctx, error.exit_code))
        except TyperException as error:  # the command line cannot be read
            if isinstance(code := getattr(error, "exit_code", None), int):
                error.exit_code = self._code(ctx, code)
            raise
        except KeyboardInterrupt:
            self._explain("nitro: interrupted", None)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:  # the reader of our output has gone
            sys.stderr.close()
            ctx.exit(1)
        except OSError as error:
            if error.errno not in _NO_PLACE:
                raise
            where = error.filename
            if space.is_full(error):  # of two files, the second one is written
                where = error.filename2 or where or space.fullest()
            place = f"{where}: " if where else ""
            self._explain(f"nitro: {place}{error.strerror}", space.HINT)
            ctx.exit(self._code(ctx, 1))

    @staticmethod
    def _code(ctx: Any, code: int) -> int:
        return _RUN_FAILED if ctx.invoked_subcommand == "run" else code

    @staticmethod
    def _explain(what: str, hint: str | None) -> None:
        if options.verbose:
            say(traceback.format_exc())
        say(what)
        if hint:
            say(f"       {hint}")


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failed, 2 bad input, 3 refused by AWS, 4 a probe failed, "
    "5 a benchmark became slower, 130 interrupted (after cleaning up). run: the program's own, "
    "125 failed.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print_text(f"nitro {__version__}")
        raise typer.Exit


@app.callback()
def _nitro(
    verbose: options.Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a program to a measured AWS Nitro instance, with or without an AWS account."""


def main() -> None:
    """Entry point of the `nitro` command."""
    # A polite kill cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


def _register() -> None:
    from nitro.cli import (
        bench,
        build,
        deploy,
        device,
        doctor,
        gc,
        init,
        instances,
        kernel,
        local,
        policy,
        publish,
        run,
        selftest,
    )

    for module in (deploy, build, run, instances, publish, gc, doctor, selftest, init, policy):
        module.register(app)
    app.add_typer(bench.app, name="bench")
    app.add_typer(local.app, name="local")
    app.add_typer(device.app, name="device")
    app.add_typer(kernel.app, name="kernel")


_register()
