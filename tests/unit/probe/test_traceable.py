"""Every figure of a record can be traced to a field of the output that the record keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from nitro.errors import ProbeError
from nitro.probe.result import Measured
from nitro.probe.step import Step, StepOutput, evaluate
from nitro.probe.tools import http, iperf3, netperf
from tests.unit.probe.recorded import DATA, recorded

#: from what the tools print to bit/s and seconds
SCALES = (1.0, 1e6, 1e3, 1e-3, 1e-6)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def measured(name: str) -> Measured | None:
    """What a recording says; None where it is no measurement."""
    text = recorded(name)
    parsers: list[Callable[[str], Measured]]
    if name.startswith("iperf3"):
        parsers = [iperf3.parse]
    elif name.startswith("netperf"):
        parsers = [partial(netperf.parse, test) for test in netperf.TESTS.values()]
    else:
        parsers = [http.parse]
    for parse in parsers:
        try:
            return parse(text)
        except ProbeError:
            continue
    return None


GOOD = sorted(
    name
    for path in DATA.rglob("*.*")
    if path.suffix in (".json", ".txt")
    and measured(name := str(path.relative_to(DATA))) is not None
)


def leaves(document: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a JSON document by where they are."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from leaves(value, f"{path}.{number}")
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path, float(document)


def fields(name: str) -> dict[str, float]:
    """The numbers of a recording by their fields."""
    text = recorded(name)
    if name.startswith("iperf3"):
        found = dict(leaves(json.loads(text)))
        # Packets a second are in no field: those that arrived, by the seconds that it took.
        for total in ("sum_received", "sum"):
            if f".end.{total}.packets" in found and f".end.{total}.lost_packets" in found:
                arrived = found[f".end.{total}.packets"] - found[f".end.{total}.lost_packets"]
                found[f"{total} packets a second"] = arrived / found[f".end.{total}.seconds"]
        return found
    if name.startswith("netperf"):
        lines = (line.partition("=") for line in text.splitlines() if "=" in line)
        return {key: float(value) for key, _, value in lines if _NUMBER.fullmatch(value)}
    return {
        f"{number} {line.strip()}": float(value)
        for number, line in enumerate(text.splitlines())
        for value in _NUMBER.findall(line)
    } | {f"{at}": float(value) for at, value in enumerate(_NUMBER.findall(text))}


def test_there_are_recordings_of_every_version():
    folders = {name.partition("/")[0] for name in GOOD}
    wanted = {"iperf3-3.9", "iperf3-3.12", "iperf3-3.18", "netperf-2.7.1", "wrk-4.1.0"}
    assert wanted <= folders
    assert len(GOOD) >= 25


@pytest.mark.parametrize("name", GOOD)
def test_every_figure_is_a_field_of_the_output(name):
    found = measured(name)
    assert found
    assert found.metrics
    known = fields(name)
    for metric, value in found.metrics.items():
        from_fields = [
            field
            for field, number in known.items()
            if any(value.value == pytest.approx(number * scale, rel=1e-12) for scale in SCALES)
        ]
        assert from_fields, f"{metric} = {value.value} is in no field"


@pytest.mark.parametrize("name", GOOD)
def test_the_record_keeps_the_output_whole(name):
    step = Step("step", "tool", 80, ("tool",), 1.0, lambda out, err: Measured({}))
    kept = evaluate(step, StepOutput(recorded(name), "", 0.0, 1.0)).raw
    assert kept == recorded(name).rstrip()
