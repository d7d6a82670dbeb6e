"""The page of a report says what the record says, asks no network, and escapes what is foreign."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from nitro.bench.report import page, write
from nitro.documents.metrics import Better
from nitro.errors import InputError
from nitro.probe import Allowance, Metric
from tests.unit.bench.samples import CELL, CELLS, CIRCUMSTANCES, days, fill, sample


class Page(HTMLParser):
    """Elements and their attributes; text by the element around it."""

    VOID = ("meta", "link", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    from nitro.bench.record import Record
    from nitro.bench.store import FolderStore

    folder = tmp_path_factory.mktemp("report")
    record = Record(FolderStore(folder / "record"))
    step = days(20)[15]
    fill(
        record,
        days(20),
        factor=lambda cell, night: 0.9 if cell == CELLS[1] and night >= step else 1.0,
        raw="<script>alert(1)</script>\x1b[31m",
        circumstances=replace(CIRCUMSTANCES, peak_bits=6e9),
    )
    record.append([sample(cell=CELLS[2], night=days(20)[-1], repetition=9, error="<b>no</b>")])
    path = write(record, folder / "out")
    return path.read_text()


@pytest.mark.extended
def test_the_page_has_the_verdict_every_series_and_its_runs(written):
    page = Page(written)
    assert not page.open
    assert "1 slower, 1 failed in 4 series" in page.text
    assert len(page.all("article")) == 4
    assert {row["data-name"].split()[0] for row in page.all("article")} == {
        "c5.large",
        "c6in.large",
    }
    assert "Drivers side by side" in page.text
    assert "3 runs of the last night" in page.text
    labels = [svg["aria-label"] for svg in page.all("svg")]
    assert any("tcp_in -10." in label or "tcp_in -9." in label for label in labels)
    layers = [word for group in page.all("g") for word in group.get("class", "").split()]
    assert layers.count("worse_marks") == 1
    assert layers.count("promise_marks") == 4


@pytest.mark.extended
def test_the_page_refers_to_nothing_outside(written):
    page = Page(written)
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
    assert "url(" not in written
    assert "@import" not in written


def test_foreign_text_stays_text(written):
    page = Page(written)
    assert len(page.all("script")) == 1
    assert "<script>alert(1)</script>" in page.text
    assert "<b>no</b>" in page.text
    assert "\x1b" not in written


def test_the_links_of_the_table_lead_to_the_series(written):
    page = Page(written)
    targets = {article["id"] for article in page.all("article")}
    assert {link["href"] for link in page.all("a")} == {f"#{target}" for target in targets}


@pytest.mark.extended
def test_too_few_runs_for_an_interval_are_said_to_be(record, tmp_path):
    fill(record, days(1))
    [_, first, _] = Tables(write(record, tmp_path).read_text()).tables["Drivers side by side"]
    assert [text for text, _ in first][5:] == ["too few runs", "3, 3"]


@pytest.mark.extended
def test_one_night_is_a_page_too(record, tmp_path):
    record.append([sample()])
    text = write(record, tmp_path / "out").read_text()
    assert not Page(text).open
    assert "new" in text


def test_an_empty_record_has_no_page(record, tmp_path):
    with pytest.raises(InputError, match="nitro bench run"):
        write(record, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Tables(HTMLParser):
    """Rows of cells, with their classes, by the tables' titles."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.rows, self.cell = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "div" and "aria-label" in attributes:
            self.rows = self.tables.setdefault(attributes["aria-label"], [])
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = ["", attributes.get("class", "")]
            self.rows[-1].append(self.cell)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[0] += data


def last_night(record, folder):
    """The last night's rows: what stands in each column, and the classes of the change."""
    [_, *rows] = Tables(write(record, folder).read_text()).tables["Last night"]
    return [([text for text, _ in row], row[4][1].split()) for row in rows]


def one_a_night(record, *values, better="more", **fields):
    for night, value in zip(days(len(values)), values, strict=True):
        record.append([sample(value, night=night, better=better, **fields)])


# Nights, the last of them the report's; the level before, the change and what it is called.
UNIT = 5.123e9
PAST: list[tuple[Any, ...]] = [
    ([1], "", "new", "", []),
    ([1, 2], "5.12 Gbit/s", "new", "", []),
    ([1, 1, 1.2], "5.12 Gbit/s", "+20.0 %", "+20.0 to +20.0 %", ["improved"]),
    ([1, 1, 0.8], "5.12 Gbit/s", "-20.0 %", "-20.0 to -20.0 %", ["worse"]),
    # exp(±0.1): a deviation of 0.1414, so 1.96 × 0.1414 × √1.5 = 0.3395 for one more night
    ([1.105171, 0.904837, 1.001], "5.12 Gbit/s", "+0.1 %", "-28.7 to +40.6 %", []),
    # The oldest of four nights does not count, with a baseline of three.
    ([2, 1, 1, 1, 1.2], "5.12 Gbit/s", "+20.0 %", "+20.0 to +20.0 %", ["improved"]),
]
PAST_OF_TIMES: list[tuple[Any, ...]] = [
    ([1, 1, 1.2], "5.12 Gbit/s", "+20.0 %", "+20.0 to +20.0 %", ["worse"]),
    ([1, 1, 0.8], "5.12 Gbit/s", "-20.0 %", "-20.0 to -20.0 %", ["improved"]),
]


@pytest.mark.extended
def test_the_last_night_against_those_before(record, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_BASELINE", 3)
    cases: list[tuple[Any, Better]] = [(case, "more") for case in PAST]
    cases += [(case, "less") for case in PAST_OF_TIMES]
    for back in range(5):
        record.append(
            sample(
                UNIT * values[-1 - back],
                better=better,
                night=days(5)[4 - back],
                cell=replace(CELL, machine=replace(CELL.machine, instance_type=f"t{number}.large")),
            )
            for number, ((values, *_), better) in enumerate(cases)
            if back < len(values)
        )
    rows = last_night(record, tmp_path)
    assert [(*cells[3:6], kinds[1:]) for cells, kinds in rows] == [
        tuple(case[1:]) for case, _ in cases
    ]
    of_peak = [100 * UNIT * values[-1] / 10e9 for (values, *_), _ in cases]
    assert [cells[6] for cells, _ in rows] == [f"{part:.0f} %" for part in of_peak]


@pytest.mark.extended
def test_only_a_rate_has_a_peak(record, tmp_path):
    record.append([sample(metrics={"p": Metric(1e-3, "s", "less")})])
    assert [cells[6] for cells, _ in last_night(record, tmp_path)] == [""]


@pytest.mark.extended
def test_a_series_without_the_last_night_is_not_in_its_table(record, tmp_path):
    one_a_night(record, 1e9, 1e9, cell=CELLS[0])
    record.append([sample(1e9, night=days(1)[0], cell=CELLS[1])])
    assert [cells[0] for cells, _ in last_night(record, tmp_path)] == [CELLS[0].key]


@pytest.mark.extended
def test_each_plan_has_its_own_series(record, tmp_path):
    one_a_night(record, 1e9, plan="one")
    one_a_night(record, 2e9, plan="two", cell=CELLS[1])
    both = write(record, tmp_path / "both").read_text()
    assert [article["id"] for article in Page(both).all("article")] == ["one-0", "two-0"]
    assert "<h2>one, night of" in both
    alone = Page(write(record, tmp_path / "alone", plan="two").read_text())
    assert [article["data-name"].split()[0] for article in alone.all("article")] == ["c6in.large"]


@pytest.mark.extended
def test_a_report_is_written_again_and_wherever_it_is_wanted(record, tmp_path):
    one_a_night(record, 1e9)
    folder = tmp_path / "a" / "b"
    first = write(record, folder).read_text()
    assert write(record, folder).read_text() == first


@pytest.mark.extended
def test_what_is_worse_is_said_first_and_with_what_it_changed(record, tmp_path):
    newer = replace(CIRCUMSTANCES, digest="sha256:new")
    old, new = days(20)[:15], days(20)[15:]
    fill(record, old)
    factors = {CELLS[0]: 1.2, CELLS[1]: 0.8}
    fill(record, new, factor=lambda cell, _: factors.get(cell, 1.0), circumstances=newer)
    limit = (Allowance("server", "bw_in_allowance_exceeded", 7),)
    fields: dict[str, Any] = {"night": new[-1], "repetition": 9, "metric": "udp_in"}
    machine = replace(CELL.machine, instance_type="m5.large")
    record.append([sample(1e9, cell=replace(CELL, machine=machine), allowances=limit, **fields)])
    record.append([sample(cell=CELLS[3], error="no route", night=new[-1], repetition=8)])
    text = write(record, tmp_path).read_text()
    items = [item.split("</li>")[0] for item in text.split("<li class=")[1:]]
    assert [item.split(">")[0] for item in items] == ['"worse"', '"improved"', '"worse"', '""']
    assert CELLS[1].key in items[0]
    assert "changed with it: digest: sha256:4567 → sha256:new" in items[0]
    assert "failed: " in items[2]
    assert "limited by its allowance: " in items[3]


@pytest.mark.extended
def test_a_step_with_which_nothing_changed(record, tmp_path):
    one_a_night(record, *[1e9] * 12, *[0.8e9] * 4)
    text = write(record, tmp_path).read_text()
    assert "changed with it: nothing that is recorded" in text


@pytest.mark.extended
@pytest.mark.parametrize(("runs", "said"), [(12, False), (13, True)])
def test_twelve_runs_are_shown(record, tmp_path, runs, said):
    record.append([sample(1e9, repetition=number) for number in range(runs)])
    text = write(record, tmp_path).read_text()
    assert f"{runs} runs of the last night" in text
    assert ("The first 12 are shown" in text) == said
    assert text.count("UTC, i-0123") == 12


@pytest.mark.extended
@pytest.mark.parametrize(("room", "shown"), [(30, 3), (29, 2), (9, 0)])
def test_raw_output_is_shown_while_there_is_room(record, tmp_path, monkeypatch, room, shown):
    """Ten bytes each; once for a run, whose metrics all come from it."""
    monkeypatch.setattr(page, "_RAW_BYTES", room)
    both = {"a_in": Metric(1e9, "bit/s", "more"), "b_in": Metric(2e9, "bit/s", "more")}
    record.append([sample(metrics=both, repetition=n, raw="ä" + "r" * 8) for n in range(3)])
    text = write(record, tmp_path).read_text()
    assert text.count("<pre>") == shown


@pytest.mark.extended
def test_a_run_says_what_is_special_about_it(record, tmp_path):
    limit = (Allowance("server", "bw_in_allowance_exceeded", 7),)
    record.append([sample(1e9), sample(2e9, repetition=1, phase="warm-up")])
    record.append([sample(3e9, repetition=2, allowances=limit)])
    text = write(record, tmp_path).read_text()
    lines = [line.split("<")[0] for line in text.split("<summary>")[2:]]
    assert [line.partition("UTC, ")[2] for line in lines] == [
        "i-0123, eu-west-1a",
        "i-0123, eu-west-1a, warm-up",
        "i-0123, eu-west-1a, limited by an allowance",
    ]


@pytest.mark.extended
def test_the_two_drivers_side_by_side(record, tmp_path):
    """The kernel's first: the change is that of the project's driver over it."""
    for cell, value in ((CELLS[0], 2.5e9), (CELLS[2], 1.25e9)):
        record.append([sample(value, cell=cell, repetition=n) for n in range(8)])
    tables = Tables(write(record, tmp_path).read_text()).tables
    [_, row] = tables["Drivers side by side"]
    assert [text for text, _ in row][1:6] == [
        *("tcp_in", "1.25 Gbit/s", "2.50 Gbit/s", "+100.0 %", "+100.0 to +100.0 %")
    ]
    assert row[4][1] == "number improved"
    assert row[6][0] == "8, 8"
