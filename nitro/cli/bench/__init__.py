"""`nitro bench`: plans, the record, its verdict and its report."""

from __future__ import annotations

import typer

from nitro.cli.bench import record, report, run, submit, verdict

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Measure every night, record, and notice what became slower.",
)

for module in (run, submit, verdict, report, record):
    module.register(app)


def register(home: typer.Typer) -> None:
    home.add_typer(app, name="bench")
