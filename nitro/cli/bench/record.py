"""`nitro bench history`, `query`, `export`, `schema` and `compare`: what the record says."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from nitro.cli import options
from nitro.cli.bench.place import Location, PlanName, opened, require_extra
from nitro.cli.output import print_json, print_table, print_text, reporter, say
from nitro.errors import InputError
from nitro.replacing import replacing

Cell = Annotated[
    str, typer.Option("--cell", metavar="PATTERN", help="Cells of that name; * and ? stand in.")
]
Metric = Annotated[
    str, typer.Option("--metric", metavar="PATTERN", help="Metrics of that name: tcp_*.")
]


def register(app: typer.Typer) -> None:
    for command in (history, compare, query, export, schema):
        app.command()(command)


def history(
    plan: PlanName = None,
    cell: Cell = "*",
    metric: Metric = "*",
    nights: Annotated[
        int, typer.Option("--nights", min=1, help="How many of the last nights to print.")
    ] = 14,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Print each cell's value night by night: the median of its repetitions."""
    with opened(reporter(), record, cloud, region, profile) as (found, _):
        from nitro.bench import history as histories
        from nitro.bench.summary import level

        all_series = histories.load(found, plan=plan, cell=cell, metric=metric)
    if json:
        print_json([series.to_json() for series in all_series])
        return
    if not all_series:
        asked = "" if cell == metric == "*" else f" of --cell {cell!r} --metric {metric!r}"
        raise InputError(
            f"the record has no history{asked}",
            hint="runs that failed, warm up or were limited have none; `nitro bench query` has all",
        )
    rows = [
        [series.cell, series.metric, night, level(value, series.unit), count]
        for series in all_series
        for night, value, count in list(
            zip(series.nights, series.values.tolist(), series.counts.tolist(), strict=True)
        )[-nights:]
    ]
    print_table(["CELL", "METRIC", "NIGHT", "MEDIAN", "RUNS"], rows)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="COLUMN=VALUE[,…]: driver=kernel")],
    b: Annotated[str, typer.Argument(metavar="B", help="The same for the other side.")],
    metric: Metric = "*",
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare B with A: how much more or less it has, and how sure that is."""
    with opened(reporter(), record, cloud, region, profile) as (found, _):
        from nitro.bench import compare as comparing
        from nitro.bench.summary import level

        sides = comparing.parse_side(a), comparing.parse_side(b)
        results = comparing.compare(found, *sides, metric=metric)
    if json:
        print_json([one.to_json() for one in results])
        return
    rows = []
    for one in results:
        interval = "-"
        if one.tells:
            interval = f"{100 * (one.low - 1):+.1f} to {100 * (one.high - 1):+.1f} %"
        medians = [level(value, one.unit) for value in (one.median_a, one.median_b)]
        runs = f"{one.count_a}, {one.count_b}{' paired' if one.paired else ''}"
        change = f"{100 * (one.ratio - 1):+.1f} %"
        rows.append([one.what, one.metric, *medians, change, interval, runs, one.verdict])
    print_table(["WHAT", "METRIC", "A", "B", "CHANGE", "95 %", "RUNS", "B IS"], rows)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="SELECT … FROM samples or metrics.")],
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Query the record by SQL, in DuckDB's dialect."""
    with opened(reporter(), record, cloud, region, profile) as (found, _):
        from nitro.bench.export import plain, rows_of

        answer = found.query(sql)
        rows = rows_of(answer)
    if json:
        print_json([plain(row) for row in rows])
        return
    values = [[("" if v is None else v) for v in row.values()] for row in rows]
    print_table(answer.column_names, values)


def export(
    kind: Annotated[
        str, typer.Option("--format", metavar="csv|json|openmetrics", help="What to write.")
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: stdout.")
    ] = None,
    plan: PlanName = None,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    verbose: options.Verbose = False,
) -> None:
    """Write the record for another program."""
    if kind not in ("csv", "json", "openmetrics"):
        raise InputError(f"--format {kind}: there is csv, json and openmetrics")
    options.output_file(output, "--output")
    with opened(reporter(), record, cloud, region, profile) as (found, _):
        from nitro.bench import export as exports
        from nitro.bench import history as histories

        parts: Iterable[str]
        if kind == "csv":
            parts = exports.as_csv(found, plan)
        elif kind == "json":
            parts = exports.as_json(found, plan)
        else:
            parts = [exports.as_openmetrics(histories.load(found, plan=plan))]
        if output is None:
            sys.stdout.writelines(parts)
            return
        _write(output, parts)
    say(f"wrote {output}")


def _write(output: Path, parts: Iterable[str]) -> None:
    """Write a file, which appears whole or stays as it was; a pipe or a terminal as it comes."""
    with replacing(output) as draft, draft.open("w") as file:
        file.writelines(parts)


def schema(
    athena: Annotated[
        bool, typer.Option("--athena", help="Print the table's definition for Athena and Glue.")
    ] = False,
    record: Location = None,
    verbose: options.Verbose = False,
) -> None:
    """Print the columns of the record."""
    require_extra()
    from nitro import config
    from nitro.bench import columns

    if not athena:
        rows = [[c.name, c.type, c.meaning] for c in (*columns.PARTITIONS, *columns.COLUMNS)]
        print_table(["COLUMN", "TYPE", "MEANING"], rows)
        return
    location = record or config.load(None).record or ""
    if not location.startswith("s3://"):
        raise InputError("Athena reads records in S3", hint="--record s3://BUCKET/PREFIX")
    print_text(columns.athena(location))
