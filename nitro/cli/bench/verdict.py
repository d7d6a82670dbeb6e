"""`nitro bench check` and `triage`: what became slower, since when, and what changed with it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options
from nitro.cli.bench.place import Location, PlanName, opened, require_extra
from nitro.cli.output import print_json, print_text, reporter
from nitro.errors import InputError, ProbeError, Regression
from nitro.printable import printable

if TYPE_CHECKING:
    from nitro.bench.record import Record
    from nitro.bench.verdict import Verdict
    from nitro.cloud.session import Cloud

Night = Annotated[
    str | None,
    typer.Option("--night", metavar="YYYY-MM-DD", help="UTC date of the night; default: the last."),
]

Webhook = Annotated[
    str | None, typer.Option("--webhook", metavar="URL", help="POST news there as JSON.")
]
Topic = Annotated[
    str | None, typer.Option("--sns", metavar="ARN", help="Publish news to this SNS topic.")
]


def register(app: typer.Typer) -> None:
    for command in (check, triage):
        app.command()(command)


def check(
    plan: PlanName = None,
    night: Night = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write Markdown.")
    ] = None,
    webhook: Webhook = None,
    sns: Topic = None,
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Judge the last night: exit code 5 when something became slower, 4 when something failed."""
    wanted = night_of(night)
    options.output_file(junit, "--junit")
    options.output_file(markdown, "--markdown")
    require_extra()
    from nitro.bench import notify

    notify.check_addresses(webhook, sns)
    with opened(reporter(), record, cloud, region, profile, connect=sns is not None) as (
        found,
        connection,
    ):
        names = [plan] if plan else found.plans()
        if not names:
            raise InputError("the record has no samples", hint="`nitro bench run` adds some")
        judge(found, names, wanted, webhook, sns, connection, junit, markdown, json=json)


def judge(
    record: Record,
    plans: list[str],
    night: date | None,
    webhook: str | None,
    sns: str | None,
    cloud: Cloud | None,
    junit: Path | None = None,
    markdown: Path | None = None,
    *,
    json: bool = False,
) -> None:
    """Judge the night of each plan, print, write and send what there is to say of it.

    Raises Regression or ProbeError where there is something to fail for.
    """
    from nitro.bench import notify, summary
    from nitro.bench import verdict as verdicts

    judged = [verdicts.check(record, name, night) for name in plans]
    if junit:
        junit.write_text(summary.junit(judged))
    if markdown:
        markdown.write_text(summary.markdown(judged))
    if json:
        print_json([one.to_json() for one in judged])
    else:
        for one in judged:
            _print(one)
    to = notify.channels(webhook, sns, cloud)
    notify.send(record.store, judged, to)
    for one in judged:
        verdicts.tell(record, one)
    notify.forget(record.store, judged, to)
    _exit(judged)


def triage(
    cell: Annotated[str, typer.Argument(metavar="CELL", help="The cell, as `check` prints it.")],
    since: Annotated[
        str, typer.Argument(metavar="YYYY-MM-DD", help="The first night of the new level.")
    ],
    plan: Annotated[str, typer.Option("--plan", metavar="NAME", help="The plan.")],
    record: Location = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Name what changed between the two sides of a step."""
    night = night_of(since)
    if night is None:
        raise InputError("no night is given")
    with opened(reporter(), record, cloud, region, profile) as (found, _):
        from nitro.bench.triage import Sides, differences

        changed = differences(found, Sides(plan, cell, night, date.max))
    if json:
        print_json([one.to_json() for one in changed])
        return
    for one in changed:
        print_text(str(one))
    if not changed:
        print_text("nothing that is recorded changed")


def _print(verdict: Verdict) -> None:
    from nitro.bench.summary import headline

    lines = [f"{verdict.plan}, night of {verdict.night}: {headline(verdict)}"]
    for step in sorted(verdict.new, key=lambda s: not s.worse):
        lines.append(f"  {'slower' if step.worse else 'faster'}: {step}")
        lines += [f"    changed with it: {one}" for one in step.differences]
    lines += [f"  failed: {failed}" for failed in verdict.failed]
    lines += [f"  limited by its allowance: {limited}" for limited in verdict.limited]
    lines += [f"  told on {step.told}: {step}" for step in verdict.known]
    for line in lines:  # of each one, whatever a tool or a name has in it
        print_text(printable(line, keep=""))


def _exit(verdicts: list[Verdict]) -> None:
    """Raises Regression or ProbeError where there is something to fail for."""
    slower = [step for one in verdicts for step in one.regressions]
    failed = [cell for one in verdicts for cell in one.failed]
    if slower:
        more = f", and {len(slower) - 1} more" if len(slower) > 1 else ""
        raise Regression(printable(f"slower: {slower[0]}{more}", keep=""))
    if failed:
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise ProbeError(printable(f"failed: {failed[0]}{more}", keep=""))


def night_of(text: str | None) -> date | None:
    """A date on the command line. Raises InputError."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text} is no date", hint="write it as 2026-11-26") from None
