"""The parser of the command line, and what becomes of exceptions.

A command's module is imported when the command is called, and imports what parsing needs only:
everything heavy (boto3, moto, pydantic) is imported by the command itself.
"""

from __future__ import annotations

import errno
import importlib
import sys
import traceback
from typing import Annotated, Any

import typer
from typer import TyperException
from typer.core import TyperGroup

from nitro import __version__, space
from nitro.cli import options
from nitro.cli.commands import COMMANDS, help_text
from nitro.cli.output import print_text, say
from nitro.errors import InputError, NitroError

_INTERRUPTED = 130

# `run` ends with the program's status, so its own failures have the code that `docker run` has.
_RUN_FAILED = 125

# What no path can be, whoever asks.
_NO_PATH = {errno.ENAMETOOLONG, errno.ELOOP}

# What the machine, rather than a mistake of ours, makes of reading and writing files.
_NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}


class _Commands(TyperGroup):
    """Loads the command that is called, and turns exceptions into one line for people and the
    documented exit code."""

    @property
    def commands(self) -> Any:
        """All commands: who asks for them gets them loaded."""
        return {name: self.get_command(None, name) for name in COMMANDS}

    @commands.setter
    def commands(self, _: Any) -> None:
        """The base class puts those in that were registered with the app: none."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"nitro.cli.{COMMANDS[cmd_name][0]}")
        home = typer.Typer(rich_markup_mode=None)
        module.register(home)
        return typer.main.get_group(home).commands[cmd_name]

    def get_help(self, ctx: Any) -> str:
        return help_text()

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
        except UnicodeEncodeError as error:
            if "surrogates" not in error.reason:  # which stand for bytes of the command line
                raise
            self._explain(f"nitro: {error.object!r} is not UTF-8", "check what was typed or pasted")
            ctx.exit(self._code(ctx, InputError.exit_code))
        except OSError as error:
            if error.errno in _NO_PATH:
                name = str(error.filename)
                shown = name if len(name) <= 60 else f"{name[:60]}…"
                self._explain(f"nitro: {shown}: {error.strerror}", "check the path")
                ctx.exit(self._code(ctx, InputError.exit_code))
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
    """The options before the command."""
