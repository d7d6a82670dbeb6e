"""`nitro cache`: what nitro keeps on this machine so as not to make or download it again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options
from nitro.cli.output import print_json, print_table, print_text, reporter, say
from nitro.errors import NitroError

if TYPE_CHECKING:
    from nitro.cache import Entry
    from nitro.documents import CacheKindDocument, PrunedDocument

app = typer.Typer(no_args_is_help=True, help="What is kept on this machine: list, prune.")


def register(home: typer.Typer) -> None:
    home.add_typer(app, name="cache")


@app.command("ls")
def list_(json: options.Json = False, verbose: options.Verbose = False) -> None:
    """List the kinds of things in the cache, how much room they take and when one was used."""
    from nitro import cache

    kinds = _kinds(cache.entries())
    if json:
        print_json(kinds)
        return
    rows = [
        (kind["kind"], str(kind["entries"]), _megabytes(kind["size_bytes"]), kind["used"][:16])
        for kind in kinds
    ]
    total = sum(kind["size_bytes"] for kind in kinds)
    rows.append(("all", str(sum(kind["entries"] for kind in kinds)), _megabytes(total), ""))
    print_table(("KIND", "ENTRIES", "SIZE", "LAST USED (UTC)"), rows)


@app.command()
def prune(
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="TIME", help="Remove what was not used for so long."),
    ] = "30d",
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be removed; change nothing.")
    ] = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Remove what nothing has used for a while; what was used within the last hour stays."""
    from nitro import cache

    age = options.duration(older_than, "--older-than") or cache.YOUNG
    report = reporter()
    with report.stage("look for what is not used"):
        found = cache.unused(cache.entries(), age)
    failures: list[NitroError] = []
    if not plan:
        with report.stage("prune") as stage:
            gone = []
            for done, entry in enumerate(found, 1):
                try:
                    if cache.remove(entry):
                        gone.append(entry)
                except NitroError as error:
                    failures.append(error)
                stage.progress(done, len(found), "entries")
            found = gone
    report.close()
    _tell(found, older_than, plan=plan, json=json)
    for failure in failures[1:]:
        say(failure.what)
    if failures:
        raise failures[0]


def _tell(found: Sequence[Entry], older_than: str, *, plan: bool, json: bool) -> None:
    kinds = _kinds(found)
    room = sum(kind["size_bytes"] for kind in kinds)
    if json:
        document: PrunedDocument = {"removed": not plan, "size_bytes": room, "kinds": kinds}
        print_json(document)
        return
    if not kinds:
        print_text(f"nothing was unused for {older_than}")
        return
    rows = [(kind["kind"], str(kind["entries"]), _megabytes(kind["size_bytes"])) for kind in kinds]
    print_table(("KIND", "ENTRIES", "SIZE"), rows)
    say(f"{_megabytes(room)} {'would be freed' if plan else 'freed'}")


def _kinds(entries: Sequence[Entry]) -> list[CacheKindDocument]:
    kinds: list[CacheKindDocument] = []
    for kind, group in groupby(entries, key=lambda entry: entry.kind):
        each = list(group)
        kinds.append(
            {
                "kind": kind,
                "entries": len(each),
                "size_bytes": sum(entry.size_bytes for entry in each),
                "used": max(entry.used for entry in each).isoformat(timespec="seconds"),
            }
        )
    return kinds


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
