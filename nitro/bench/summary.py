"""A verdict for CI: JUnit XML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from nitro.bench.verdict import Step, Verdict
from nitro.printable import printable
from nitro.probe import Metric


def junit(verdicts: Sequence[Verdict]) -> str:
    """One test case for each series; a regression is a failure, a failed cell an error.

    An improvement and what an allowance limited are no failures.
    """
    root = Element("testsuites", name="nitro bench")
    for verdict in verdicts:
        slower = {f"{step.cell} {step.metric}": step for step in verdict.regressions}
        names = sorted({*verdict.series, *slower})
        suite = SubElement(
            root,
            "testsuite",
            name=verdict.plan,
            timestamp=f"{verdict.night.isoformat()}T00:00:00",
            tests=str(len(names) + len(verdict.failed)),
            failures=str(len(slower)),
            errors=str(len(verdict.failed)),
            skipped="0",
        )
        for name in names:
            cell, _, metric = name.rpartition(" ")
            case = SubElement(suite, "testcase", classname=f"{verdict.plan}.{cell}", name=metric)
            if name in slower:
                step = slower[name]
                failure = SubElement(case, "failure", message=str(step), type="regression")
                failure.text = "\n".join(_lines(step))
        for failed in verdict.failed:
            case = SubElement(
                suite, "testcase", classname=f"{verdict.plan}.{failed.cell}", name="runs"
            )
            SubElement(case, "error", message=printable(str(failed), keep=""), type="failed")
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(verdicts: Sequence[Verdict]) -> str:
    """A page for a job's summary, the worst first."""
    parts: list[str] = []
    for verdict in verdicts:
        parts += [f"## {verdict.plan}, night of {verdict.night}", "", headline(verdict), ""]
        if verdict.new:
            parts += ["| Cell | Metric | Before | After | Change | 95 % interval | Since |"]
            parts += ["|---|---|---:|---:|---:|---:|---|"]
            parts += [_row(step) for step in sorted(verdict.new, key=lambda s: not s.worse)]
            parts.append("")
        for step in verdict.new:
            changed = "; ".join(map(str, step.differences)) or "nothing that is recorded"
            parts.append(f"- {_cell(step.cell)} {step.metric}: changed with it: {_cell(changed)}")
        parts += [f"- failed: {_cell(str(failed))}" for failed in verdict.failed]
        parts += [f"- limited by its allowance: {_cell(str(one))}" for one in verdict.limited]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def headline(verdict: Verdict) -> str:
    """The verdict in one line."""
    worse, better = len(verdict.regressions), len(verdict.new) - len(verdict.regressions)
    parts = [
        f"{count} {word}"
        for count, word in (
            (worse, "slower"),
            (better, "faster"),
            (len(verdict.failed), "failed"),
            (len(verdict.limited), "limited by an allowance"),
        )
        if count
    ]
    return f"{', '.join(parts) or 'no change'} in {len(verdict.series)} series"


def level(value: float, unit: str) -> str:
    """A level for people: `2.31 Gbit/s`."""
    return str(Metric(value, unit, None))


def _row(step: Step) -> str:
    change, low, high = (100 * (ratio - 1) for ratio in (step.ratio, step.low, step.high))
    cells = [
        _cell(step.cell),
        step.metric,
        level(step.before, step.unit),
        level(step.after, step.unit),
        f"**{change:+.1f} %**" if step.worse else f"{change:+.1f} %",
        f"{low:+.1f} to {high:+.1f} %",
        str(step.night),
    ]
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return printable(text, keep="").replace("|", "\\|").replace("<", "&lt;")


def _lines(step: Step) -> list[str]:
    return [
        f"{level(step.before, step.unit)} → {level(step.after, step.unit)}",
        *map(str, step.differences),
    ]
