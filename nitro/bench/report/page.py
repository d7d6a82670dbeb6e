"""The page: tonight against the history, drivers side by side, each series, and single runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from nitro.bench import history
from nitro.bench.compare import Comparison, compare
from nitro.bench.history import Series
from nitro.bench.record import Record
from nitro.bench.report import charts
from nitro.bench.summary import headline, level
from nitro.bench.verdict import Step, Verdict, check
from nitro.errors import InputError
from nitro.printable import printable

_RAW_BYTES = 1_500_000  # of the tools' own output in a page
_RUNS = 12  # of a series' last night in its table
_BASELINE = 30  # nights

_LAST_NIGHT = """
SELECT cell, metric, unit, value, id, started, server, zone, phase, limited, peak_bits
FROM metrics WHERE night = ? AND better IS NOT NULL ORDER BY cell, metric, position
"""
_RAW = """
SELECT id, raw FROM samples WHERE night = ? ORDER BY repetition DESC, cell
LIMIT 2000
"""

Runs = dict[tuple[str, str, str], list[dict[str, Any]]]  # by cell, metric and unit


def write(record: Record, folder: Path, plan: str | None = None) -> Path:
    """Write `index.html` into `folder`; returns its path.

    Raises InputError when the record has no samples, and where the page cannot be written.
    """
    plans = [plan] if plan else record.plans()
    if not plans:
        raise InputError("the record has no samples", hint="`nitro bench run` adds some")
    text = "".join(_page(record, plans))
    target = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from None
    return target


def _page(record: Record, plans: Sequence[str]) -> Iterator[str]:
    here = Path(__file__).parent
    yield (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        '<link rel="icon" href="data:,"><title>Nightly benchmarks</title>'
        f"<style>{(here / 'page.css').read_text()}</style></head><body><main>"
        "<h1>Nightly benchmarks</h1>"
        '<form hidden onsubmit="return false"><label for="filter">Cells whose names have '
        '<input id="filter" type="search" autocomplete="off" placeholder="c5.large tcp_in"></label>'
        '<p id="shown" role="status"></p></form>'
    )
    for plan in plans:
        yield from _plan(record, plan)
    yield f"</main><script>{(here / 'page.js').read_text()}</script></body></html>\n"


def _plan(record: Record, plan: str) -> Iterator[str]:
    all_series = history.load(record, plan=plan)
    verdict = check(record, plan, histories=all_series)
    runs: Runs = {}
    for row in record.query(_LAST_NIGHT, (verdict.night,), plan=plan).to_pylist():
        runs.setdefault((row["cell"], row["metric"], row["unit"]), []).append(row)
    raw = _raw(record, plan, verdict.night)
    yield f"<h2>{_text(plan)}, night of {verdict.night}</h2><p>{headline(verdict)}.</p>"
    yield from _verdict(verdict)
    yield _tonight(all_series, verdict, runs)
    yield _drivers(record, plan, verdict.night)
    yield '<h2>Each series</h2><div class="cards">'
    for number, series in enumerate(all_series):
        steps = [
            step
            for step in (*verdict.new, *verdict.known)
            if (step.cell, step.metric, step.unit) == (series.cell, series.metric, series.unit)
        ]
        mine = runs.get(_key(series), [])
        yield _card(_anchor(plan, number), series, steps, mine, raw)
    yield "</div>"


def _verdict(verdict: Verdict) -> Iterator[str]:
    lines = [
        (("worse" if step.worse else "improved"), f"{step}; changed with it: {_changed(step)}")
        for step in sorted(verdict.new, key=lambda s: not s.worse)
    ]
    lines += [("worse", f"failed: {failed}") for failed in verdict.failed]
    lines += [("", f"limited by its allowance: {one}") for one in verdict.limited]
    lines += [("", f"told on {step.told}: {step}") for step in verdict.known]
    if lines:
        items = "".join(f'<li class="{kind}">{_text(line)}</li>' for kind, line in lines)
        yield f"<ul>{items}</ul>"


def _changed(step: Step) -> str:
    return "; ".join(map(str, step.differences)) or "nothing that is recorded"


def _tonight(all_series: Sequence[Series], verdict: Verdict, runs: Runs) -> str:
    """The last night of each series against the nights before it."""
    rows = []
    for number, series in enumerate(all_series):
        if series.nights[-1] != verdict.night:
            continue
        past = np.log(series.values[:-1][-_BASELINE:])
        tonight = float(series.values[-1])
        change, interval, kind = "new", "", ""
        if len(past) >= 2:
            shift = math.log(tonight) - float(past.mean())
            spread = 1.96 * float(past.std(ddof=1)) * math.sqrt(1 + 1 / len(past))
            low, high = math.exp(shift - spread) - 1, math.exp(shift + spread) - 1
            change = f"{100 * (math.exp(shift) - 1):+.1f} %"
            interval = f"{100 * low:+.1f} to {100 * high:+.1f} %"
            if low > 0 or high < 0:
                kind = "improved" if (shift > 0) == (series.better == "more") else "worse"
        peak = _peak(series, runs)
        promised = f"{100 * tonight / peak:.0f} %" if peak else ""
        anchor = _anchor(series.plan, number)
        before = level(float(np.exp(past.mean())), series.unit) if len(past) else ""
        cells = [level(tonight, series.unit), before, change, interval, promised]
        numbers = "".join(f'<td class="number">{_text(cell)}</td>' for cell in cells[:2])
        numbers += f'<td class="number {kind}">{change}</td>'
        numbers += "".join(f'<td class="number">{_text(cell)}</td>' for cell in cells[3:])
        rows.append(
            f'<tr data-name="{_text(series.name)}"><th scope="row"><a href="#{anchor}">'
            f"{_text(series.cell)}</a></th><td>{_text(series.metric)}</td>{numbers}</tr>"
        )
    caption = (
        f"Last night against up to {_BASELINE} nights before it. The interval is of one night's "
        "noise; one night alone is no step."
    )
    heads = ("Cell", "Metric", "Last night", "Before", "Change", "95 %", "Of the type's peak")
    return _table("Last night", caption, heads, rows)


def _drivers(record: Record, plan: str, night: date) -> str:
    """The two drivers side by side, where the plan has both."""
    sides = [
        {"plan": plan, "night": night.isoformat(), "driver": name} for name in ("kernel", "nitro")
    ]
    try:
        found = compare(record, sides[0], sides[1])
    except InputError:
        return ""
    judged = [one for one in found if one.better and one.unit in ("bit/s", "transactions/s", "s")]
    heads = ("What", "Metric", "Kernel's driver", "nitro's driver", "Change", "95 %", "Runs")
    rows = [_side_by_side(one) for one in judged]
    return _table("Drivers side by side", "Runs of the last night.", heads, rows)


def _side_by_side(one: Comparison) -> str:
    interval = one.verdict  # why there is none
    if one.tells and not one.limited:
        interval = f"{100 * (one.low - 1):+.1f} to {100 * (one.high - 1):+.1f} %"
    kind = {"worse": "worse", "better": "improved"}.get(one.verdict, "")
    numbers = [level(one.median_a, one.unit), level(one.median_b, one.unit)]
    cells = "".join(f'<td class="number">{_text(cell)}</td>' for cell in numbers)
    return (
        f'<tr data-name="{_text(one.what)} {_text(one.metric)}"><th scope="row">{_text(one.what)}'
        f"</th><td>{_text(one.metric)}</td>{cells}"
        f'<td class="number {kind}">{100 * (one.ratio - 1):+.1f} %</td>'
        f'<td class="number">{interval}</td><td class="number">{one.count_a}, {one.count_b}</td>'
        "</tr>"
    )


def _card(
    anchor: str,
    series: Series,
    steps: Sequence[Step],
    runs: Sequence[dict[str, Any]],
    raw: dict[str, str],
) -> str:
    parts = [
        f'<article id="{anchor}" data-name="{_text(series.name)}">',
        f"<h3>{_text(series.cell)}: {_text(series.metric)}</h3>",
        charts.history(series, steps, runs[0]["peak_bits"] if runs else None),
    ]
    steady = [run["value"] for run in runs if run["phase"] == "steady"]
    if steady and len(series.values) > 1:
        past = series.values[:-1][-_BASELINE:].tolist()
        parts.append(charts.distribution(steady[:100], past, series.unit))
    shown = "".join(_run(run, series.unit, raw) for run in runs[:_RUNS])
    parts.append(f"<details><summary>{len(runs)} runs of the last night</summary>{shown}")
    if len(runs) > _RUNS:
        parts.append(f"<p>The first {_RUNS} are shown; <code>nitro bench query</code> has all.</p>")
    return "".join([*parts, "</details></article>"])


def _run(run: dict[str, Any], unit: str, raw: dict[str, str]) -> str:
    words = [level(run["value"], unit), f"{run['started']:%H:%M:%S} UTC", run["server"]]
    words += [run["zone"], "warm-up" if run["phase"] == "warm-up" else ""]
    words += ["limited by an allowance" if run["limited"] else ""]
    line = _text(", ".join(word for word in words if word))
    # Shown once for each run, with the first of its metrics.
    text = raw.pop(run["id"], None)
    if text is None:
        return f"<p>{line}<br><small>{run['id']}</small></p>"
    return (
        f"<details><summary>{line}</summary><small>{run['id']}</small>"
        f"<pre>{_text(text)}</pre></details>"
    )


def _raw(record: Record, plan: str, night: date) -> dict[str, str]:
    """What the tools printed in the last night, as far as the page has room for it."""
    room, found = _RAW_BYTES, {}
    for row in record.query(_RAW, (night,), plan=plan).to_pylist():
        room -= len(row["raw"].encode())
        if room < 0:
            break
        found[row["id"]] = row["raw"]
    return found


def _peak(series: Series, runs: Runs) -> float | None:
    found = runs.get(_key(series))
    peak: float | None = found[0]["peak_bits"] if found and series.unit == "bit/s" else None
    return peak


def _key(series: Series) -> tuple[str, str, str]:
    return series.cell, series.metric, series.unit


def _table(title: str, caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    return (
        f'<h2>{title}</h2><div class="wide" role="region" tabindex="0" aria-label="{title}"><table>'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _anchor(plan: str, number: int) -> str:
    return f"{plan}-{number}"


def _text(text: str) -> str:
    return escape(printable(text))
