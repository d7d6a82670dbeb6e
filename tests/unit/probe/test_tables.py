"""What the parts of a probe answer at and beside each of their bounds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import itertools
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nitro.probe import allowances, archive, console_result, invariants, reading
from nitro.probe.result import Metric
from tests.said import told
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_invariants() -> None:
    text = ""
    for asked in (None, 1, 10):
        for seconds in (-1, 0, 1e-9, 0.89, 0.9, 3.4, 3.5, 3.51, 8.99, 9, 17, 17.01):
            text += f"{seconds} of {asked}: "
            text += told(invariants.duration, "x", seconds, asked) + "\n"
    for figure, amount, seconds in (
        *((0, 0, 1), (-1, -1, 1), (1, 1, 1), (1.02, 1, 1), (1.021, 1, 1), (0.98, 1, 1)),
        *((0.979, 1, 1), (50, 100, 2), (1e-9, 0, 1)),
    ):
        for more in ((), (0.5,)):
            text += f"{figure}/s, {amount} in {seconds} s {more}: "
            text += told(invariants.rate, "x", *(figure, amount, seconds, *more)) + "\n"
    for value, limit in ((-1, 5), (0, 5), (5, 5), (5.1, 5), (0, 0)):
        text += f"{value} of {limit}: "
        text += told(invariants.at_most, "x", "y", value, limit) + "\n"
    for value in (-1, -0.5, 0, 0.5, 1, 1e20):
        text += f"{value} things: {told(invariants.count, 'x', 'things', value)}\n"
    for got, sent, tolerance in ((1, 1, 1), (2, 1, 1), (1.05, 1, 1.05), (1.06, 1, 1.05), (0, 0, 1)):
        text += f"{got} of {sent}: "
        text += told(invariants.received, "x", "y", *(got, sent, tolerance)) + "\n"
    text += f"by default: {told(invariants.received, 'x', 'y', 1.001, 1)}\n"
    times: tuple[dict[str, float], ...] = (
        {"p50": 1, "p90": 2, "mean": 1, "max": 3},
        {"p50": -1, "p90": 2, "mean": 1, "max": 3},
        {"p50": 0, "p90": 0, "mean": 1, "max": 3},
        {"p50": 2, "p90": 2, "mean": 3, "max": 3},
        {"p50": 3, "p90": 2, "mean": 1, "max": 3},
        {"p50": 1, "p90": 4, "mean": 1, "max": 3},
        {"p50": 1, "p90": 2, "mean": 0, "max": 3},
        {"p50": 1, "p90": 2, "mean": 3.1, "max": 3},
        {"p50": 0, "p90": 0, "mean": 0, "max": 0},
    )
    for each in times:
        text += f"{each}: {told(invariants.latencies, 'x', each)}\n"
    compare(HERE / "table-invariants.txt", text)


def test_reading() -> None:
    text = ""
    for said in ("", "a", "a\n b\t\x1b[1m", "x" * 200, "x" * 201, " x" * 800, "ü" * 900):
        text += f"quote {said[:9]!r} * {len(said)}: {reading.quote(said)}\n"
    for said in (
        *("", "1", "-1", "1.5", "1.", ".5", "--1", "1e5", " 1", "nan", "0" * 30, "0" * 31, "٣"),
        *("1." + "0" * 30, "1." + "0" * 31, "+1", "1\n"),
    ):
        text += f"number {said!r}: {told(reading.number, said, 'it')}\n"
    values: list[object] = [
        True,
        None,
        "1",
        1,
        -1,
        1.5,
        10**300,
        10**301,
        -(10**301),
        1e300,
        1.1e300,
    ]
    for value in (*values, math.inf, -math.inf, math.nan, [], 10**400):
        shown = repr(value)[:30]
        text += f"finite {shown}: {told(reading.finite, value, 'it')[:90]}\n"
    for said in (
        *("", "x", "{", '{"a": 1}', ' {"a": 1}\n', 'x{"a": 1}', '{"a": 1}x', '{"a": 1} {"b": 2}'),
        *('x{"a": 1}y', '{"a": 1}x{', "[1]", "1", '{"a":' * 100_000, '{"a": 1, "a": 2}', "}{"),
    ):
        for pairs in (dict, list):
            text += f"{said[:20]!r} {pairs.__name__}: "
            text += told(reading.json_document, "x", said, pairs) + "\n"
        text += f"{said[:20]!r}: {told(reading.json_document, 'x', said)}\n"
    compare(HERE / "table-reading.txt", text)


def test_metrics() -> None:
    text = ""
    factors: tuple[float, ...] = (
        0,
        1e-7,
        9.994e-7,
        9.995e-7,
        1e-6,
        9.994e-4,
        9.9951e-4,
        1e-3,
        9.9949e-3,
        9.9951e-3,
    )
    factors += (0.0999, 0.09995, 0.1, 0.99949, 0.9996, 1, 1.5, 9.99, 9.995, 9.996, 10, 99.94, 99.96)
    factors += (100, 123.4, 999.4, 999.6, 1e3, 1234.5, 9.9949e5, 9.9951e5, 1e6, 2.31e9, 1e12)
    for unit in ("s", "bit/s", "requests/s", "%"):
        for sign in (1, -1):
            shown = (str(Metric(sign * value, unit, None)) for value in factors)
            text += f"{unit}: {'; '.join(shown)}\n"
    compare(HERE / "table-metrics.txt", text)


def test_allowances() -> None:
    name = "_allowance_exceeded"
    text = ""
    for said in (
        f"server bw{name}: 5",
        f"  client a0_b{name}: 0  \nnoise\nserver bw{name}: 9223372036854775807",
        f"server bw{name}: 9223372036854775807\nserver bw{name}: 1\nserver bw{name}: 9",
        f"server bw{name}: 9223372036854775808",
        f"server bw{name}: {'9' * 19}\nserver x{name}: {'9' * 20}",
        f"other bw{name}: 5\nserver 0w{name}: 5\nserver {'a' * 48}{name}: 5",
        f"server {'a' * 49}{name}: 5\nserver bw{name}: -5\nserver bw{name}:5\nserver bw{name}: ",
        "",
    ):
        text += f"{said!r}:\n  {allowances.read(said)}\n"
    for before, after in itertools.product(({}, {"a": 5}, {"a": 0, "b": 7}), repeat=2):
        sides = ({("server", key): value for key, value in one.items()} for one in (before, after))
        text += f"{before} to {after}: {allowances.growth(*sides)}\n"
    both = {("server", "b"): 1, ("client", "b"): 2, ("client", "a"): 3}
    text += f"{allowances.growth(both, dict.fromkeys(both, 4))}\n"
    text += f"{allowances.growth({('client', 'a'): 3}, {('client', 'a'): 2})}\n"
    compare(HERE / "table-allowances.txt", text)


def packed(*members: tuple[str, bytes | None], **more: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", **more) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    times = b"1000 1.5 3.25\n"
    cases = {
        "nothing": packed(),
        "a step": packed(("a.out", b"o"), ("a.err", b"e\xff"), ("a.times", times)),
        "only times": packed(("a.times", times)),
        "no times": packed(("a.out", b"o"), ("a.rc", b"0")),
        "too many": packed(*((f"{n}.out", b"") for n in range(4))),
        "twice": packed(("a.out", b"o"), ("a.out", b"o")),
        "a folder": packed(("a.out", None)),
        "a long name": packed((f"{'a' * 64}.times", times)),
        "too long a name": packed((f"{'a' * 65}.times", times)),
        **{
            f"name {name}": packed((name, b""))
            for name in ("A.out", "-a.out", "a", "a.log", "a/b.out", "a.out.out", "../a.out")
        },
        **{
            f"times {said!r}": packed(("a.times", said.encode()))
            for said in (
                *("", "1 2", "1 2 3 4", "0 0 0", "1 2 2", "1 3 2", "1 2 x", "-1 2 3", "1 -1 3"),
                *("99999999999 0 999999999", "100000000000 0 1", "1 0 1000000000", "1 0 0.12345"),
            )
        },
        "no gzip": b"x",
        "empty": b"",
        "cut off": packed(("a.out", b"o"))[:-9],
        "more after it": packed(("a.out", b"o")) + b"x",
        "no tar": gzip.compress(b"x" * 600),
        "cut off inside": gzip.compress(gzip.decompress(packed(("a.out", b"o" * 600)))[:600]),
    }
    text = "".join(f"{name}: {told(archive.read, data)}\n" for name, data in cases.items())
    monkeypatch.setattr(archive, "LARGEST", 10240)
    for count in (0, 1):
        data = gzip.compress(gzip.decompress(packed(("a.times", times))) + bytes(count))
        text += f"{10240 + count} bytes: {told(archive.read, data)}\n"
    compare(HERE / "table-archives.txt", text)


def test_consoles_with_results() -> None:
    def lines(kind: str, data: bytes, size: int = 6) -> list[str]:
        whole = hashlib.sha256(data).hexdigest()
        encoded = base64.b64encode(data).decode()
        parts = [encoded[at : at + size] for at in range(0, len(encoded), size)]
        said = []
        for number, part in enumerate(parts, 1):
            line = f"{whole} {number} {len(parts)} {part}\n"
            check = hashlib.sha256(line.encode()).hexdigest()
            document = {"nitro": kind, "sha256": whole, "line": number, "of": len(parts)}
            said.append(
                json.dumps({**document, "check": check, "data": part}, separators=(",", ":"))
            )
        return said

    first, second = lines("result", b"first archive"), lines("result", b"second")
    step, other = lines("step", b"of a step"), lines("step", b"other")
    cases = {
        "nothing": [],
        "whole": first,
        "in another order": first[::-1],
        "twice, damaged once": [first[0][:-9], *first[1:], *first],
        "one missing": first[:-1],
        "the last of two": [*first, *second],
        "the last is not whole": [*first, *second[:-1]],
        "mixed": [each for pair in zip(first, step, strict=False) for each in pair] + first[3:],
        "steps": [*step, *other[:-1], *lines("step", b"third")],
        "a bad checksum": [first[0].replace('"line":1', '"line":2'), *first[1:]],
        "no base64": lines("result", b"first archive", 5),
        "behind much": [*first, "x" * console_result.LARGEST],
        "before much": ["x" * console_result.LARGEST, *first],
        "an error": ['{"nitro":"result","error":"no network"}', '{"nitro":"result"}'],
        "errors": ['{"nitro":"result","error":1}', '{"nitro":"result","error":"later"}'],
        "another's error": ['{"nitro":"other","error":"no network"}'],
    }
    text = ""
    for name, said in cases.items():
        console = "\r\n".join(["boot", *said, ""])
        found = console_result.read(console), console_result.steps(console)
        text += f"{name}: {found} {console_result.error(console)}\n"
    compare(HERE / "table-console-results.txt", text)
