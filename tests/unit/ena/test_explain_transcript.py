"""Traces in words, and what writes them, as transcripts."""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from nitro.ena import payloads, trace
from nitro.ena.constants import Capability, Event, Feature, Opcode, Reg, StatsType, Status
from nitro.ena.explain import explain
from nitro.ena.layout import Field, Layout, flags, numbered, padding, tidy
from nitro.ena.memory import DmaError, Memory
from nitro.ena.reporter import Reporter
from nitro.ena.rules import RULES, Rules
from nitro.ena.stats import Counters
from nitro.errors import InputError
from tests.transcripts import compare

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
ONES = b"\xff" * 64
STEPS = bytes(range(1, 65))


@pytest.fixture(autouse=True)
def loop() -> None:
    """The C loop has no part in this."""


def command(opcode: int, body: bytes = b"", ident: int = 5) -> dict[str, Any]:
    entry = (struct.pack("<HBB", ident, opcode, 1) + body).ljust(64, b"\0")
    return {"event": "command", "id": ident, "opcode": opcode, "entry": entry.hex()}


def events() -> Iterator[dict[str, Any]]:
    for register in (*Reg, 0x2, 0x48, 0xFFC):
        yield {"event": "read", "offset": int(register), "value": 0x12345678}
        yield {"event": "write", "offset": int(register), "value": 0x00400008}
    for value in (0, 1, 2, 0x10000001, 0xF0000001, 0x01000001, 0x41000001, 0x51000001, 0xFF000001):
        yield {"event": "write", "offset": int(Reg.DEV_CTL), "value": value}
    for value in (0, *Status, 9, 0x39):
        yield {"event": "read", "offset": int(Reg.DEV_STS), "value": int(value)}
    for value in (0, 0x540007, 0x48FFFF, 0xFFFF0000):
        yield {"event": "write", "offset": int(Reg.MMIO_REG_READ), "value": value}
    for offset in (0x1000, 0x1004, 0x13FC, 0x1400, 0x17FC, 0x1800, 0x1804, 0x3FFC, 0xFFF):
        yield {"event": "write", "offset": offset, "value": 7}
        yield {"event": "write", "offset": offset, "value": 8}
        yield {"event": "read", "offset": offset, "value": 8}
    for vector in (0, 1, 2, 1):
        yield {"event": "interrupt", "vector": vector}
    for feature in (*Feature, 0, 5, 255):
        head = struct.pack("<IQBBBx", 64, 0x1000, 0, int(feature), 0)
        for opcode in (Opcode.GET_FEATURE, Opcode.SET_FEATURE):
            for payload in (b"", STEPS[:44], ONES[:44]):
                yield command(opcode, head + payload)
                if opcode == Opcode.GET_FEATURE:
                    answer = {"event": "completion", "id": 5, "opcode": int(opcode)}
                    yield answer | {"payload": payload.hex()}
    for words, depth, vector in ((2, 16, 1), (4, 1024, 0xFFFFFFFF), (0x24, 2, 0), (63, 1, 1)):
        yield command(Opcode.CREATE_CQ, struct.pack("<BBHIQ", 32, words, depth, vector, 0x1000))
        yield {"event": "completion", "id": 5, "opcode": 3, "payload": "0700"}
    for direction in (0x20, 0x40, 0x00, 0xFF):
        for placement in (1, 3, 0x13, 0x33, 0):
            body = struct.pack("<BxBBHHQ", direction, placement, 1, 9, 512, 0)
            yield command(Opcode.CREATE_SQ, body)
    yield {"event": "completion", "id": 5, "opcode": 1, "payload": "0300"}
    for destroy in (2, 4):
        yield command(destroy, struct.pack("<HB", 258, 0x20))
        yield {"event": "completion", "id": 5, "opcode": destroy, "payload": ""}
        yield {"event": "completion", "id": 5, "opcode": destroy, "payload": "00ff"}
    for kind in (*StatsType, 9):
        yield command(Opcode.GET_STATS, struct.pack("<IQBBxx", 0, 0, int(kind), 0))
        for payload in (b"", STEPS[:56], ONES[:56]):
            answer = {"event": "completion", "id": 5, "opcode": int(Opcode.GET_STATS)}
            yield answer | {"payload": payload.hex()}
    for number in (0, 5, 10, 255):
        yield command(number)
    for more in ({"payload": None}, {"error": "ILLEGAL"}, {"payload": "", "error": "no"}):
        yield {"event": "completion", "id": 5, "opcode": 8} | more
    yield {"event": "completion", "id": 99, "opcode": 8, "payload": "01"}
    for group in (*Event, 9):
        for syndrome in (0, 2, 3):
            for data in (b"", b"\1", STEPS[:48], bytes(8) + b"\2"):
                fields = {"group": int(group), "syndrome": syndrome, "data": data.hex()}
                yield {"event": "event"} | fields
    yield {"event": "report", "line": "rule broken"}
    yield {"event": "other"}
    yield {"event": "write", "offset": 0x1000, "value": 1}


def test_traces_in_words(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    told = (json.dumps({"t": n / 8, **event}) + "\n" for n, event in enumerate(events()))
    path.write_text("".join(told))
    lines = list(explain(path))
    good = json.dumps({"t": 1, "event": "other"})
    for bad in (
        *("{", "[]", "7", '""', "null", "{}", '{"event": "other"}', '{"t": 1}'),
        *('{"t": "x", "event": "other"}', '{"t": 1, "event": "read"}', '{"t": 1, "event": []}'),
        '{"t": 1, "event": "command", "id": 1, "entry": "zz"}',
        '{"t": 1, "event": "command", "id": 1, "entry": "00"}',
        '{"t": 1, "event": "command", "id": [], "entry": ""}',
        '{"t": 1, "event": "event", "group": 0, "syndrome": 0, "data": 5}',
        '{"t": 1, "event": "event", "group": 4, "syndrome": 0, "data": 5}',
        '{"t": 1, "event": "interrupt"}',
    ):
        path.write_text(f"{good}\n{bad}\n{good}\n")
        found: list[str] = []
        try:
            found.extend(explain(path))
        except InputError as error:
            found.append(f"{error.what}; {error.hint}".replace(str(tmp_path), "FOLDER"))
        lines.append(f"{bad}: {found}")
    path.write_bytes(b"\xff\xfe\n")
    for odd in (path, tmp_path / "none", tmp_path):
        with pytest.raises(InputError) as raised:
            list(explain(odd))
        said = f"{raised.value.what}; {raised.value.hint}"
        lines.append(said.replace(str(tmp_path), "FOLDER"))
    compare(HERE / "explained.txt", "\n".join(lines) + "\n")


class Frames:
    def __init__(self) -> None:
        self.frames: list[tuple[str, list[bytes]]] = []

    def frame(self, direction: str, parts: Any) -> None:
        self.frames.append((direction, [bytes(part) for part in parts]))


def test_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([100.0, 100.0000004, 100.0000016, 101.5, 102.0, 103.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    flushed: list[int] = []

    class Out(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.tell())

    out, frames = Out(), Frames()
    made = trace.Trace(out, frames)
    made.event("a", data=b"\1\2", more=bytearray(b"\3"), view=memoryview(b"\4"), n=5)
    made.event("b", none=None)
    made.frame("in", [b"ab", bytearray(b"c")])
    with pytest.raises(TypeError) as raised:
        made.event("c", value=object())
    lines = [*out.getvalue().splitlines(), str(raised.value), str(flushed), str(frames.frames)]
    plain = trace.Trace(out)
    plain.frame("in", [b"a"])
    said: list[str] = []
    tracer = trace.Trace(Out())
    monkeypatch.setattr(tracer, "event", lambda kind, **given: lines.append(f"{kind} {given}"))
    for reporter in (Reporter(said.append, tracer), Reporter(said.append, None)):
        reporter.say("said")
        reporter.note("noted")
        for reason in (0, 1, 20, 21, 255):
            reporter.reset(reason)
        for _ in range(993):
            reporter.reset(13)
        said[8:-2] = ["…"]
        for _ in range(3):
            reporter.reset(12)
        lines += said
        said.clear()
    rules = Rules(said.append)
    for name in ("tx-phase", "rx-phase"):
        for number in range(302):
            rules.report_violation(name, f"{number}" if number % 2 == 0 else "")
    lines += [*said, str(rules.broken), *sorted(RULES)]
    counted = [f"{len(list(same))} × {line}" for line, same in groupby(lines)]
    compare(HERE / "traces.txt", "\n".join(counted) + "\n")


def test_layouts() -> None:
    lines = []
    for name, layout in sorted(vars(payloads).items()):
        if not isinstance(layout, Layout):
            continue
        lines.append(f"{name}: {layout.size} bytes, {[f.name for f in layout.fields]}")
        for data in (STEPS[: layout.size] * 4, ONES[: layout.size], b"", STEPS[:5]):
            short = data[: layout.size]
            values = layout.unpack(short)
            shown = {n: v.hex()[:20] if isinstance(v, bytes) else v for n, v in values.items()}
            lines.append(f"    {shown}")
            lines.append(f"    {layout.explain(short)}")
            if len(short) == layout.size:
                packed = layout.pack(**values)
                lines.append(f"    {packed.hex()[:200]}")
        lines.append(f"    {layout.unpack(STEPS, 3) == layout.unpack(STEPS[3:])}")
    odd = Layout(Field("a", "H", "A"), padding(3), Field("b", "A", "B", hex), Field("c", "4s"))
    for given in ({}, {"a": 1}, {"b": 1 << 47}, {"c": b"xy"}, {"c": 0}, {"a": 0, "b": 0, "c": b""}):
        lines.append(f"{given}: {odd.pack(**given).hex()}")
    for given in ({"d": 1}, {"a": 1, "d": 1}):
        with pytest.raises(KeyError) as raised:
            odd.pack(**given)
        lines.append(f"{given}: {raised.value}")
    for offset in (0, 1, 5, 14, 15, 16):
        lines.append(f"at {offset}: {odd.unpack(STEPS[:16], offset)}")
    for value in (0, 1, 3, 0x1F, 1 << 20):
        lines.append(f"{value}: {flags(Capability)(value)} | {numbered(Event)(value)}")
    lines.append(tidy("MAX_QUEUES_EXT"))
    for number in (1, 5, 14):
        lines.append(payloads.feature(number, STEPS[:8]))
    for kind in (0, 2, 3, 9):
        lines.append(f"statistics {kind}: {payloads.statistics(kind, STEPS[:56])}")
    counters = Counters()
    for number, one in enumerate(fields(counters), 1):
        setattr(counters, one.name, (number << 64) + number)
    for layout in (payloads.BASIC_STATS, payloads.ENI_STATS, payloads.KEEP_ALIVE):
        lines.append(counters.pack(layout).hex())
    lines.append(str(counters.customer_metrics()))
    counters.clear()
    lines.append(str(counters))
    compare(HERE / "layouts.txt", "\n".join(lines) + "\n")


def test_memory() -> None:
    lines = []
    memory = Memory()
    backing = bytearray(range(256)) * 4

    def note(what: str) -> None:
        regions = [(hex(r.base), r.size, r.writable, bytes(r.data[:1])) for r in memory._regions]
        state = memory.state
        table = [(hex(r.base), r.size) for r in state.region[: state.count]]
        lines.append(f"{what}: {regions} {table} {memory.generation}")

    def view(address: int, length: int) -> None:
        try:
            found = memory.view(address, length)
            said = f"{len(found)} {found[:1].hex()} {found[-1:].hex()}"
        except DmaError as error:
            said = f"{error} {error.address} {error.length}"
        lines.append(f"    view {address:#x}+{length}: {said}")

    view(0, 0)
    view(0, 1)
    memory.map(0x1000, memoryview(backing)[:0x100])
    memory.map(0x1100, memoryview(backing)[0x100:0x180], writable=False)
    memory.map(0x2000, memoryview(bytes(16)))
    memory.map(0x3000, memoryview(bytearray(0)))
    note("four regions")
    for address in (0xFFF, 0x1000, 0x1001, 0x10FF, 0x1100, 0x117F, 0x2000, 0x3000):
        for length in (0, 1, 2, 0xFF, 0x100, 0x101):
            view(address, length)
    for base, size in ((0xFFF, 1), (0xFFF, 2), (0x10FF, 1), (0x1180, 1), (0x117F, 2), (0, 0x9000)):
        try:
            memory.map(base, memoryview(bytearray(b"\7" * size)))
            note(f"map {base:#x}+{size}")
            memory.unmap(base, size)
            note("unmapped")
        except ValueError as error:
            lines.append(f"map {base:#x}+{size}: {error}")
    for base, size in (
        *((0x0, 0x1000), (0x1180, 16), (0x1010, 0), (0x1010, 0x10), (0x1000, 1), (0x10FF, 2)),
        *((0x1001, 0xF), (0x1020, 0xDF), (0x0, 0x5000)),
    ):
        memory.unmap(base, size)
        note(f"unmap {base:#x}+{size}")
        for address in (0x1000, 0x100F, 0x1020, 0x1101):
            view(address, 1)
    memory.map(0x1000, memoryview(backing))
    view(0x1000, 1)
    memory.clear()
    note("clear")
    view(0x1000, 1)
    for number in range(258):
        memory.map(number * 0x1000, memoryview(backing)[:16], writable=number != 3)
    state = memory.state
    lines.append(f"{state.count} {state.region[3].base:#x} {state.region[255].base:#x}")
    compare(HERE / "memory.txt", "\n".join(lines) + "\n")
