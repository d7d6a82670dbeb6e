"""What the parts of `nitro bench` answer at and beside each of their bounds."""

from __future__ import annotations

import itertools
import math
import re
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import budget, campaign, notify, store
from nitro.bench import plan as plans
from nitro.bench.budget import Budget
from nitro.bench.images import CLIENT, Image
from nitro.bench.plan import Cell, Machine, Plan, Task, Test
from nitro.bench.record import Record
from nitro.bench.schedule import Part, clients, groups, lifetime, rounds
from nitro.bench.store import FolderStore
from nitro.bench.work import Work
from nitro.errors import NitroError
from nitro.probe import Result
from tests.said import told
from tests.transcripts import compare as held
from tests.unit.bench.samples import sample

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NIGHT = date(2026, 11, 26)


BARE: dict[str, Any] = {
    "name": "p",
    "matrix": {"types": ["c5.large"]},
    "test": [{"protocol": "iperf3-tcp"}],
}


def test_plans() -> None:
    text = ""

    def line(what: str, document: dict[str, Any]) -> str:
        try:
            made = Plan.model_validate(document)
        except ValueError as error:
            return f"{what}: {str(error).splitlines()[2].partition(' [type')[0].strip()}\n"
        return f"{what}: {made.digest[7:15]}, {len(made.cells('eu-west-1'))} cells\n"

    settings: dict[str, tuple[Any, ...]] = {
        "name": ("a", "a" * 40, "a" * 41, "-a", "A", "a-", "", "0"),
        "seed": (-1, 0, 1.0, True, "1"),
        "seconds": (0, 1, 3600, 3601, 2.0),
        "repetitions": (0, 1, 10_000, 10_001),
        "warm_up": (-1, 0, 1, 100, 101),
        "max_cost": (0, 1e-9, 5, math.inf, math.nan, "5", None),
        "max_hours": (0, 0.1, 168, 168.1, None),
        "pairs_at_once": (0, 1, 20, 10_000, 10_001),
        "clients_at_once": (0, 1, 2, 100, 101),
        "placement_group": ("", "a"),
        "placement": ("cluster", "x", None),
        "market": ("spot", "on-demand", "x"),
        "prices": ({}, {"c5.large": 1}, {"c5.large": 0}, {"c6.large": 1}),
        "amis": (
            {},
            {"bench": {"ids": {"a": "ami-12345678"}}},
            {"x": {"ids": {"a": "ami-12345678"}}},
        ),
        "colour": (1,),
    }
    for name, values in settings.items():
        for value in values:
            text += line(f"{name}={value!r}", {**BARE, name: value})
    of_matrix: dict[str, tuple[Any, ...]] = {
        "images": ([], ["bench"], ["a", "b", "a"], [""]),
        "drivers": ([], ["kernel"], ["nitro", "kernel", "nitro"], ["own"]),
        "types": ([], ["a", "b"], [""]),
        "regions": (
            [],
            ["eu-west-1"],
            ["eu-west-1", "us-gov-east-1"],
            ["eu-west-10"],
            ["eu-1"],
            ["x"],
        ),
    }
    for name, values in of_matrix.items():
        for value in values:
            text += line(
                f"matrix {name}={value!r}", {**BARE, "matrix": {"types": ["c"], name: value}}
            )
    for protocol in plans.Protocol.__args__:  # type: ignore[attr-defined]
        needed = {"rates": ["1M"]} if protocol == "iperf3-udp" else {}
        of_test: dict[str, tuple[Any, ...]] = {
            "directions": ([], ["in"], ["out", "in"], ["in", "out", "in"], ["both"]),
            "streams": ([], [0], [1], [128], [129], [1, 2, 1], [True]),
            "message_bytes": (
                [],
                [0],
                [1],
                [15],
                [16],
                [65507],
                [65508],
                [1 << 20],
                [(1 << 20) + 1],
            ),
            "rates": ([], ["1"], ["999999999999G"], ["1000000000000"], ["0"], ["1T"], ["1M", "2M"]),
            "mtu": ([], [575], [576], [1500, 9001], [9002]),
            "images": ([], ["bench"], ["x"]),
        }
        for name, values in of_test.items():
            for value in values:
                test = {"protocol": protocol, **needed, name: value}
                text += line(f"{protocol} {name}={value!r}", {**BARE, "test": [test]})
    own = {"ids": {"eu-west-1": "ami-12345678", "us-east-1": "ami-123456789abcdef01"}, "start": "x"}
    for more in (
        {"matrix": {**BARE["matrix"], "images": ["own"]}},
        {"matrix": {**BARE["matrix"], "images": ["own", "bench"], "drivers": ["nitro", "kernel"]}},
        {"matrix": {**BARE["matrix"], "images": ["own"], "regions": ["us-east-1", "eu-west-1"]}},
        {"matrix": {**BARE["matrix"], "images": ["own"], "regions": ["us-east-2"]}},
        {"test": [{"protocol": "http", "images": ["own"]}]},
    ):
        text += line(f"an AMI and {more}", {**BARE, "amis": {"own": own}, **more})
    wide = {"types": [f"t{n}" for n in range(50)]}
    for repetitions, warm_up in ((10_000, 0), (9_999, 1), (10_000, 1), (9_900, 100)):
        document = {**BARE, "matrix": wide, "repetitions": repetitions, "warm_up": warm_up}
        try:
            Plan.model_validate(document)
            text += f"{repetitions} and {warm_up}: taken\n"
        except ValueError as error:
            text += f"{repetitions} and {warm_up}: {str(error).splitlines()[1]}\n"
    held(HERE / "table-plans.txt", text)


def test_cells_and_what_measures_them() -> None:
    text = ""
    machine = Machine("bench", "nitro", "c5.large", "eu-west-1")
    tests = [Test(name) for name in plans.Protocol.__args__]  # type: ignore[attr-defined]
    tests = [
        replace(one, direction="in") if one.protocol in plans._ONE_WAY else one for one in tests
    ]
    tests = [replace(one, rate="5M") if one.protocol[-3:] == "udp" else one for one in tests]
    some: list[dict[str, Any]] = [
        {},
        {"streams": 2},
        {"message_bytes": 64},
        {"mtu": 1500},
        {"direction": "out"},
    ]
    for one, more in itertools.product(tests, some):
        if more.get("direction") and not one.direction:
            continue
        if one.protocol == "http" and "message_bytes" in more:
            continue
        test = replace(one, **more)
        text += f"{Cell(machine, test).key}\n"
        for step in plans.selection(test, 7).plan("server").steps:
            text += f"  {step.seconds} {step.command}\n"
    held(HERE / "table-cells.txt", text)


def tasks(*machines: str, repetitions: int = 1, tests: int = 1) -> list[Task]:
    made: list[Task] = []
    for repetition, name, test in itertools.product(range(repetitions), machines, range(tests)):
        cell = Cell(Machine(name, "nitro", "c5.large", "eu-west-1"), Test("http", streams=test + 1))
        made.append(Task(cell, repetition, len(made)))
    return made


def test_schedules() -> None:
    text = ""

    def shown(some: list[Task]) -> str:
        names = sorted({one.cell.machine.image for one in some})
        return f"{len(some)} of {'+'.join(names)} from {some[0].position}"

    many = tasks("a", "b", "c", repetitions=2, tests=3)
    for at_once in (1, 2, 3, 4):
        text += f"{at_once} at once: {[shown(group) for group in groups(many, at_once)]}\n"
    for count in (1, 39, 40, 41, 80, 81):
        made = tasks("a", tests=count) + tasks("b", tests=3)
        parts = [[shown(one) for one in part] for part in rounds(made)]
        text += f"{count} tests: {parts}\n  {[shown(one) for one in clients(made)]}\n"
    plan = Plan.model_validate({**BARE, "matrix": {"types": [f"t{n}" for n in range(5)]}})
    for index, count in ((0, 1), (0, 2), (1, 2), (4, 5), (5, 6)):
        part = Part(index, count)
        text += f"{part}: {[one.instance_type for one in part.machines(plan, 'eu-west-1')]} "
        text += f"{len(part.tasks(plan, 'eu-west-1', NIGHT))}\n"
    for hours in (None, 0.5, 168.0):
        bounded = plan.model_copy(update={"max_hours": hours})
        for made in (many[:1], many, many * (40 if hours else 400)):
            text += f"{hours} h, {len(made)} runs: {lifetime(bounded, made)}\n"
    held(HERE / "table-schedules.txt", text)


def test_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    text, now = "", [50.0]
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: now[0]))
    machine = Machine("bench", "nitro", "c5.large", "eu-west-1")
    prices = {("eu-west-1", "c5.large"): 2.0, ("eu-west-1", "c6.large"): 3.0}
    for hours, cost, given in itertools.product((None, 1.0), (None, 7.0), ({}, prices)):
        found = Budget(hours, cost, given)
        text += f"{hours} {cost} {bool(given)}:"
        for seconds, launched in (
            (0, []),
            (3599, [machine]),
            (1, [machine] * 2),
            (0, []),
            (3600, []),
        ):
            now[0] += seconds
            text += f" {found.cost(launched):g} {found.is_spent(launched)}"
            if seconds == 1:
                found.end_group(launched)
                found.begin_group()
        text += "\n"
    held(HERE / "table-budgets.txt", text)


def test_works() -> None:
    text = ""
    plan = Plan.model_validate(BARE)
    errors: list[Exception | None] = [None, NitroError("full"), OSError("full")]
    for error in errors:
        kept: list[str] = []

        def keep(runs: Any, measurement: Any, error: Any = error, kept: list[str] = kept) -> None:
            if error and len(kept) == 1:
                kept.append("refused")
                raise error
            said = [f"{t.position} {r.tool} {r.error}" for t, r in runs]
            kept.append(f"{said} by {measurement}")

        made = tasks("a", tests=4)
        work = Work(plan, list(made), keep)
        text += f"{error!r}: {len(work.begin().probes)} probes\n"
        measurement: Any = "client 1"
        done = [Result("http", f"n{n}") for n in range(4)]
        failed = replace(done[0], error="refused")
        work.take(measurement, 0, done[0])
        work.take(measurement, 2, done[2])
        work.take(measurement, 1, failed)
        text += f"  left {[one.position for one in work.left]}\n"
        again = work.begin()
        text += f"  {len(again.probes)} probes\n"
        work.take(measurement, 0, done[1])
        with suppress(ValueError):
            work.finish(measurement, [failed])
        work.finish(measurement, [failed] * len(again.probes))
        work.finish(measurement, [failed] * len(again.probes))
        text += f"  left {work.left}\n" + "".join(f"  {one}\n" for one in kept)
    lost: list[Any] = []
    work = Work(
        plan, tasks("a", tests=2), lambda runs, measurement: lost.append((runs, measurement))
    )
    work.fail(NitroError("no server", hint="try"))
    work.fail(NitroError("again"))
    text += re.sub(r"started=[\d.]+", "started=<now>", f"{lost}\n")
    held(HERE / "table-works.txt", text)


def test_campaigns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    plan = Plan.model_validate(BARE)
    kept = FolderStore(tmp_path)
    image = Image("ami-1", "sha256:1", 2, None)
    images = {"eu-west-1": {CLIENT: image, ("bench", "nitro"): replace(image, start="s")}}
    for parts, subnet in ((1, None), (3, "subnet-1")):
        made = campaign.Campaign.of(
            plan, NIGHT, "eu-west-1", parts=parts, images=images, subnet=subnet, bucket="b"
        )
        folder = campaign.write(kept, made)
        text += f"{folder}\n{(tmp_path / folder / 'job.json').read_text()}\n"
        text += f"{campaign.read(kept, folder) == made} {made.images}\n"
        for index in (None, "", "0", "1", "2", "3", "-1", "x", "²"):
            monkeypatch.delenv(campaign.INDEX, raising=False)
            if index is not None:
                monkeypatch.setenv(campaign.INDEX, index)
            text += f"{parts} parts, index {index!r}: {told(made.part)}\n"
    document = (tmp_path / folder / "job.json").read_text()
    documents: dict[str, str | None] = {
        "none": None,
        "empty": "",
        "other": document.replace('"parts": 3', '"parts": 0'),
        "most": document.replace('"parts": 3', '"parts": 10000'),
        "more": document.replace('"parts": 3', '"parts": 10001'),
        "no client": document.replace('"recipe": ""', '"recipe": "x"'),
        "another region": document.replace('"region": "eu-west-1"', '"region": "x"', 1),
        "no list": "1",
    }
    for name, content in documents.items():
        if content is not None:
            kept.write(f"jobs/{name}/job.json", content.encode())
        answer = told(campaign.read, kept, f"jobs/{name}")
        text += f"{name}: {answer.partition('Campaign(')[0] or 'taken'}\n"
    kept.write("jobs/two/a", b"")
    kept.write("jobs/two/b", b"")
    text += f"two files: {told(campaign.read, kept, 'jobs/two')}\n"
    held(HERE / "table-campaigns.txt", text)


def test_places_and_addresses() -> None:
    text = ""
    for place in (
        *(
            "s3://abc",
            "s3://ab",
            "s3://a",
            f"s3://{'a' * 63}",
            f"s3://{'a' * 64}",
            "s3://a.b-c/x/y/",
        ),
        *(
            "s3://abc/",
            "s3://abc//x",
            "s3://-abc",
            "s3://abc-",
            "s3://Abc",
            "abc",
            "s3:/abc",
            "S3://abc",
        ),
    ):
        text += f"{place[:24]}: {store.is_s3(place)} {told(store.s3_place, place)[:90]}\n"
    for url in (
        *(
            "https://x",
            "http://x/y?z",
            "ftp://x",
            "x",
            "",
            "https://",
            "https://x:0",
            "https://x:1",
        ),
        *("https://x:65535", "https://x:65536", "https://x y", "https://[::1]/", "https://[::1"),
        *("https://x\n", "HTTPS://x", "https://ü"),
    ):
        text += f"{url!r}: {told(notify.check_url, url)}\n"
    arn = "arn:aws:sns:eu-west-1:123456789012:n"
    for topic in (
        *(arn, arn + "ights_-1", arn.replace("aws", "aws-cn"), arn[:-1], arn.replace("sns", "sqs")),
        *(arn[:-1] + "n" * 256, arn[:-1] + "n" * 257, arn.replace("12:", "1:"), arn + ".fifo", ""),
    ):
        text += f"{topic[:44]}: {told(notify.check_addresses, None, topic)[:99]}\n"
    text += f"{told(notify.check_addresses, 'x', 'y')} {told(notify.check_addresses, '', None)}\n"
    cloud: Any = SimpleNamespace()
    for hook, arn_, there in itertools.product((None, "", "https://x"), (None, arn), (None, cloud)):
        found = notify.channels(hook, arn_, there)
        text += f"{hook} {arn_} {bool(there)}: {[(c.address, c.path('p')) for c in found]}\n"
    held(HERE / "table-places.txt", text)


def test_files_of_a_record(tmp_path: Path) -> None:
    """The name of one is that of its only sample, or follows from all that it has."""
    text = ""
    for count in range(4):
        record = Record(FolderStore(tmp_path / str(count)))
        written = record.append(sample(repetition=n) for n in range(count))
        text += f"{count} samples: {written} files\n"
        for path in (tmp_path / str(count)).rglob("*.parquet"):
            text += f"  {path.relative_to(tmp_path)}\n"
        record.append([sample(repetition=9)])
        record.compact("small", NIGHT)
        for path in (tmp_path / str(count)).rglob("*.parquet"):
            text += f"  compacted: {path.relative_to(tmp_path)}\n"
    held(HERE / "table-files.txt", text)
