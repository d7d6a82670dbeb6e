"""What a probe found, in one line of people's words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nitro.printable import printable

if TYPE_CHECKING:
    from nitro.probe.result import Metric, Result

WIDTH = 80  # columns
_LABEL = 21

# By the name of a result's main metric, which begins the names of its others.
_LABELS = {
    "tcp_in": "TCP to the instance",
    "tcp_out": "TCP from the instance",
    "udp_in": "UDP to the instance",
    "udp_out": "UDP from the instance",
    "tcp_stream_in": "TCP in, by netperf",
    "tcp_stream_out": "TCP out, by netperf",
    "tcp_rr": "TCP round trips",
    "tcp_crr": "TCP connections",
    "udp_rr": "UDP round trips",
    "http": "HTTP requests",
}
_PERCENTILES = ("p50", "p90", "p99")
_BOOT = "boot_"


def lines(results: Sequence[Result]) -> Iterator[str]:
    """One line for each result; more only for what does not fit."""
    for result in results:
        if result.tool == "boot" and result.ok:
            yield from _boot(result.metrics)
            continue
        label, found = _found(result)
        yield from wrapped(label, found, separator="  ")


def wrapped(label: str, parts: Sequence[str], *, separator: str, width: int = _LABEL) -> list[str]:
    """A label and the parts of a text, in lines that are broken between parts where they can be."""
    rows: list[str] = []
    for part in map(printable, parts):
        joined = f"{rows[-1]}{separator}{part}" if rows else part
        if rows and 2 + width + 1 + len(joined) <= WIDTH:
            rows[-1] = joined
        else:
            rows += textwrap.wrap(
                part, WIDTH - 3 - width, break_long_words=False, break_on_hyphens=False
            )
    heads = [label, *[""] * len(rows)]
    return [f"  {head:{width}} {row}" for head, row in zip(heads, rows, strict=False)]


def _boot(metrics: Mapping[str, Metric]) -> Iterator[str]:
    """The milestones by the guest's clock, and the first connection by this machine's."""
    times = {name.removeprefix(_BOOT): f"{m.value:.1f}" for name, m in metrics.items()}
    connection = times.pop("first_connection", None)
    parts = [f"{name} {time}" for name, time in times.items()]
    if parts:
        parts[-1] += " s"
    if connection is not None:
        parts.append(f"first connection {connection} s after the launch")
    yield from wrapped("boot", parts, separator=" · ")


def _found(result: Result) -> tuple[str, list[str]]:
    """The label, and what was found: the main metric, then what is known beside it."""
    if not result.ok:
        return result.name, [f"failed: {result.error}"]
    if not result.metrics:
        return result.name, ["nothing was measured"]
    main, value = next(iter(result.metrics.items()))
    rest = {
        name.removeprefix(f"{main}_"): metric
        for name, metric in result.metrics.items()
        if name != main
    }
    parts = [_short(value)]
    for words in (_losses, _latencies, _processors):
        parts += words(rest)
    return _LABELS.get(main, result.name), parts


def _short(value: Metric) -> str:
    """`1,234 transactions/s` is `1,234/s`: the label says of what."""
    text = str(value)
    number, _, unit = text.rpartition(" ")
    counted = unit.endswith("/s") and not unit.endswith("bit/s")
    return f"{number}/s" if counted else text


def _losses(rest: dict[str, Metric]) -> list[str]:
    parts = []
    if found := rest.pop("retransmits", None):
        number = f"{found.value:,.0f}" if found.value else "no"
        parts.append(f"{number} retransmit{'' if found.value == 1 else 's'}")
    if found := rest.pop("lost", None):
        parts.append(f"{found.value:.2g} % lost" if found.value else "none lost")
    if found := rest.pop("jitter", None):
        parts.append(f"jitter {found}")
    return parts


def _latencies(rest: dict[str, Metric]) -> list[str]:
    return [f"{name} {rest.pop(name)}" for name in _PERCENTILES if name in rest]


def _processors(rest: dict[str, Metric]) -> list[str]:
    there, here = rest.pop("cpu_instance", None), rest.pop("cpu_client", None)
    if there is None or here is None:
        return []
    return [f"CPU {there.value:.0f} % there, {here.value:.0f} % here"]
